//! Linearizability of single znodes, by search: a cross-check that believes no zxid. Every
//! operation on a register (a znode that only plain requests touch) took effect at one moment
//! between its request and its answer, or, if it was never answered, at any moment after its
//! request or never. Source: Wing, Gong: Testing and verifying concurrent objects (1993); with
//! Lowe's memory of what led to nothing.
//!
//! A read counts where a sync stands right before it on its connection: other reads may be stale.

use crate::answer::Answer;
use crate::counts::Counts;
use crate::history::{Conversation, Frame, History, Sent, Violation};
use crate::operation::{Operation, ReadKind};
use crate::workload::is_register;
use grevy_proto::ErrorCode;
use std::collections::{BTreeMap, HashSet};

/// Steps after which a search gives up.
const MAX_STEPS: usize = 200_000;

/// An operation on a register, with the times of its request and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// When it was asked for, in µs.
    pub from: u64,
    /// When the answer came; `u64::MAX`: never.
    pub until: u64,
    /// What was asked for.
    pub action: Action,
    /// What was answered; `None`: nothing.
    pub outcome: Option<Outcome>,
}

/// What is asked of a register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Create it with these data.
    Create(Vec<u8>),
    /// Delete it, if it has that version or -1 is given.
    Delete(i32),
    /// Set its data, on the same condition.
    Set(Vec<u8>, i32),
    /// Read it.
    Read,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was created or deleted.
    Done,
    /// Its data were set; its version since.
    Version(i32),
    /// It was read.
    State(Vec<u8>, i32),
    /// It is there already.
    Exists,
    /// It is not there.
    Absent,
    /// It has another version.
    OtherVersion,
}

/// What a register holds: nothing, or data with their version.
type State = Option<(Vec<u8>, i32)>;

/// What a search came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// There is an order that explains everything.
    Linearizable,
    /// There is none.
    NotLinearizable,
    /// It takes too long to find out.
    Unknown,
}

/// Judges all registers of a run.
pub fn check(history: &History, counts: &mut Counts) -> Vec<Violation> {
    let mut found = Vec::new();
    for (path, calls) in calls(history) {
        counts.check("P8");
        match search(calls) {
            Verdict::Linearizable => counts.did("registers linearizable"),
            Verdict::Unknown => counts.did("registers not decided"),
            Verdict::NotLinearizable => found.push(Violation {
                property: "P8",
                what: format!("no order of what was asked of {path} explains the answers"),
            }),
        }
    }
    found
}

/// All that was asked of registers, by path.
fn calls(history: &History) -> BTreeMap<String, Vec<Call>> {
    let mut all: BTreeMap<String, Vec<Call>> = BTreeMap::new();
    // At a server without a leader nothing that counts is asked for.
    let connections = history.connections.iter().filter(|c| !c.is_read_only());
    for conversation in connections {
        let mut before: Option<&Sent> = None;
        for sent in &conversation.sent {
            if let Some((path, call)) = call(conversation, before, sent) {
                all.entry(path.to_owned()).or_default().push(call);
            }
            before = Some(sent);
        }
    }
    all
}

fn call<'a>(
    conversation: &Conversation,
    before: Option<&Sent>,
    sent: &'a Sent,
) -> Option<(&'a str, Call)> {
    let (path, action) = match &sent.operation {
        Operation::Create(create) => (
            &create.path,
            Action::Create(create.data.clone().unwrap_or_default()),
        ),
        Operation::Delete { path, version } => (path, Action::Delete(*version)),
        Operation::SetData {
            path,
            data,
            version,
        } => (
            path,
            Action::Set(data.clone().unwrap_or_default(), *version),
        ),
        Operation::Read {
            kind: ReadKind::Data,
            path,
            ..
        } => (path, Action::Read),
        _ => return None,
    };
    if !is_register(path) {
        return None;
    }
    let mut from = sent.at.0;
    if action == Action::Read {
        let sync = before.filter(|sync| matches!(sync.operation, Operation::Sync(_)))?;
        // One that was refused says nothing.
        answer(conversation, sync.xid).filter(|(_, err, _)| *err == 0)?;
        from = sync.at.0;
    }
    let (until, outcome) = match answer(conversation, sent.xid) {
        None if action == Action::Read => return None,
        None => (u64::MAX, None),
        Some((at, err, body)) => (at, Some(outcome(&sent.operation, err, body)?)),
    };
    let call = Call {
        from,
        until,
        action,
        outcome,
    };
    Some((path, call))
}

fn answer(conversation: &Conversation, wanted: i32) -> Option<(u64, i32, &[u8])> {
    conversation
        .received
        .iter()
        .find_map(|(at, frame)| match frame {
            Frame::Reply { xid, err, body, .. } if *xid == wanted => Some((at.0, *err, &body[..])),
            _ => None,
        })
}

/// `None`: whatever the answer was for, it had no effect and tells nothing.
fn outcome(operation: &Operation, err: i32, body: &[u8]) -> Option<Outcome> {
    Some(match Answer::decode(operation, err, body).ok()? {
        Answer::Error(code) if code == ErrorCode::NodeExists.wire() => Outcome::Exists,
        Answer::Error(code) if code == ErrorCode::NoNode.wire() => Outcome::Absent,
        Answer::Error(code) if code == ErrorCode::BadVersion.wire() => Outcome::OtherVersion,
        Answer::Error(_) => return None,
        Answer::Stat(stat) => Outcome::Version(stat.version),
        Answer::Data(data, stat) => Outcome::State(data.unwrap_or_default(), stat.version),
        _ => Outcome::Done,
    })
}

/// The state after an action, and what has to be answered.
fn perform(action: &Action, state: &State) -> (State, Outcome) {
    let matches = |expected: i32, version: i32| expected == -1 || expected == version;
    match (action, state) {
        (Action::Create(data), None) => (Some((data.clone(), 0)), Outcome::Done),
        (Action::Create(_), Some(_)) => (state.clone(), Outcome::Exists),
        (_, None) => (None, Outcome::Absent),
        (Action::Read, Some((data, version))) => {
            (state.clone(), Outcome::State(data.clone(), *version))
        }
        (Action::Delete(expected) | Action::Set(_, expected), Some((_, version)))
            if !matches(*expected, *version) =>
        {
            (state.clone(), Outcome::OtherVersion)
        }
        (Action::Delete(_), Some(_)) => (None, Outcome::Done),
        (Action::Set(data, _), Some((_, version))) => {
            let next = version.wrapping_add(1);
            (Some((data.clone(), next)), Outcome::Version(next))
        }
    }
}

/// Whether a register that was absent at first can have answered so.
pub fn search(mut calls: Vec<Call>) -> Verdict {
    calls.sort_by_key(|call| (call.from, call.until));
    let mut search = Search {
        done: vec![false; calls.len()],
        open: calls.iter().filter(|call| call.outcome.is_some()).count(),
        calls,
        tried: HashSet::new(),
        steps: 0,
    };
    search.go(0, &None)
}

struct Search {
    /// By the time of their requests.
    calls: Vec<Call>,
    done: Vec<bool>,
    /// How many calls that were answered are not done.
    open: usize,
    /// What was done where, and the state that it led to.
    tried: HashSet<(Vec<bool>, State)>,
    steps: usize,
}

impl Search {
    /// Goes on from `state`; everything before `first` is done.
    fn go(&mut self, first: usize, state: &State) -> Verdict {
        if self.open == 0 {
            return Verdict::Linearizable;
        }
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Verdict::Unknown;
        }
        let first = (first..self.done.len()).find(|at| !self.done[*at]);
        let Some(first) = first else {
            return Verdict::Linearizable;
        };
        if !self
            .tried
            .insert((self.done[first..].to_vec(), state.clone()))
        {
            return Verdict::NotLinearizable;
        }
        for at in self.candidates(first) {
            let call = &self.calls[at];
            let (next, outcome) = perform(&call.action, state);
            let fits = match &call.outcome {
                Some(answered) => *answered == outcome,
                // Where it would change nothing, it may as well not have been.
                None => next != *state,
            };
            if !fits {
                continue;
            }
            let answered = usize::from(call.outcome.is_some());
            self.done[at] = true;
            self.open -= answered;
            let verdict = self.go(first, &next);
            if verdict != Verdict::NotLinearizable {
                return verdict;
            }
            self.done[at] = false;
            self.open += answered;
        }
        Verdict::NotLinearizable
    }

    /// The calls that may come next: those that were asked for before any other that is not done
    /// was answered. Those that were answered first come first.
    fn candidates(&self, first: usize) -> Vec<usize> {
        let waiting = (first..self.calls.len()).filter(|at| !self.done[*at]);
        let limit = waiting.clone().map(|at| self.calls[at].until).min();
        let limit = limit.unwrap_or(u64::MAX);
        let mut next: Vec<usize> = waiting
            .take_while(|at| self.calls[*at].from <= limit)
            .collect();
        next.sort_by_key(|at| self.calls[*at].until);
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(from: u64, until: u64, data: u8, version: i32) -> Call {
        Call {
            from,
            until,
            action: Action::Set(vec![data], -1),
            outcome: (until < u64::MAX).then_some(Outcome::Version(version)),
        }
    }

    fn read(from: u64, until: u64, data: u8, version: i32) -> Call {
        Call {
            from,
            until,
            action: Action::Read,
            outcome: Some(Outcome::State(vec![data], version)),
        }
    }

    fn judge(calls: &[Call]) -> Verdict {
        let create = Call {
            from: 0,
            until: 1,
            action: Action::Create(vec![0]),
            outcome: Some(Outcome::Done),
        };
        search([&[create], calls].concat())
    }

    #[test]
    fn what_overlaps_may_be_in_any_order() {
        let overlapping = [set(10, 30, 1, 2), set(10, 30, 2, 1), read(15, 30, 0, 0)];
        assert_eq!(judge(&overlapping), Verdict::Linearizable);
    }

    #[test]
    fn a_read_that_comes_later_sees_what_was_answered() {
        for (seen, version, expected) in [
            (2, 2, Verdict::Linearizable),
            (1, 1, Verdict::NotLinearizable),
            (2, 1, Verdict::NotLinearizable),
        ] {
            let calls = [
                set(10, 20, 1, 1),
                set(25, 30, 2, 2),
                read(31, 40, seen, version),
            ];
            assert_eq!(judge(&calls), expected, "{seen} {version}");
        }
    }

    #[test]
    fn what_was_never_answered_may_happen_late_or_never_but_not_be_undone() {
        let lost = set(10, u64::MAX, 7, 0);
        let never = [lost.clone(), read(20, 30, 0, 0)];
        assert_eq!(judge(&never), Verdict::Linearizable);
        let late = [lost.clone(), read(20, 30, 0, 0), read(40, 50, 7, 1)];
        assert_eq!(judge(&late), Verdict::Linearizable);
        let undone = [lost, read(20, 30, 7, 1), read(40, 50, 0, 0)];
        assert_eq!(judge(&undone), Verdict::NotLinearizable);
    }

    #[test]
    fn conditions_are_part_of_it() {
        let conditional = |from, outcome| Call {
            from,
            until: from + 5,
            action: Action::Set(vec![9], 0),
            outcome: Some(outcome),
        };
        let both = [
            conditional(10, Outcome::Version(1)),
            conditional(20, Outcome::Version(1)),
        ];
        assert_eq!(judge(&both), Verdict::NotLinearizable);
        let one = [
            conditional(10, Outcome::Version(1)),
            conditional(20, Outcome::OtherVersion),
        ];
        assert_eq!(judge(&one), Verdict::Linearizable);
    }
}
