//! The identities of a session: told to every server anew, since they belong to connections.

use grevy_proto::request::Auth;
use std::collections::VecDeque;
use std::fmt;

/// One identity, and who waits to hear that a server took it for the first time.
struct Identity<T> {
    scheme: String,
    secret: Vec<u8>,
    token: Option<T>,
}

/// All of them, in the order in which they were added.
pub struct Identities<T> {
    all: Vec<Identity<T>>,
    /// Which ones this connection's server has still to answer, in the order of the answers.
    asked: VecDeque<usize>,
}

impl<T> Identities<T> {
    /// None yet.
    pub fn new() -> Self {
        Self {
            all: Vec::new(),
            asked: VecDeque::new(),
        }
    }

    /// Adds one that has not been told to anybody.
    pub fn add(&mut self, scheme: String, secret: Vec<u8>, token: T) {
        self.all.push(Identity {
            scheme,
            secret,
            token: Some(token),
        });
    }

    /// Notes that the newest one is being told; returns what to tell.
    pub fn tell_newest(&mut self) -> Option<Auth<'_>> {
        let newest = self.all.len().checked_sub(1)?;
        self.asked.push_back(newest);
        self.all.get(newest).map(Identity::auth)
    }

    /// Notes that all are being told on a new connection; returns what to tell.
    pub fn tell_all(&mut self) -> impl Iterator<Item = Auth<'_>> {
        self.asked = (0..self.all.len()).collect();
        self.all.iter().map(Identity::auth)
    }

    /// The server took the oldest one that it had not answered; returns who waits for that.
    pub fn taken(&mut self) -> Option<T> {
        let index = self.asked.pop_front()?;
        self.all.get_mut(index)?.token.take()
    }

    /// Everybody who still waits, at the end of the session.
    pub fn clear(&mut self) -> Vec<T> {
        self.asked.clear();
        let all = std::mem::take(&mut self.all);
        all.into_iter()
            .filter_map(|identity| identity.token)
            .collect()
    }
}

impl<T> Identity<T> {
    fn auth(&self) -> Auth<'_> {
        Auth {
            kind: 0,
            scheme: self.scheme.as_str().into(),
            auth: Some(&self.secret),
        }
    }
}

/// Secrets stay out of logs.
impl<T> fmt::Debug for Identities<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schemes = self.all.iter().map(|identity| identity.scheme.as_str());
        f.debug_list().entries(schemes).finish()
    }
}
