//! P13, P14, P15, P16: no event without a watch and a change that triggers it, none twice, none
//! lost, none after the data that it announces, none for whoever may not read.

use super::Case;
use super::replay::{Reader, Reply};
use crate::model::acl::{READ, permits};
use crate::model::watch::Event;
use crate::model::{Model, Trigger};
use crate::operation::Operation;

/// An event that a connection is to get.
#[derive(Debug, Clone)]
pub struct Owed {
    zxid: i64,
    event: Event,
    /// `false`: it depends on when exactly an auth packet was handled.
    certain: bool,
}

/// A change happened: whoever watches is owed an event.
pub fn trigger(reader: &mut Reader<'_>, zxid: i64, trigger: &Trigger) {
    let (now, soon) = (reader.ids.clone(), reader.ids_soon());
    for due in reader.watches.trigger(trigger) {
        let may = [now.as_slice(), &soon].map(|ids| permits(&due.acl, READ, ids));
        if may != [false, false] {
            reader.owed.push_back(Owed {
                zxid,
                event: due.event,
                certain: may == [true, true],
            });
        }
    }
}

/// An event came.
pub fn event(case: &mut Case<'_>, reader: &mut Reader<'_>, zxid: i64, event: Event) {
    case.counts.check("P14");
    if zxid == -1 {
        reader.missed.push(event);
        return;
    }
    settle(case, reader, zxid - 1, "an event of a later transaction");
    let at = reader
        .owed
        .iter()
        .position(|owed| owed.zxid == zxid && owed.event == event);
    if at.and_then(|at| reader.owed.remove(at)).is_none() {
        let what = format!(
            "link {}: {event:?} of {zxid:x}, for which there is no watch, or which came before; \
             owed is {:?}",
            reader.link, reader.owed
        );
        case.violate("P14", what);
    }
}

/// A reply came: what it may tell of must have been announced.
pub fn reply(case: &mut Case<'_>, reader: &mut Reader<'_>, reply: &Reply<'_>, state: &Model) {
    case.counts.check("P13");
    settle(case, reader, reply.zxid, "a reply that knows of it");
    if let Operation::SetWatches(watched) = reply.operation {
        case.counts.check("P16");
        let mut expected = reader.watches.set_again(watched, state, &reader.ids);
        let mut got = std::mem::take(&mut reader.missed);
        expected.sort();
        got.sort();
        if expected != got {
            let what = format!(
                "link {}: setting watches {watched:?} again at {:x} brought {got:?} instead of \
                 {expected:?}",
                reader.link, reply.zxid
            );
            case.violate("P16", what);
        }
    } else if !reader.missed.is_empty() {
        let missed = std::mem::take(&mut reader.missed);
        let what = format!("link {}: {missed:?} without setWatches", reader.link);
        case.violate("P14", what);
    }
}

/// Nothing up to `zxid` may be owed any more.
fn settle(case: &mut Case<'_>, reader: &mut Reader<'_>, zxid: i64, what: &str) {
    while let Some(owed) = reader.owed.front()
        && owed.zxid <= zxid
    {
        if owed.certain {
            let what = format!(
                "link {}: {:?} of {:x} had not come before {what} ({zxid:x})",
                reader.link, owed.event, owed.zxid
            );
            case.violate("P13", what);
        }
        reader.owed.pop_front();
    }
}
