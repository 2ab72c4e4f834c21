//! Requests that servers refuse before they pass them on (`enableEagerACLCheck`): they become
//! nothing, which has to be right in the state in which that was said. Who was not told any more
//! was refused in some state between what the session has asked for before and behind.

use super::{Case, identities};
use crate::history::{Conversation, Frame, Sent};
use crate::model::Model;
use crate::model::acl::Identity;
use crate::operation::Operation;
use grevy_proto::ErrorCode;
use std::collections::BTreeMap;

/// A request without an answer that became nothing, while a later one has become something.
pub struct Doubt {
    operation: Operation,
    ids: Vec<Identity>,
    /// What the session has done before it.
    after: i64,
    /// And behind it.
    before: i64,
    /// What is wrong unless it was refused.
    what: String,
}

/// Errors that a connection was answered, by the number of the request.
pub fn answered(conversation: &Conversation) -> BTreeMap<i32, i32> {
    let frames = conversation.received.iter();
    let answers = frames.filter_map(|(_, frame)| match frame {
        Frame::Reply { xid, err, .. } => Some((*xid, *err)),
        _ => None,
    });
    answers.collect()
}

/// Whether a request that became nothing was answered so, rightly or not.
pub fn is_refused(case: &Case<'_>, err: i32) -> bool {
    let codes = [ErrorCode::NoAuth, ErrorCode::InvalidAcl];
    case.history.screens && codes.iter().any(|code| code.wire() == err)
}

/// A request that became nothing and has no answer, with the zxid of what the session has done
/// before. `None`: it cannot have been refused.
pub fn doubt(
    case: &Case<'_>,
    conversation: &Conversation,
    place: usize,
    after: i64,
) -> Option<Doubt> {
    let Sent { operation, .. } = &conversation.sent[place];
    let may_be = matches!(
        operation,
        Operation::Create(_)
            | Operation::Delete { .. }
            | Operation::SetData { .. }
            | Operation::SetAcl { .. }
    );
    (case.history.screens && may_be).then(|| Doubt {
        operation: operation.clone(),
        ids: identities(conversation, place),
        after,
        before: i64::MAX,
        what: String::new(),
    })
}

impl Doubt {
    /// The session's next request has become `before`, which is wrong as `what` says unless this
    /// one was refused.
    pub fn until(self, before: i64, what: String) -> Self {
        Self {
            before,
            what,
            ..self
        }
    }
}

/// Takes the doubts away that this state clears up.
pub fn settle(case: &mut Case<'_>, state: &Model) {
    let is_cleared = |doubt: &Doubt| {
        (doubt.after..doubt.before).contains(&state.zxid)
            && state.screen(&doubt.operation, &doubt.ids).is_some()
    };
    let before = case.doubts.len();
    case.doubts.retain(|doubt| !is_cleared(doubt));
    for _ in case.doubts.len()..before {
        case.counts.check("P1 screened");
    }
}

/// No state is left to clear doubts up.
pub fn end(case: &mut Case<'_>) {
    for doubt in std::mem::take(&mut case.doubts) {
        case.violate("P1", doubt.what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::p01;
    use crate::counts::Counts;
    use crate::history::{Asked, History};
    use crate::model::acl;
    use crate::model::txn::{Change, Entry};
    use crate::net::LinkId;
    use crate::options::Options;
    use grevy_node::Time;

    const SESSION: i64 = 7;

    fn delete(path: &str) -> Operation {
        Operation::Delete {
            path: path.into(),
            version: -1,
        }
    }

    /// A connection that asked for two deletes and got no answer.
    fn conversation() -> Conversation {
        let connected = Frame::Connected {
            session: SESSION,
            timeout: 1000,
            read_only: false,
        };
        let sent = [delete("/closed/a"), delete("/b")];
        Conversation {
            link: LinkId(0),
            client: 0,
            address: String::new(),
            opened: Time(0),
            asked: Asked {
                session: 0,
                last_zxid: 0,
                timeout: 1000,
                password_right: true,
                read_only: false,
            },
            sent: sent
                .into_iter()
                .zip(1..)
                .map(|(operation, xid)| Sent {
                    at: Time(0),
                    xid,
                    operation,
                })
                .collect(),
            received: vec![(Time(0), connected)],
            closed: None,
        }
    }

    fn entry(cxid: i32, zxid: i64, change: Change) -> Entry {
        Entry {
            session: SESSION,
            cxid,
            zxid,
            time: 0,
            op: 2,
            change,
            digest: None,
        }
    }

    /// What is said of the first delete, which became nothing, when the second became the
    /// transaction 5 and `/closed` had the permissions `perms` at `zxid` alone.
    fn violations(screens: bool, perms: i32, zxid: i64) -> usize {
        let mut history = History::new(&Options::alone(1));
        history.screens = screens;
        history.connections.push(conversation());
        let gone = Change::Delete {
            path: "/b".into(),
            container: false,
        };
        let mut case = Case {
            history: &history,
            entries: vec![entry(2, 5, gone)],
            txns: BTreeMap::from([((SESSION, 2), 0)]),
            requests: BTreeMap::new(),
            digest: false,
            doubts: Vec::new(),
            counts: &mut Counts::default(),
            violations: Vec::new(),
        };
        p01::check(&mut case);
        let mut state = Model::new(true);
        let created = Change::Create {
            op: 1,
            path: "/closed".into(),
            data: None,
            acl: vec![(perms, "world".into(), "anyone".into())],
            kind: crate::model::txn::Kind::Persistent,
            parent_cversion: 1,
        };
        state.apply(&entry(0, zxid, created)).expect("it is right");
        settle(&mut case, &state);
        end(&mut case);
        case.violations.len()
    }

    #[test]
    fn what_was_refused_without_a_word_is_no_loss() {
        assert_eq!(violations(true, 31 - acl::DELETE, 4), 0);
        assert_eq!(violations(true, 31, 4), 1, "it was permitted");
        assert_eq!(violations(true, 31 - acl::DELETE, 5), 1, "too late");
        assert_eq!(violations(false, 31 - acl::DELETE, 4), 1, "nobody did that");
    }
}
