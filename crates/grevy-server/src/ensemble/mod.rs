//! What a member of an ensemble goes through, counted and told in the log: its roles, its
//! learners, and the way of its proposals. The machine decides; nothing here has a say.
//!
//! All is fed where the node is called, under its lock, by what the node puts out; a server that
//! runs alone has none of it to do.

mod flow;
mod learners;
mod outlook;
mod roles;
#[cfg(test)]
mod tests;

pub use flow::ProposalSizes;
pub use outlook::{names, outlook};

use crate::metrics::ServerMetrics;
use flow::Flow;
use grevy_node::{Node, Now, Output, Time};
use grevy_proto::quorum::Packet;
use grevy_proto::txn::TxnHeader;
use grevy_proto::{Decode, Reader};
use parking_lot::Mutex;
use roles::{Line, Roles};
use std::time::Duration;
use tracing::{info, warn};

/// See the module's text.
#[derive(Debug)]
pub struct EnsembleWatch(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    roles: Roles,
    flow: Flow,
}

/// Since when things are as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Since {
    /// How long the server has had its present part.
    pub in_part: Duration,
    /// How long it has led; `None` if it does not.
    pub leading: Option<Duration>,
    /// Why it looked for a leader last.
    pub why: String,
    /// Sizes of this leader's proposals.
    pub proposals: ProposalSizes,
}

impl EnsembleWatch {
    /// Of a server that begins to look for a leader.
    pub fn new(now: Time) -> Self {
        Self(Mutex::new(Inner {
            roles: Roles::new(now),
            flow: Flow::default(),
        }))
    }

    /// The node has put this out, and nobody has done it yet. Returns whether the log has all of
    /// it.
    pub fn output(&self, node: &Node, output: &Output, now: Now, metrics: &ServerMetrics) -> bool {
        let peer = node.peer();
        if !peer.is_member() || !is_of_interest(output) {
            return false;
        }
        let mut inner = self.0.lock();
        let Inner { roles, flow } = &mut *inner;
        match output {
            Output::Append { zxid, entry } if peer.leads() => {
                flow.proposed(*zxid, entry.len(), now.time);
            }
            Output::Append { zxid, entry } if peer.leader_link().is_some() => {
                if let Ok(header) = TxnHeader::decode(&mut Reader::new(entry)) {
                    flow.received(*zxid, header.time, now.wall_ms, metrics);
                }
            }
            Output::Send {
                packet: Packet::Ack(zxid),
                ..
            } => flow.acknowledged(*zxid, now.wall_ms, metrics),
            Output::Append { .. } => {}
            _ => {
                if let Output::Became(_) = output {
                    flow.end();
                }
                let line = roles.output(peer, output, now.time, metrics);
                let is_told = line.is_some();
                line.into_iter().for_each(tell);
                return is_told;
            }
        }
        false
    }

    /// The node was called, and its outputs are carried out.
    pub fn settled(&self, node: &Node, now: Time, metrics: &ServerMetrics) {
        let peer = node.peer();
        if !peer.is_member() {
            return;
        }
        let mut inner = self.0.lock();
        let Inner { roles, flow } = &mut *inner;
        if peer.serves_observers() {
            roles.learners.gone(peer).into_iter().for_each(tell);
        }
        if !peer.leads() {
            if roles.unavailable_since.is_some() {
                roles.remind(node, now).into_iter().for_each(tell);
            }
            return;
        }
        if flow.is_under_way() {
            flow.advance(peer, now, metrics);
        }
    }

    /// Since when things are as they are.
    pub fn since(&self, now: Time) -> Since {
        let inner = self.0.lock();
        let roles = &inner.roles;
        Since {
            in_part: now - roles.since,
            leading: roles.leading_since.map(|since| now - since),
            why: roles.why.clone(),
            proposals: inner.flow.sizes,
        }
    }
}

/// Whether there is anything to note. Most of what a leader sends is not worth a lock.
fn is_of_interest(output: &Output) -> bool {
    match output {
        Output::Send { packet, .. } => matches!(
            packet,
            Packet::Ack(_)
                | Packet::AckEpoch { .. }
                | Packet::Diff(_)
                | Packet::Trunc(_)
                | Packet::Snap(_)
                | Packet::UpToDate
        ),
        Output::Append { .. }
        | Output::Became(_)
        | Output::Hangup { .. }
        | Output::Configured { .. } => true,
        _ => false,
    }
}

fn tell(line: Line) {
    match line.is_warning {
        true => warn!("{}", line.text),
        false => info!("{}", line.text),
    }
}
