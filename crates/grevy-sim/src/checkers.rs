//! The properties, each in a file of its own, named with its number in the guarantees.
//!
//! What needs the state at every zxid is judged in one [`replay`] of the committed history
//! through the model; the rest looks at the evidence directly.

pub mod acks;
pub mod l04;
pub mod linearizable;
pub mod liveness;
pub mod local;
pub mod numbering;
pub mod p01;
pub mod p02;
pub mod p03;
pub mod p04;
pub mod p07;
pub mod p09;
pub mod p12;
pub mod p16;
pub mod p17;
pub mod p18;
pub mod p20;
pub mod p22;
pub mod p23;
pub mod p24;
pub mod p25;
pub mod p26;
pub mod p27;
pub mod p28;
pub mod p29;
pub mod p31;
pub mod read_only;
pub mod replay;
pub mod screened;

use crate::counts::Counts;
use crate::history::{Conversation, History, Violation};
use crate::model::acl::Identity;
use crate::model::txn::{Change, Entry};
use crate::operation::Operation;
use std::collections::BTreeMap;

/// What checkers look at and write to.
pub struct Case<'a> {
    /// The evidence.
    pub history: &'a History,
    /// The committed transactions, read.
    pub entries: Vec<Entry>,
    /// Which request has which transaction, by session and number.
    pub txns: BTreeMap<(i64, i32), usize>,
    /// Who asked, by session and number: conversation and place in it.
    pub requests: BTreeMap<(i64, i32), (usize, usize)>,
    /// Whether digests are on.
    pub digest: bool,
    /// Requests that were refused, if all is well.
    pub doubts: Vec<screened::Doubt>,
    /// What was compared.
    pub counts: &'a mut Counts,
    /// What was found.
    pub violations: Vec<Violation>,
}

impl Case<'_> {
    /// Notes a broken rule.
    pub fn violate(&mut self, property: &'static str, what: String) {
        self.violations.push(Violation { property, what });
    }
}

/// Judges a run. Its requests get other numbers: see [`numbering`].
pub fn check(history: &mut History, digest: bool, counts: &mut Counts) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut entries = Vec::new();
    for committed in &history.committed {
        match Entry::decode(&committed.entry) {
            Some(entry) => entries.push(entry),
            None => violations.push(Violation {
                property: "P23",
                what: format!("the entry of {:x} cannot be read", committed.zxid),
            }),
        }
    }
    if !violations.is_empty() {
        return violations;
    }
    numbering::tell_apart(history, &mut entries);
    let history = &*history;
    let own = |entry: &Entry| entry.cxid != 0;
    let txns = entries.iter().enumerate().filter(|(_, entry)| own(entry));
    let mut requests = BTreeMap::new();
    for (number, conversation) in history.connections.iter().enumerate() {
        let Some(session) = conversation.session() else {
            continue;
        };
        for (place, sent) in conversation.sent.iter().enumerate() {
            if sent.operation.special_xid().is_none() {
                requests.insert((session, sent.xid), (number, place));
            }
        }
    }
    let mut case = Case {
        history,
        txns: txns
            .map(|(at, entry)| ((entry.session, entry.cxid), at))
            .collect(),
        entries,
        requests,
        digest,
        doubts: Vec::new(),
        counts,
        violations,
    };
    for check in [
        read_only::check as fn(&mut Case<'_>),
        p22::check,
        p18::check,
        p12::check,
        p01::check,
        p02::check,
        p03::check,
        p07::check,
        p17::check,
        p20::check,
        replay::check,
    ] {
        check(&mut case);
        if !case.violations.is_empty() {
            break;
        }
    }
    case.violations
}

/// The identities of a connection after the first `sent` requests were handled.
pub fn identities(conversation: &Conversation, sent: usize) -> Vec<Identity> {
    let mut ids = vec![("ip".to_owned(), conversation.address.clone())];
    for request in conversation.sent.iter().take(sent) {
        if let Operation::Auth(user) = &request.operation {
            add_user(&mut ids, user);
        }
    }
    ids
}

/// Adds what an auth packet proves.
pub fn add_user(ids: &mut Vec<Identity>, user: &str) {
    let id = ("digest".to_owned(), grevy_node::auth::digest(user));
    if !ids.contains(&id) {
        ids.push(id);
    }
}

/// A transaction in short.
pub fn describe(entry: &Entry) -> String {
    format!(
        "{:x} (session {:x}, request {}): {:?}",
        entry.zxid, entry.session, entry.cxid, entry.change
    )
}

/// Whether the transaction changes nothing: a request's failure, or an empty multi.
pub fn is_empty(entry: &Entry) -> bool {
    match &entry.change {
        Change::Error(_) => true,
        Change::Multi(parts) => {
            parts.is_empty() || parts.iter().any(|part| matches!(part, Change::Error(_)))
        }
        _ => false,
    }
}
