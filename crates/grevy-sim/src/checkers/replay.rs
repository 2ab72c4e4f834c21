//! One pass over the committed history: at every zxid, what each connection was told there is
//! held against the state there.

use super::{Case, identities, local, p04, p09, p16, p29, read_only, screened};
use crate::answer::Answer;
use crate::history::{Conversation, Frame};
use crate::model::acl::Identity;
use crate::model::decide::Caller;
use crate::model::watch::{Event, Watches};
use crate::operation::Operation;
use grevy_proto::Xid;
use std::collections::{BTreeMap, VecDeque};

/// A connection during the replay.
pub struct Reader<'a> {
    /// The link's number.
    pub link: usize,
    /// The session.
    pub session: i64,
    /// Its identities, by the auth replies that came.
    pub ids: Vec<Identity>,
    /// What it watches.
    pub watches: Watches,
    /// Events that it is to get, by the changes so far.
    pub owed: VecDeque<p16::Owed>,
    /// Whether it is with a server without a leader.
    is_read_only: bool,
    /// Events with the zxid -1 since the last reply.
    pub missed: Vec<Event>,
    conversation: &'a Conversation,
    /// Frames with the zxid at which they are looked at.
    frames: VecDeque<(i64, &'a Frame)>,
    /// Requests by number; of those with special numbers the ones without a reply, in order.
    requests: BTreeMap<i32, VecDeque<usize>>,
}

/// A reply with its request.
pub struct Reply<'a> {
    /// The request's number.
    pub xid: i32,
    /// The header's zxid.
    pub zxid: i64,
    /// The header's error.
    pub err: i32,
    /// The record.
    pub body: &'a [u8],
    /// The request.
    pub operation: &'a Operation,
}

/// See the module's text.
pub fn check(case: &mut Case<'_>) {
    let history = case.history;
    let mut state = history.state.clone();
    state.local = history.homes.keys().copied().collect();
    let mut readers: Vec<Reader<'_>> = history.connections.iter().filter_map(Reader::new).collect();
    readers.retain(|reader| !reader.is_read_only);
    let spells = read_only::by_fork(history);
    let mut dumps: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    for (at, dump) in history.dumps.iter().enumerate() {
        dumps.entry(dump.zxid).or_default().push(at);
    }
    let mut answers = BTreeMap::new();
    let entries = std::mem::take(&mut case.entries);
    let mut steps = vec![None];
    steps.extend(entries.iter().map(Some));
    for entry in steps {
        if let Some(entry) = entry {
            p09::check(case, entry, &state);
            let (answer, triggers) = match state.apply(entry) {
                Ok(applied) => applied,
                Err(what) => {
                    let what = format!("{}: {what}", super::describe(entry));
                    case.violate("P9", what);
                    break;
                }
            };
            p29::check_digest(case, entry, &state);
            answers.insert((entry.session, entry.cxid), (entry.zxid, answer));
            for reader in readers.iter_mut().filter(|r| !r.frames.is_empty()) {
                for trigger in &triggers {
                    p16::trigger(reader, entry.zxid, trigger);
                }
            }
        }
        screened::settle(case, &state);
        for &at in spells.get(&state.zxid).into_iter().flatten() {
            read_only::check_spell(case, &history.read_only[at], &state);
        }
        for &at in dumps.get(&state.zxid).into_iter().flatten() {
            p29::check_dump(case, &history.dumps[at], &state);
        }
        for reader in &mut readers {
            while reader.frames.front().is_some_and(|(z, _)| *z <= state.zxid)
                && let Some((_, frame)) = reader.frames.pop_front()
            {
                judge(case, reader, frame, &state, &answers);
                if !case.violations.is_empty() {
                    case.entries = entries;
                    return;
                }
            }
        }
        readers.retain(|reader| !reader.frames.is_empty());
    }
    case.entries = entries;
    screened::end(case);
}

/// Judges what a connection was told by a server whose state stands still.
pub fn check_still(case: &mut Case<'_>, conversation: &Conversation, state: &crate::model::Model) {
    let Some(mut reader) = Reader::new(conversation) else {
        return;
    };
    while let Some((zxid, frame)) = reader.frames.pop_front() {
        if zxid != state.zxid {
            let (link, end) = (reader.link, state.zxid);
            let what = format!("link {link}: {frame:?}, but the server's history ends at {end:x}");
            return case.violate("P11", what);
        }
        judge(case, &mut reader, frame, state, &Answers::new());
    }
}

type Answers = BTreeMap<(i64, i32), (i64, Answer)>;

fn judge(
    case: &mut Case<'_>,
    reader: &mut Reader<'_>,
    frame: &Frame,
    state: &crate::model::Model,
    answers: &Answers,
) {
    match frame {
        Frame::Event { zxid, kind, path } => {
            let (kind, path) = (*kind, path.clone());
            p16::event(case, reader, *zxid, Event { kind, path });
        }
        Frame::Reply {
            xid,
            zxid,
            err,
            body,
        } => {
            let Some(place) = reader.requests.get_mut(xid).and_then(VecDeque::pop_front) else {
                return;
            };
            let conversation = reader.conversation;
            let reply = Reply {
                xid: *xid,
                zxid: *zxid,
                err: *err,
                body,
                operation: &conversation.sent[place].operation,
            };
            if let Operation::Auth(user) = reply.operation {
                super::add_user(&mut reader.ids, user);
                return;
            }
            p16::reply(case, reader, &reply, state);
            if reader.is_read_only
                && let Some(expected) = read_only::expected(reply.operation)
            {
                return read_only::check_refusal(case, reader.link, &reply, expected);
            }
            match reply.operation.is_write() {
                true => check_write(case, reader, &reply, place, state, answers),
                false => p04::check(case, reader, &reply, state),
            }
        }
        Frame::Connected { .. } | Frame::Unreadable(_) => {}
    }
}

/// P10: what was acknowledged is in the history, with that effect. P3: its reply knows it.
fn check_write(
    case: &mut Case<'_>,
    reader: &Reader<'_>,
    reply: &Reply<'_>,
    place: usize,
    state: &crate::model::Model,
    answers: &Answers,
) {
    case.counts.check("P10");
    let answer = Answer::decode(reply.operation, reply.err, reply.body);
    let at = format!(
        "link {}, request {} {:?} at {:x}",
        reader.link, reply.xid, reply.operation, reply.zxid
    );
    match answers.get(&(reader.session, reply.xid)) {
        Some((_, expected)) if answer.as_ref() == Ok(expected) => {}
        Some((zxid, expected)) => {
            let what = format!("{at}: the answer is {answer:?}, but {zxid:x} did {expected:?}");
            case.violate("P10", what);
        }
        None if local::is_answered(reply.operation, reader.session, state, reply.err) => {
            case.counts.check("P10 local");
        }
        // Not every refusal takes a zxid; it must be right all the same.
        None => {
            let ids = identities(reader.conversation, place);
            let caller = Caller {
                session: reader.session,
                ids: &ids,
                zxid: reply.zxid,
                time: 0,
            };
            if screened::is_refused(case, reply.err)
                && state
                    .screen(reply.operation, &ids)
                    .is_some_and(|code| code.wire() == reply.err)
            {
                case.counts.check("P10 screened");
            } else if reply.err == 0 || !p09::is_refused(reply.operation, caller, state, reply.err)
            {
                case.violate(
                    "P10",
                    format!("{at}: answered {answer:?}, but in no history"),
                );
            }
        }
    }
}

impl<'a> Reader<'a> {
    /// `None` if there was no session.
    fn new(conversation: &'a Conversation) -> Option<Self> {
        let session = conversation.session()?;
        let mut requests: BTreeMap<i32, VecDeque<usize>> = BTreeMap::new();
        for (place, sent) in conversation.sent.iter().enumerate() {
            requests.entry(sent.xid).or_default().push_back(place);
        }
        Some(Self {
            link: conversation.link.0,
            session,
            ids: identities(conversation, 0),
            watches: Watches::default(),
            owed: VecDeque::new(),
            missed: Vec::new(),
            is_read_only: conversation.is_read_only(),
            frames: frames(conversation),
            conversation,
            requests,
        })
    }

    /// Its identities once the auth replies have come that stand next in the stream; a change
    /// may be before or after these.
    pub fn ids_soon(&self) -> Vec<Identity> {
        let mut ids = self.ids.clone();
        let mut auths = self.requests.get(&Xid::AUTH.0).into_iter().flatten();
        for (_, frame) in &self.frames {
            match frame {
                Frame::Reply { xid, .. } if *xid == Xid::AUTH.0 => {
                    let sent = auths.next().map(|&place| &self.conversation.sent[place]);
                    if let Some(Operation::Auth(user)) = sent.map(|sent| &sent.operation) {
                        super::add_user(&mut ids, user);
                    }
                }
                Frame::Event { zxid: -1, .. } => {}
                _ => break,
            }
        }
        ids
    }
}

/// Frames without a zxid of their own go with the next one that has one; what comes after the
/// last of these tells nothing.
fn frames(conversation: &Conversation) -> VecDeque<(i64, &Frame)> {
    let mut frames = VecDeque::new();
    let mut next = None;
    for (_, frame) in conversation.received.iter().rev() {
        match frame {
            Frame::Reply { xid, zxid, .. } if *xid != Xid::AUTH.0 => next = Some(*zxid),
            Frame::Event { zxid, .. } if *zxid != -1 => next = Some(*zxid),
            _ => {}
        }
        if let Some(zxid) = next {
            frames.push_front((zxid, frame));
        }
    }
    frames
}
