//! The orderly end of a server: what it has taken up is finished and answered, nothing more is
//! taken up, and then the others are told at once, so that they need not find out by its silence.
//!
//! A leader finishes what it has proposed. What learners ask for from then on they ask of the
//! next leader, whose clients thus notice nothing but a pause. A learner finishes what its own
//! clients wait for.

use crate::node::Node;
use crate::output::{Output, Service};
use crate::time::{Now, Time};

/// How far the end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopping {
    No,
    /// Until this time at most.
    Finishing(Time),
    Done,
}

impl Node {
    /// The server is to end. No frame of a client is handled any more; when everything that was
    /// taken up is answered, or cannot be within four ticks, [`Output::Stopped`] comes.
    pub fn begin_stop(&mut self, now: Now) {
        if self.stopping != Stopping::No {
            return;
        }
        self.stopping = Stopping::Finishing(now.time + self.config.tick * 4);
        self.outputs.push_back(Output::Service(Service::Paused));
        self.follow_up(now);
    }

    /// Whether the server may end.
    pub fn is_stopped(&self) -> bool {
        self.stopping == Stopping::Done
    }

    /// Whether the server is about to end.
    pub fn is_stopping(&self) -> bool {
        self.stopping != Stopping::No
    }

    pub(crate) fn try_stop(&mut self, now: Now) {
        let Stopping::Finishing(deadline) = self.stopping else {
            return;
        };
        if self.is_busy() && now.time < deadline {
            return;
        }
        self.stopping = Stopping::Done;
        self.peer.retire("this server stops");
        self.follow_up(now);
        self.close_service();
        self.outputs.push_back(Output::Stopped);
    }

    /// Whether somebody will still be answered. Without a leader nobody can be.
    fn is_busy(&self) -> bool {
        if self.service != Service::Open || !self.peer.part().serves() {
            return false;
        }
        match self.peer.leads() {
            true => !self.queue.is_empty() || self.peer.outstanding() > 0,
            false => self.forwarding.len() > 0,
        }
    }
}
