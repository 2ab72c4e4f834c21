//! P29: the server's state at a zxid, in memory or recovered from snapshot and log, is the
//! model's, to the last Stat, and so is its digest.

use super::Case;
use crate::history::Dump;
use crate::model::Model;
use crate::model::txn::{Change, Entry};
use crate::workload::CONFIG;

/// A state that the server held.
pub fn check_dump(case: &mut Case<'_>, dump: &Dump, state: &Model) {
    case.counts.check("P29");
    let ensemble = case.history.membership.is_some();
    let (expected, found) = match ensemble {
        true => (without_config(&state.dump()), without_config(&dump.text)),
        false => (state.dump(), dump.text.clone()),
    };
    if found != expected {
        let (mine, theirs) = differ(&expected, &found);
        let what = format!(
            "at {:x} ({}, {} µs) s{} has\n  {theirs}\nwhere the history leads to\n  {mine}",
            dump.zxid, dump.occasion, dump.at.0, dump.server
        );
        return case.violate("P29", what);
    }
    if case.digest && dump.digest != state.digest() {
        let what = format!(
            "at {:x} ({}) the server's digest is {}, and should be {}",
            dump.zxid,
            dump.occasion,
            dump.digest,
            state.digest()
        );
        case.violate("P29", what);
    }
}

/// A transaction's digest, given the state after it.
pub fn check_digest(case: &mut Case<'_>, entry: &Entry, state: &Model) {
    let expected = match entry.change {
        Change::Error(_) => None,
        _ if !case.digest => None,
        _ => Some(state.digest()),
    };
    case.counts.check("P29 digest");
    if entry.digest != expected {
        let what = format!(
            "{}: the digest is {:?}, and should be {expected:?}",
            super::describe(entry),
            entry.digest
        );
        case.violate("P29", what);
    }
}

/// Each server of an ensemble sets the configuration by itself, with a time of its own.
fn without_config(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with(CONFIG));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// The first lines in which two texts differ.
fn differ<'a>(mine: &'a str, theirs: &'a str) -> (&'a str, &'a str) {
    let (mut mine, mut theirs) = (mine.lines(), theirs.lines());
    loop {
        match (mine.next(), theirs.next()) {
            (Some(a), Some(b)) if a == b => {}
            (a, b) => return (a.unwrap_or("nothing"), b.unwrap_or("nothing")),
        }
    }
}
