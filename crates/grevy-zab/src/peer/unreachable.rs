//! A leader that could not be reached.
//!
//! A server that the others hear and cannot reach would be elected again and again: whoever gives up
//! hears that another follows it already. So after the second attempt in a row that failed it is left
//! out for a while: for as long as another may yet try to reach it, and an election takes.

use crate::time::Time;
use grevy_proto::ServerId;

/// The last one, if no other was found and none was reached since. The default: there is none.
#[derive(Debug, Default)]
pub(super) struct Unreachable(Option<Failed>);

#[derive(Debug)]
struct Failed {
    server: ServerId,
    /// Not at the first failure.
    until: Option<Time>,
}

impl Unreachable {
    /// The leader could not be reached; if that is so again, it is left out until then.
    pub fn failed(&mut self, server: ServerId, until: Time) {
        let again = self.0.as_ref().is_some_and(|last| last.server == server);
        let until = again.then_some(until);
        self.0 = Some(Failed { server, until });
    }

    /// There is a leader.
    pub fn found(&mut self, leader: ServerId) {
        self.0.take_if(|failed| failed.server != leader);
    }

    /// Who is to be left out, and until when.
    pub fn left_out(&self, now: Time) -> Option<(ServerId, Time)> {
        let failed = self.0.as_ref()?;
        let until = failed.until.filter(|until| now < *until)?;
        Some((failed.server, until))
    }
}
