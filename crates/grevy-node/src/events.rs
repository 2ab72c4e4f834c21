//! The watch events of one transaction, between the change and the telling.
//!
//! They are told before the tree is let go, so that nobody reads the new state before he has heard
//! of it. Whoever made the change hears of it first and has his reply before all others are told:
//! they may be thousands.

use crate::clients::Clients;
use crate::config::NodeConfig;
use crate::connection::{ClientId, Connection};
use crate::watches::Watches;
use alloc::boxed::Box;
use alloc::vec::Vec;
use grevy_proto::acl::perms;
use grevy_proto::event::{EventType, encode_notification};
use grevy_proto::{Acl, Zxid};
use grevy_tree::Change;
use grevy_tree::watch::WatcherId;

/// With so many to tell, a reply is worth sending on its own.
const MANY: usize = 100;

/// What is to be told, in order.
pub(crate) struct Events {
    zxid: Zxid,
    events: Vec<Event>,
}

struct Event {
    kind: EventType,
    /// As it is sent, to all the same.
    frame: Vec<u8>,
    /// Who may hear of it; `None`: everybody.
    acl: Option<Box<[Acl]>>,
    watchers: Vec<WatcherId>,
}

impl Events {
    /// Those of the transaction `zxid`; none yet.
    pub(crate) fn new(zxid: Zxid) -> Self {
        Self {
            zxid,
            events: Vec::new(),
        }
    }

    /// Notes who is to hear of a change.
    pub(crate) fn note(&mut self, change: Change<'_>, config: &NodeConfig, watches: &impl Watches) {
        let before = self.events.len();
        watches.with(|table| {
            table.trigger(change.kind, change.path, &mut |watcher, kind, path| {
                if let Some(event) = self.events[before..].last_mut()
                    && event.kind == kind
                {
                    event.watchers.push(watcher);
                    return;
                }
                let acl = match kind {
                    EventType::NodeChildrenChanged => change.parent_acl,
                    _ => change.acl,
                };
                let mut frame = Vec::new();
                encode_notification(self.zxid, kind, path, &mut frame);
                let is_open = config.permits(acl, perms::READ, &[]);
                self.events.push(Event {
                    kind,
                    frame,
                    acl: (!is_open).then(|| acl.into()),
                    watchers: Vec::from([watcher]),
                });
            });
        });
    }

    /// What has happened that somebody watches for, and how many do.
    pub(crate) fn watched(&self) -> impl Iterator<Item = (EventType, usize)> {
        self.events.iter().map(|e| (e.kind, e.watchers.len()))
    }

    /// Whether it takes long to tell them.
    pub(crate) fn are_many(&self) -> bool {
        self.events.iter().map(|e| e.watchers.len()).sum::<usize>() >= MANY
    }

    /// Tells one connection now what it is to hear.
    pub(crate) fn tell_first(
        &mut self,
        client: ClientId,
        config: &NodeConfig,
        clients: &impl Clients,
    ) {
        for event in &mut self.events {
            // They are in ascending order, each once.
            if let Ok(at) = event.watchers.binary_search(&WatcherId(client.0)) {
                event.watchers.remove(at);
                clients.with(client, |c| event.send(config, c));
            }
        }
    }

    /// Tells all who have not been told yet.
    pub(crate) fn tell(&mut self, config: &NodeConfig, clients: &impl Clients) {
        for event in self.events.drain(..) {
            for WatcherId(client) in &event.watchers {
                clients.with(ClientId(*client), |c| event.send(config, c));
            }
        }
    }
}

impl Event {
    /// Sends it to a connection that may read the znode.
    fn send(&self, config: &NodeConfig, to: &mut Connection) {
        let may_read = |acl| config.permits(acl, perms::READ, to.ids());
        if self.acl.as_deref().is_none_or(may_read) {
            to.send_event(&self.frame, config.output_limit);
        }
    }
}
