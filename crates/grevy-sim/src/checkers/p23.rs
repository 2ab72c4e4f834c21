//! P23: whatever a server applies under a zxid, others apply the same; of any two histories that
//! were applied, one is the beginning of the other. A zxid is never given out twice.

use super::p22::follows;
use crate::checkers::{local, p28, p31};
use crate::history::Committed;
use crate::model::txn::{Change, Entry};
use crate::world::Context;
use std::ops::Bound::{Excluded, Included};
use std::sync::Arc;

/// A transaction is handed to the log of a server, which has applied at least so much.
pub fn appended(ctx: &mut Context, server: usize, applied: i64, zxid: i64, entry: &Arc<[u8]>) {
    ctx.counts.check("P23");
    local::appended(ctx, entry);
    let ledger = &mut ctx.history.ledger;
    if !ledger.proposed.contains_key(&zxid) {
        ledger.applied.insert(zxid, applied);
        ledger.reached.insert(zxid, ctx.history.reached);
    }
    let proposed = ledger.proposed.entry(zxid).or_insert_with(|| entry.clone());
    if proposed != entry {
        let what = format!("s{server} logs {zxid:x} as something else than others do");
        ctx.history.violate("P23", what);
    }
    let entry = entry.clone();
    ctx.history.ledger.appended(server, zxid, entry);
}

/// A server that serves has gone from one state to another.
pub fn applied(ctx: &mut Context, server: usize, before: i64, applied: i64) {
    ctx.counts.check("P23");
    let evidence = &ctx.history.ledger.servers[server];
    let before = before.max(evidence.base);
    let range = (Excluded(before), Included(applied.max(before)));
    let own = evidence.known.range(range);
    let own: Vec<(i64, Arc<[u8]>)> = own.map(|(zxid, entry)| (*zxid, entry.clone())).collect();
    let committed = &ctx.history.committed;
    let first = committed.partition_point(|c| c.zxid <= before);
    let theirs = committed[first..].iter().take_while(|c| c.zxid <= applied);
    let missing = theirs
        .map(|c| c.zxid)
        .find(|zxid| own.binary_search_by_key(zxid, |o| o.0).is_err());
    if let Some(missing) = missing {
        let what = format!("s{server} is at {applied:x} and has never had {missing:x}");
        return ctx.history.violate("P23", what);
    }
    for (zxid, entry) in own {
        commit(ctx, server, zxid, entry);
    }
    if applied > ctx.history.last() {
        let what = format!("s{server} is at {applied:x}, which nobody decided");
        ctx.history.violate("P12", what);
    }
}

fn commit(ctx: &mut Context, server: usize, zxid: i64, entry: Arc<[u8]>) {
    let last = ctx.history.last();
    if zxid <= last {
        match ctx.history.entry(zxid) {
            Some(committed) if *committed == entry => {}
            Some(_) => {
                let what = format!("s{server} applied {zxid:x} as something else");
                ctx.history.violate("P23", what);
            }
            None => {
                let what = format!(
                    "s{server} applied {zxid:x}, which is not in the history that others applied"
                );
                ctx.history.violate("P23", what);
            }
        }
        return;
    }
    if !follows(last, zxid) {
        let what = format!("s{server} applied {zxid:x} behind {last:x}");
        return ctx.history.violate("P22", what);
    }
    p28::committed(ctx, server, zxid);
    trace!(ctx.trace, ctx.schedule.now(), "s{server} applied {zxid:x}");
    ctx.counts.did("transactions");
    ctx.history.ledger.holders.remove(&zxid);
    local::committed(ctx, &entry);
    if let Some(membership) = p31::brought_by(&entry) {
        ctx.counts.check("P31");
        ctx.counts.did("reconfigurations");
        ctx.history.membership = Some(membership);
    }
    ctx.history.committed.push(Committed { zxid, entry });
}

/// The sessions that opened between two states.
pub fn opened(ctx: &Context, before: i64, applied: i64) -> Vec<(i64, i64)> {
    let committed = &ctx.history.committed;
    let first = committed.partition_point(|c| c.zxid <= before);
    let read = |committed: &Committed| {
        let entry = Entry::decode(&committed.entry)?;
        matches!(entry.change, Change::CreateSession(_)).then_some((entry.zxid, entry.session))
    };
    let between = committed[first..].iter().take_while(|c| c.zxid <= applied);
    between.filter_map(read).collect()
}
