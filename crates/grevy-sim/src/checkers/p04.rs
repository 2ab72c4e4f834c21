//! P4, P6, S1: a read shows exactly the state of its header's zxid, as far as its reader may see
//! it; all parts of a multiRead the same state. P9: every Stat in it is exact.

use super::Case;
use super::replay::{Reader, Reply};
use crate::answer::Answer;
use crate::model::Model;
use crate::model::acl::{READ, permits};
use crate::operation::{Operation, ReadKind};
use grevy_proto::ErrorCode;

/// Judges a reply that is not a write's. `None`: it is none of this checker's.
pub fn check(case: &mut Case<'_>, reader: &mut Reader<'_>, reply: &Reply<'_>, state: &Model) {
    let operation = reply.operation;
    let expected = match operation {
        Operation::WatchOf { path, kind, remove } => {
            let found = match remove {
                true => reader.watches.remove(path, *kind),
                false => reader.watches.contains(path, *kind),
            };
            match found {
                true => Answer::Done,
                false => Answer::Error(ErrorCode::NoWatcher.wire()),
            }
        }
        // Only the leader knows who is in sync.
        Operation::Reconfig { .. } => return,
        // Its leader was lost before it could answer.
        Operation::Sync(_) if reply.err == ErrorCode::ConnectionLoss.wire() => return,
        Operation::SetWatches(_) | Operation::Auth(_) => Answer::Done,
        other => match state.read(other, reader.session, &reader.ids) {
            Some(answer) => answer,
            None => return,
        },
    };
    case.counts.check("P4");
    match Answer::decode(operation, reply.err, reply.body) {
        Ok(answer) if answer == expected => {}
        answer => {
            let what = format!(
                "link {}, request {} {operation:?} at {:x}: the answer is {answer:?}, and the \
                 state there says {expected:?}",
                reader.link, reply.xid, reply.zxid
            );
            return case.violate("P4", what);
        }
    }
    register(reader, operation, &expected, state);
}

/// The reply has left a watch.
fn register(reader: &mut Reader<'_>, operation: &Operation, answer: &Answer, state: &Model) {
    match operation {
        Operation::Read {
            kind,
            path,
            watch: true,
        } => {
            let failed = matches!(answer, Answer::Error(_));
            match kind {
                ReadKind::Exists => {
                    let hidden = state
                        .get(path)
                        .is_some_and(|znode| !permits(&znode.acl, READ, &reader.ids));
                    if !hidden {
                        reader.watches.add_data(path);
                    }
                }
                ReadKind::Data if !failed => reader.watches.add_data(path),
                ReadKind::Children | ReadKind::Children2 if !failed => {
                    reader.watches.add_child(path);
                }
                _ => {}
            }
        }
        Operation::AddWatch { path, mode } => reader.watches.add_mode(path, *mode),
        _ => {}
    }
}
