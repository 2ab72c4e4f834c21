//! Read-only mode: a server without a leader serves whoever has said that this will do, and nobody
//! else (L4). What it answers are reads of the history that it has, which stands still meanwhile
//! and may be taken back (P4, P11, P29); all else it refuses (P10). Of its sessions nobody else
//! ever learns, and no other is served (P18, P20).

use super::replay::{Reply, check_still};
use super::{Case, p29};
use crate::history::{Dump, History};
use crate::model::Model;
use crate::model::txn::Entry;
use crate::net::LinkId;
use crate::operation::Operation;
use crate::world::Context;
use grevy_proto::ErrorCode;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// A time in which a server served without a leader.
#[derive(Debug)]
pub struct Spell {
    /// Its state, and whose it was.
    state: Dump,
    /// What it had of which nobody knew yet that it is committed.
    open: Vec<(i64, Arc<[u8]>)>,
    /// Connections with a session.
    links: BTreeSet<LinkId>,
    /// Their sessions.
    sessions: BTreeSet<i64>,
}

/// Such a time begins.
pub fn begins(ctx: &mut Context, state: Dump) {
    ctx.counts.did("read-only times");
    let history = &mut ctx.history;
    let evidence = &history.ledger.servers[state.server];
    // What is to be taken back, or replaced, may still be in memory.
    let known = match &evidence.replaced {
        Some(replaced) => &replaced.known,
        None => &evidence.known,
    };
    let open = known.range(..=state.zxid).map(|(z, e)| (*z, e.clone()));
    let open = open.filter(|(zxid, _)| history.entry(*zxid).is_none());
    let spell = Spell {
        open: open.collect(),
        state,
        links: BTreeSet::new(),
        sessions: BTreeSet::new(),
    };
    history.read_only.push(spell);
}

/// The last such time of a server.
fn spell_of(ctx: &mut Context, server: usize) -> Option<&mut Spell> {
    let mut spells = ctx.history.read_only.iter_mut();
    spells.rfind(|spell| spell.state.server == server)
}

/// A connection of a server without a leader has a session from now on.
pub fn attached(ctx: &mut Context, server: usize, link: LinkId, session: i64) {
    ctx.counts.check("P20 read-only");
    let is_of_others =
        ctx.history.opening.contains(&session) || ctx.history.homes.contains_key(&session);
    let Some(spell) = spell_of(ctx, server) else {
        return;
    };
    spell.links.insert(link);
    let is_new = spell.sessions.insert(session);
    let spells = ctx.history.read_only.iter();
    let homes = spells.filter(|spell| spell.sessions.contains(&session));
    if is_of_others || homes.count() > 1 {
        let what = format!("s{server} serves the session {session:x} of others without a leader");
        return ctx.history.violate("P20", what);
    }
    ctx.counts.did(match is_new {
        true => "read-only sessions",
        false => "read-only sessions resumed",
    });
}

/// A server sends something to such a connection; `still`: it still serves without a leader.
pub fn answers(ctx: &mut Context, server: usize, still: bool, zxid: i64) {
    ctx.counts.check("L4 read-only");
    let Some(begun) = spell_of(ctx, server).map(|spell| spell.state.zxid) else {
        return;
    };
    if !still || zxid != begun {
        let what = format!(
            "s{server} answers a session that began without a leader, at {zxid:x}, not {begun:x}"
        );
        ctx.history.violate("L4", what);
    }
}

/// Such a session has expired, after it was silent for so many µs.
pub fn expired(ctx: &mut Context, server: usize, silent: u64, timeout: Duration) {
    ctx.counts.check("P17 read-only");
    if u128::from(silent) < timeout.as_micros() {
        let what = format!(
            "s{server}: a read-only session with a timeout of {timeout:?} expired after {silent} µs"
        );
        ctx.history.violate("P17", what);
    }
}

/// Who was served, and what became of it.
pub fn check(case: &mut Case<'_>) {
    let mut found = Vec::new();
    let spells = &case.history.read_only;
    let sessions = spells.iter().flat_map(|spell| &spell.sessions);
    let sessions: BTreeSet<i64> = sessions.copied().collect();
    for conversation in &case.history.connections {
        let link = conversation.link;
        let is_told = conversation.is_read_only();
        let served = spells.iter().any(|spell| spell.links.contains(&link));
        let session = conversation.session();
        if served && !conversation.asked.read_only {
            let what = format!("link {} is served without a leader, unasked", link.0);
            found.push(("L4", what));
        }
        if let Some(session) = session.filter(|s| !served && sessions.contains(s)) {
            let what = format!(
                "link {}: {session:x}, which began without a leader, is served by others",
                link.0
            );
            found.push(("P20", what));
        }
        if session.is_some() && served != is_told {
            let what = format!(
                "link {}: served without a leader: {served}, told: {is_told}",
                link.0
            );
            found.push(("L4", what));
        }
    }
    for (zxid, entry) in &case.history.ledger.proposed {
        let session = entry.first_chunk().map(|bytes| i64::from_be_bytes(*bytes));
        if session.is_some_and(|session| sessions.contains(&session)) {
            let what = format!("{zxid:x} is of a session that began without a leader");
            found.push(("P18", what));
        }
    }
    for (property, what) in found {
        case.violate(property, what);
    }
}

/// The times in which servers served without a leader, by where their histories leave the one that
/// was committed, or end.
pub fn by_fork(history: &History) -> BTreeMap<i64, Vec<usize>> {
    let mut forks: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    for (at, spell) in history.read_only.iter().enumerate() {
        let lost = lost(history, spell).next();
        let most = lost.map_or(spell.state.zxid, |(zxid, _)| zxid - 1);
        let common = history.committed.partition_point(|c| c.zxid <= most);
        let fork = match common.checked_sub(1) {
            Some(last) => history.committed[last].zxid,
            None => history.base,
        };
        forks.entry(fork).or_default().push(at);
    }
    forks
}

/// What a server had then, and was never committed.
fn lost<'a>(history: &'a History, spell: &'a Spell) -> impl Iterator<Item = (i64, &'a Arc<[u8]>)> {
    let open = spell.open.iter().map(|(zxid, entry)| (*zxid, entry));
    open.filter(|(zxid, entry)| history.entry(*zxid) != Some(entry))
}

/// Judges what a server held and said, with the state at the fork.
pub fn check_spell(case: &mut Case<'_>, spell: &Spell, fork: &Model) {
    let history = case.history;
    // Where a disk was emptied, there is nothing of what the run began with.
    let mut state = match spell.state.zxid < history.base {
        true => Model::new(fork.extended_types),
        false => fork.clone(),
    };
    for (zxid, entry) in lost(history, spell) {
        let applied = Entry::decode(entry).map(|entry| state.apply(&entry));
        if !matches!(applied, Some(Ok(_))) {
            let what = format!("{zxid:x}, which was never committed, cannot be applied");
            return case.violate("P9", what);
        }
        case.counts.check("P4 taken back");
    }
    if state.zxid != spell.state.zxid {
        let (server, zxid) = (spell.state.server, spell.state.zxid);
        let what = format!("s{server} serves {zxid:x} without a leader, which nobody decided");
        return case.violate("P12", what);
    }
    p29::check_dump(case, &spell.state, &state);
    let served = history.connections.iter();
    for conversation in served.filter(|c| spell.links.contains(&c.link)) {
        case.counts.check("P4 read-only");
        check_still(case, conversation, &state);
    }
}

/// What a request that is no read is answered without a leader; `None`: it is one.
pub fn expected(operation: &Operation) -> Option<ErrorCode> {
    match operation {
        Operation::CloseSession => Some(ErrorCode::Ok),
        Operation::Sync(_) | Operation::Reconfig { .. } => Some(ErrorCode::NotReadOnly),
        other => other.is_write().then_some(ErrorCode::NotReadOnly),
    }
}

/// Judges the answer to such a request.
pub fn check_refusal(case: &mut Case<'_>, link: usize, reply: &Reply<'_>, expected: ErrorCode) {
    case.counts.check("P10 read-only");
    if reply.err != expected.wire() || !reply.body.is_empty() {
        let what = format!(
            "link {link}, request {} {:?}: answered with {} without a leader",
            reply.xid, reply.operation, reply.err
        );
        case.violate("P10", what);
    }
}
