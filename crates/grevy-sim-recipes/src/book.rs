//! What the processes of a run believe, beside what is true, and what was found wrong with it.

use crate::truth::Truth;
use grevy_client::{Client, SessionState};
use grevy_sim::Time;
use grevy_sim::counts::Counts;
use grevy_sim::history::{History, Violation};
use parking_lot::{Mutex, MutexGuard};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The notes that all processes of a run share.
#[derive(Clone)]
pub struct Book(Arc<Mutex<Notes>>);

/// See [`Book`].
pub struct Notes {
    /// What is true.
    pub truth: Truth,
    /// The present.
    pub now: Time,
    /// What was done.
    pub counts: Counts,
    /// What is wrong.
    pub violations: Vec<Violation>,
    /// For the trace.
    pub lines: Vec<String>,
    /// How lives ended, by place and life, if they did not end well.
    pub misfortunes: BTreeMap<(usize, u32), u64>,
    /// Sessions, by place and life.
    pub sessions: BTreeMap<i64, (usize, u32)>,
    /// Who has nothing more to do.
    pub at_rest: BTreeMap<usize, u32>,
    claims: BTreeMap<u64, Claim>,
    made: u64,
    /// The greatest tokens that each resource has seen: of those who were alone, and of all.
    resources: BTreeMap<String, (i64, i64)>,
}

/// Somebody's belief to hold something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Who.
    pub place: usize,
    /// What is held: the path above the contenders' znodes.
    pub office: String,
    /// With whom.
    pub with: With,
    /// The fencing token.
    pub token: i64,
    /// In which session.
    pub session: i64,
}

/// With whom something may be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum With {
    /// Nobody.
    Nobody,
    /// Others who hold it likewise.
    Likes,
    /// So many in all.
    UpTo(usize),
}

/// A belief that lasts as long as this value.
pub struct Belief {
    book: Book,
    client: Client,
    id: u64,
}

impl Book {
    /// Nothing has happened.
    pub fn new(history: &History) -> Self {
        Self(Arc::new(Mutex::new(Notes {
            truth: Truth::new(history),
            now: Time(0),
            counts: Counts::default(),
            violations: Vec::new(),
            lines: Vec::new(),
            misfortunes: BTreeMap::new(),
            sessions: BTreeMap::new(),
            at_rest: BTreeMap::new(),
            claims: BTreeMap::new(),
            made: 0,
            resources: BTreeMap::new(),
        })))
    }

    /// Opens it.
    pub fn open(&self) -> MutexGuard<'_, Notes> {
        self.0.lock()
    }

    /// A recipe says that something is held from now on.
    pub fn granted(&self, client: &Client, claim: Claim) -> Belief {
        let mut notes = self.open();
        notes.judge_grant(&claim);
        let id = notes.made;
        notes.made += 1;
        notes.claims.insert(id, claim);
        Belief {
            book: self.clone(),
            client: client.clone(),
            id,
        }
    }
}

impl Belief {
    /// The holder does something to what is held, which goes by fencing tokens. Returns whether
    /// that was accepted.
    pub fn act(&self) -> bool {
        let state = self.client.state();
        self.book.open().act(self.id, state)
    }
}

impl Drop for Belief {
    fn drop(&mut self) {
        self.book.open().claims.remove(&self.id);
    }
}

impl Notes {
    /// Notes a broken rule.
    pub fn violate(&mut self, property: &'static str, what: String) {
        self.violations.push(Violation { property, what });
    }

    /// Adds a line to the trace.
    pub fn say(&mut self, what: String) {
        self.lines.push(what);
    }

    /// A place whose process did something of which it does not know what came.
    pub fn misfortune(&mut self, place: usize, life: u32) {
        *self.misfortunes.entry((place, life)).or_default() += 1;
    }

    /// Who believes to hold anything.
    pub fn holders(&self) -> Vec<usize> {
        self.claims.values().map(|claim| claim.place).collect()
    }

    /// R1: who is told that something is held, holds it, unless that is over already; and
    /// nobody holds it at the same time who must not.
    fn judge_grant(&mut self, claim: &Claim) {
        self.counts.did("grants");
        let line = format!(
            "p{} holds {} by {:x}",
            claim.place, claim.office, claim.token
        );
        self.say(line);
        self.counts.check("R1");
        let life = self.truth.all.get(&claim.token);
        if life.is_none_or(|life| life.creator != claim.session) {
            let what = format!("{claim:?} was granted, and the znode is another's: {life:?}");
            return self.violate("R1", what);
        }
        if !self.truth.exists(claim.token) {
            self.counts.did("grants that were over");
            return;
        }
        let truth = &self.truth;
        let others: Vec<&Claim> = self
            .claims
            .values()
            .filter(|other| other.office == claim.office && truth.exists(other.token))
            .collect();
        let wrong = match claim.with {
            With::UpTo(limit) => others.len() >= limit,
            With::Likes => others.iter().any(|other| other.with == With::Nobody),
            With::Nobody => !others.is_empty(),
        };
        if wrong {
            let what = format!("{claim:?} was granted beside {others:?}");
            return self.violate("R1", what);
        }
        if let With::UpTo(_) = claim.with {
            return;
        }
        let blocks = |path: &str| match claim.with {
            With::Likes => path.contains("__WRIT__") || path.contains("__lock__"),
            _ => true,
        };
        let children = truth.children(&claim.office);
        let mut before = children.into_iter().filter(|(born, _)| *born < claim.token);
        if let Some((born, path)) = before.find(|(_, path)| blocks(path)) {
            let what = format!("{claim:?} was granted, and {path} ({born:x}) is before it");
            self.violate("R1", what);
        }
    }

    /// R2: whoever really holds something is not fenced off by a greater token of another.
    /// R3: nobody acts whose own client says that there is no connection.
    fn act(&mut self, id: u64, state: SessionState) -> bool {
        let Some(claim) = self.claims.get(&id).cloned() else {
            return false;
        };
        self.counts.check("R3");
        if !state.is_connected() {
            let what = format!("{claim:?} is acted upon, and the session is {state}");
            self.violate("R3", what);
        }
        let seen = self.resources.entry(claim.office.clone()).or_default();
        let least = match claim.with {
            With::Nobody => seen.1,
            With::Likes => seen.0,
            With::UpTo(_) => 0,
        };
        if claim.token >= least {
            seen.1 = seen.1.max(claim.token);
            if claim.with == With::Nobody {
                seen.0 = claim.token;
            }
            self.counts.did("uses");
            return true;
        }
        self.counts.did("uses that were fenced off");
        self.counts.check("R2");
        if self.truth.exists(claim.token) {
            let what = format!("{claim:?} holds, and {least:x} was seen");
            self.violate("R2", what);
        }
        false
    }

    /// R3: nobody who is awake believes to hold something long after it was lost.
    /// `awake_since` says since when the process in a place has been running.
    pub fn judge_beliefs(&mut self, bound: Duration, awake_since: impl Fn(usize) -> Option<Time>) {
        let now = self.now;
        let late = self.claims.values().find(|claim| {
            let lost = self.truth.all.get(&claim.token).and_then(|life| life.end);
            let (Some(lost), Some(awake)) = (lost, awake_since(claim.place)) else {
                return false;
            };
            now > lost.at.max(awake) + bound
        });
        if let Some(claim) = late {
            let what = format!("{claim:?} was lost long ago, and is still believed");
            self.violate("R3", what);
        }
        self.counts.check("R3");
    }
}
