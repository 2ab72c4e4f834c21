//! Numbers that tell requests apart. Some client libraries (kazoo) count anew on every connection,
//! so that a session has several requests of one number, and a transaction names no more than its
//! session and that. Before anything is judged, every request gets a number of its own, and every
//! transaction that of the request it most likely stems from; whether it does is for the checkers.

use crate::history::{Frame, History};
use crate::model::txn::{Change, Entry};
use crate::operation::Operation;
use std::collections::BTreeMap;

/// Above the numbers that clients give: request 5 of the fourth connection becomes 300005.
const STRIDE: i32 = 100_000;

/// A request that may have become a transaction.
struct Asked<'a> {
    operation: &'a Operation,
    /// Its connection's place in the history, and its own in that.
    place: (usize, usize),
    /// When it reached a server; `None`: never.
    heard: Option<u64>,
    /// The reply's zxid.
    reply: Option<i64>,
    is_taken: bool,
}

/// What speaks for a request, the strongest first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Likelihood {
    /// Its reply has the transaction's zxid.
    is_named: bool,
    /// It could have become that.
    fits: bool,
    /// It reached a server before that was proposed.
    is_heard: bool,
    /// It had no reply.
    is_open: bool,
    /// All requests before it on its connection are accounted for.
    is_next: bool,
}

/// See the module's text. `entries` are the committed transactions, in order.
pub fn tell_apart(history: &mut History, entries: &mut [Entry]) {
    attribute(history, entries);
    let links = history.connections.iter().map(|c| c.link);
    let places: BTreeMap<_, usize> = links.zip(0..).collect();
    for heard in &mut history.heard {
        if let Some(&connection) = places.get(&heard.link) {
            heard.xid = number(connection, heard.xid);
        }
    }
    for (connection, conversation) in history.connections.iter_mut().enumerate() {
        for sent in &mut conversation.sent {
            sent.xid = number(connection, sent.xid);
        }
        for (_, frame) in &mut conversation.received {
            if let Frame::Reply { xid, .. } = frame {
                *xid = number(connection, *xid);
            }
        }
    }
}

/// What the protocol itself numbers stays as it is.
fn number(connection: usize, xid: i32) -> i32 {
    match xid {
        ..=0 => xid,
        _ => {
            let first = i32::try_from(connection)
                .ok()
                .and_then(|c| c.checked_mul(STRIDE));
            first.expect("fewer than 20,000 connections in a run") + xid
        }
    }
}

/// Gives transactions the new numbers of their requests.
fn attribute(history: &History, entries: &mut [Entry]) {
    let (mut requests, mut settled) = requests(history);
    for entry in entries.iter_mut().filter(|entry| entry.cxid != 0) {
        let proposed = history.ledger.reached.get(&entry.zxid);
        let proposed = proposed.copied().unwrap_or(u64::MAX);
        let candidates = requests.get_mut(&(entry.session, entry.cxid));
        let free = candidates.into_iter().flatten().filter(|a| !a.is_taken);
        // Of equals the last: the session is more likely to be at home there.
        let chosen = free.max_by_key(|asked| Likelihood {
            is_named: asked.reply == Some(entry.zxid),
            fits: fits(asked.operation, &entry.change),
            is_heard: asked.heard.is_some_and(|heard| heard <= proposed),
            is_open: asked.reply.is_none(),
            is_next: settled[asked.place.0][..asked.place.1].iter().all(|&is| is),
        });
        entry.cxid = match chosen {
            Some(asked) => {
                asked.is_taken = true;
                settled[asked.place.0][asked.place.1] = true;
                number(asked.place.0, entry.cxid)
            }
            // Nobody's: no request has such a number.
            None => -entry.cxid.abs(),
        };
    }
}

type Requests<'a> = BTreeMap<(i64, i32), Vec<Asked<'a>>>;

/// All requests that may become transactions, by session and number; and which requests of which
/// connection are accounted for.
fn requests(history: &History) -> (Requests<'_>, Vec<Vec<bool>>) {
    let heard = history.heard.iter();
    let heard: BTreeMap<_, u64> = heard.map(|h| ((h.link, h.xid), h.number)).collect();
    let mut requests = Requests::new();
    let mut settled = Vec::new();
    for (connection, conversation) in history.connections.iter().enumerate() {
        let received = conversation.received.iter();
        let replies = received.filter_map(|(_, frame)| match frame {
            Frame::Reply { xid, zxid, .. } => Some((*xid, *zxid)),
            _ => None,
        });
        let replies: BTreeMap<i32, i64> = replies.collect();
        let mut done = Vec::new();
        for (place, sent) in conversation.sent.iter().enumerate() {
            let operation = &sent.operation;
            let reply = replies.get(&sent.xid).copied();
            let changes = operation.is_write() || matches!(operation, Operation::Reconfig { .. });
            done.push(!changes || reply.is_some());
            if let Some(session) = conversation.session().filter(|_| changes) {
                requests
                    .entry((session, sent.xid))
                    .or_default()
                    .push(Asked {
                        operation,
                        place: (connection, place),
                        heard: heard.get(&(conversation.link, sent.xid)).copied(),
                        reply,
                        is_taken: false,
                    });
            }
        }
        settled.push(done);
    }
    (requests, settled)
}

/// Whether a request could have become that.
fn fits(operation: &Operation, change: &Change) -> bool {
    match (operation, change) {
        (_, Change::Error(_)) => true,
        (Operation::Create(create), Change::Create { path, data, .. }) => {
            path.starts_with(&create.path) && create.data == *data
        }
        (Operation::Delete { path, .. }, Change::Delete { path: gone, .. }) => path == gone,
        (
            Operation::SetData { path, data, .. },
            Change::SetData {
                path: set,
                data: to,
                ..
            },
        ) => path == set && data == to,
        (Operation::SetAcl { path, .. }, Change::SetAcl { path: set, .. })
        | (Operation::Check { path, .. }, Change::Check { path: set, .. }) => path == set,
        (Operation::Multi(parts), Change::Multi(changes)) => {
            let mut pairs = parts.iter().zip(changes);
            parts.len() == changes.len() && pairs.all(|(part, change)| fits(part, change))
        }
        (Operation::Reconfig { .. }, Change::Reconfig(_))
        | (Operation::CloseSession, Change::CloseSession(_)) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Asked, Conversation, Heard, Sent};
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

    /// A connection of the session that asks, from number 1 on, to delete these; and the replies.
    fn connection(number: usize, paths: &[&str], replies: &[(i32, i64)]) -> Conversation {
        let connected = Frame::Connected {
            session: SESSION,
            timeout: 1000,
            read_only: false,
        };
        let replies = replies.iter().map(|&(xid, zxid)| Frame::Reply {
            xid,
            zxid,
            err: 0,
            body: Vec::new(),
        });
        let sent = paths.iter().zip(1..).map(|(path, xid)| Sent {
            at: Time(0),
            xid,
            operation: delete(path),
        });
        Conversation {
            link: LinkId(number),
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
            sent: sent.collect(),
            received: [connected]
                .into_iter()
                .chain(replies)
                .map(|frame| (Time(0), frame))
                .collect(),
            closed: None,
        }
    }

    /// Which connection each of these transactions is attributed to, by number and path.
    fn attributed(connections: Vec<Conversation>, txns: &[(i32, &str)]) -> Vec<i32> {
        let mut history = History::new(&Options::alone(1));
        let mut number = 0;
        for connection in &connections {
            for sent in &connection.sent {
                number += 1;
                history.heard.push(Heard {
                    number,
                    at: Time(0),
                    link: connection.link,
                    session: SESSION,
                    xid: sent.xid,
                    incarnation: 1,
                });
            }
        }
        history.connections = connections;
        let mut entries: Vec<Entry> = txns
            .iter()
            .zip(1..)
            .map(|(&(cxid, path), zxid)| Entry {
                session: SESSION,
                cxid,
                zxid,
                time: 0,
                op: 2,
                change: Change::Delete {
                    path: path.into(),
                    container: false,
                },
                digest: None,
            })
            .collect();
        tell_apart(&mut history, &mut entries);
        let requests = history.connections.iter().flat_map(|c| &c.sent);
        let numbers: Vec<i32> = requests.map(|sent| sent.xid).collect();
        let known = |cxid: i32| cxid < 0 || numbers.contains(&cxid);
        assert!(entries.iter().all(|entry| known(entry.cxid)));
        entries
            .iter()
            .map(|entry| entry.cxid.div_euclid(STRIDE))
            .collect()
    }

    #[test]
    fn requests_of_one_number_are_told_apart() {
        let both = |first: &[(i32, i64)], second: &[(i32, i64)]| {
            vec![
                connection(0, &["/a", "/b"], first),
                connection(1, &["/a", "/c"], second),
            ]
        };
        // By what they asked for.
        assert_eq!(attributed(both(&[], &[]), &[(2, "/b"), (2, "/c")]), [0, 1]);
        // By their replies.
        assert_eq!(attributed(both(&[(1, 1)], &[]), &[(1, "/a")]), [0]);
        assert_eq!(attributed(both(&[], &[(1, 1)]), &[(1, "/a")]), [1]);
        // By what goes before them: nothing is missing before the second's.
        assert_eq!(attributed(both(&[], &[]), &[(1, "/a"), (2, "/c")]), [1, 1]);
        // A reply that names what was another's is for the checkers to judge.
        assert_eq!(attributed(both(&[], &[(2, 1)]), &[(2, "/b")]), [1]);
        // Nobody asked for a third.
        assert_eq!(attributed(both(&[], &[]), &[(3, "/a")]), [-1]);
    }

    #[test]
    fn what_the_protocol_numbers_stays() {
        assert_eq!([-2, 0, 5].map(|xid| number(3, xid)), [-2, 0, 300_005]);
    }
}
