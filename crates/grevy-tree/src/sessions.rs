//! The replicated session table.

use alloc::collections::BTreeMap;
use grevy_proto::SessionId;

/// Which global sessions exist, with their timeouts. When they expire is the leader's clockwork
/// and not kept here. Always in ascending order of their ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sessions {
    timeouts: BTreeMap<SessionId, i32>,
}

impl Sessions {
    /// The session's timeout in ms; `None` if there is no such session.
    pub fn timeout(&self, session: SessionId) -> Option<i32> {
        self.timeouts.get(&session).copied()
    }

    /// Whether there is such a session.
    pub fn contains(&self, session: SessionId) -> bool {
        self.timeouts.contains_key(&session)
    }

    /// All sessions with their timeouts in ms.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (SessionId, i32)> + '_ {
        self.timeouts
            .iter()
            .map(|(&session, &timeout)| (session, timeout))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.timeouts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.timeouts.is_empty()
    }

    pub(crate) fn insert(&mut self, session: SessionId, timeout: i32) {
        self.timeouts.insert(session, timeout);
    }

    pub(crate) fn remove(&mut self, session: SessionId) {
        self.timeouts.remove(&session);
    }
}
