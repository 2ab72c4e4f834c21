//! What servers of an ensemble tell each other, as far as it concerns more than one of the tree,
//! the sessions and the broadcast. Source: `LearnerHandler`, `Learner`, `Follower`, `Observer`.

use crate::clients::Clients;
use crate::connection::{ClientId, CloseReason};
use crate::forwarding::{Kind, SyncOf, Waiting};
use crate::node::{ForLearners, Node, Queued};
use crate::output::{Output, Service};
use crate::session_clock::Owner;
use crate::time::Now;
use crate::writes::{Ask, configuration};
use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use grevy_proto::election::Notification;
use grevy_proto::quorum::{Forwarded, Packet};
use grevy_proto::txn::{self, TxnEntry};
use grevy_proto::{Decode, Epoch, ErrorCode, OpCode, ServerId, SessionId, Zxid};
use grevy_tree::Tree;
use grevy_zab::{Entry, Epochs, LinkId, Part};

// The election port.
impl Node {
    /// A message came on the election port.
    pub fn election_message(&mut self, now: Now, from: ServerId, message: &Notification) {
        self.peer.handle_notification(now.time, from, message);
        self.follow_up(now);
    }

    /// The election connection to `server` is up, or there is none: it broke, or could not be
    /// made.
    pub fn election_peer(&mut self, now: Now, server: ServerId, connected: bool) {
        self.peer.handle_peer(now.time, server, connected);
        self.follow_up(now);
    }
}

// The quorum port.
impl Node {
    /// Somebody has connected to the quorum port.
    pub fn link_accepted(&mut self, now: Now, link: LinkId) {
        self.peer.link_accepted(now.time, link);
        self.follow_up(now);
    }

    /// The connection that [`Output::Dial`] asked for is there.
    pub fn link_dialled(&mut self, now: Now, link: LinkId) {
        self.peer.link_dialled(now.time, link);
        self.follow_up(now);
    }

    /// [`Output::Dial`] or [`Output::DialMaster`] has led to nothing.
    pub fn dial_failed(&mut self, now: Now, server: ServerId) {
        self.peer.dial_failed(now.time, server);
        self.follow_up(now);
    }

    /// The connection has ended, or its other end was silent for too long.
    pub fn link_lost(&mut self, now: Now, link: LinkId) {
        self.peer.link_lost(now.time, link);
        self.follow_up(now);
    }

    /// A packet came.
    pub fn link_packet(
        &mut self,
        now: Now,
        tree: &Tree,
        clients: &impl Clients,
        link: LinkId,
        packet: Packet,
    ) {
        if self.failure.is_some() {
            return;
        }
        let from_leader = self.peer.leader_link() == Some(link);
        // Of a leader that is about to end nothing is taken up: the next one is asked again.
        let from_learner = self.peer.serves_learner(link) && !self.is_stopping();
        match packet {
            Packet::Request(request) => {
                self.peer.heard(now.time, link);
                if from_learner {
                    self.handle_request(now, tree, link, &request);
                } else if self.relays_for(link) {
                    self.relay_request(link, request);
                }
            }
            Packet::Revalidate { session, timeout } => {
                self.peer.heard(now.time, link);
                if from_learner {
                    self.tally.revalidations += 1;
                    self.revalidate(now, clients, link, session, timeout);
                } else if self.relays_for(link) {
                    self.relay_revalidation(clients, link, session, timeout);
                }
            }
            Packet::Ping { heard: None, zxid } => {
                if from_leader {
                    let heard = self.heard_sessions(now, clients);
                    let heard = Some(heard);
                    self.peer.answer_ping(Packet::Ping { zxid, heard });
                }
            }
            Packet::Ping {
                heard: Some(heard), ..
            } => {
                self.peer.ping_answered(now.time, link);
                if self.peer.serves_learner(link) {
                    self.sessions_heard(now, &heard);
                } else if self.peer.serves_observer(link) {
                    self.relay_heard(&heard);
                }
            }
            Packet::Revalidated { session, valid } => {
                if from_leader {
                    self.session_judged(now, clients, session, valid);
                }
            }
            Packet::Sync => {
                if from_leader {
                    self.sync_answered();
                }
            }
            packet => {
                if from_leader {
                    self.tally.receive(&packet);
                }
                self.peer.handle_packet(now.time, link, packet);
            }
        }
        self.follow_up(now);
    }

    /// The leader has answered the oldest sync: everything before it is committed.
    fn sync_answered(&mut self) {
        match self.forwarding.sync_answered() {
            Some(SyncOf::Observer(link)) => self.peer.send(link, Packet::Sync),
            Some(own) => {
                let after = self.peer.committed();
                self.answered_syncs.push_back((after, own));
            }
            None => {}
        }
    }

    /// A request of a learner's client.
    fn handle_request(&mut self, now: Now, tree: &Tree, link: LinkId, request: &Forwarded) {
        let Forwarded {
            session,
            cxid,
            op,
            record,
            ids,
        } = request;
        match OpCode::from_wire(*op) {
            Some(OpCode::Sync) => self.peer.sync(Some(link)),
            op => {
                let op = op.unwrap_or(OpCode::Error);
                let owner = Owner::Learner(self.learner(link));
                let is_new = op == OpCode::CreateSession;
                let admitted = match is_new || self.clock.admit(*session, owner) {
                    true => Ok(()),
                    false => Err(ErrorCode::SessionMoved),
                };
                let ask = Ask {
                    session: *session,
                    cxid: *cxid,
                    op,
                    record,
                    ids,
                    client: None,
                    admitted,
                };
                self.decide(now, tree, ask);
            }
        }
    }

    /// The stream behind SNAP was read to its end: it is durable under another name, and its
    /// state can take the tree's place.
    pub fn snapshot_received(&mut self, now: Now, link: LinkId, zxid: Zxid) {
        self.peer.snapshot_received(now.time, link, zxid);
        self.follow_up(now);
    }
}

// The storage.
impl Node {
    /// The log is durable up to `zxid`.
    pub fn log_synced(&mut self, now: Now, zxid: Zxid) {
        if self.failure.is_none() {
            self.peer.log_synced(now.time, zxid);
            self.follow_up(now);
        }
    }

    /// The epochs are durable.
    pub fn epochs_saved(&mut self, now: Now, accepted: Epoch, current: Epoch) {
        if self.failure.is_none() {
            self.peer
                .epochs_saved(now.time, Epochs { accepted, current });
            self.follow_up(now);
        }
    }

    /// What [`Output::Truncate`] asked for is done, and the tree is at `zxid` at most.
    pub fn truncated(&mut self, now: Now, zxid: Zxid) {
        if self.failure.is_none() {
            self.applied = self.applied.min(zxid);
            self.peer.truncated(now.time);
            self.follow_up(now);
        }
    }

    /// What [`Output::Truncate`] asked for cannot be done: the history still ends at `zxid`, and
    /// the tree was built anew from all of it.
    pub fn truncation_refused(&mut self, now: Now, zxid: Zxid, why: &str) {
        if self.failure.is_none() {
            self.queue.clear();
            self.queued = zxid;
            self.applied = zxid;
            self.drop_clients();
            self.peer.truncation_refused(now.time, zxid, why);
            self.follow_up(now);
        }
    }

    /// What [`Output::InstallSnapshot`] asked for is done, and the tree is at `zxid`.
    pub fn snapshot_installed(&mut self, now: Now, zxid: Zxid) {
        if self.failure.is_none() {
            self.applied = zxid;
            self.peer.snapshot_installed(now.time);
            self.follow_up(now);
        }
    }

    /// What [`Output::ReadLog`] asked for; `None`: the files do not have all of it.
    pub fn log_read(&mut self, now: Now, link: LinkId, entries: Option<Vec<Entry>>) {
        self.peer.log_read(now.time, link, entries);
        self.follow_up(now);
    }
}

// From part to part.
impl Node {
    pub(crate) fn note(&mut self, text: String) {
        self.outputs.push_back(Output::Note(text));
    }

    /// Passes on what the peer has to say, and does this server's part of it.
    pub(crate) fn follow_up(&mut self, now: Now) {
        use grevy_zab::Output as Zab;
        while let Some(output) = self.peer.poll() {
            let output = match output {
                Zab::Append { zxid, entry } => {
                    if let Err(why) = self.take_up(now, zxid, &entry) {
                        self.peer.refuse(now.time, zxid, &why);
                        continue;
                    }
                    Output::Append { zxid, entry }
                }
                Zab::Truncate { to } => {
                    self.take_back(to);
                    let rebuild = self.applied > to;
                    if rebuild {
                        self.drop_clients();
                    }
                    Output::Truncate { to, rebuild }
                }
                Zab::InstallSnapshot { zxid, kept } => {
                    self.queue.clear();
                    self.queued = zxid;
                    self.drop_clients();
                    // They could be read when they were taken up before.
                    for Entry { zxid, bytes } in &kept {
                        let _ = self.take_up(now, *zxid, bytes);
                    }
                    Output::InstallSnapshot { zxid, kept }
                }
                Zab::TakeSnapshot => {
                    self.snapshot_for_learners = ForLearners::Wanted;
                    continue;
                }
                Zab::Became(part) => {
                    self.became(now, &part);
                    Output::Became(part)
                }
                Zab::Notify { to, message } => Output::Notify { to, message },
                Zab::DialAll => Output::DialAll,
                Zab::Dial { leader, timeout } => Output::Dial { leader, timeout },
                Zab::DialMaster { master, timeout } => Output::DialMaster { master, timeout },
                Zab::Send { link, packet } => Output::Send { link, packet },
                Zab::SendSnapshot { link, zxid } => Output::SendSnapshot { link, zxid },
                Zab::Hangup { link, why } => Output::Hangup { link, why },
                Zab::LinkTimeout { link, timeout } => Output::LinkTimeout { link, timeout },
                Zab::SaveEpochs { accepted, current } => Output::SaveEpochs { accepted, current },
                Zab::ReadLog { link, after, until } => Output::ReadLog { link, after, until },
                Zab::Configured { .. } => {
                    self.output_configuration();
                    continue;
                }
                Zab::Note(text) => Output::Note(text),
                Zab::Warning(text) => Output::Warning(text),
            };
            self.outputs.push_back(output);
        }
        self.try_stop(now);
    }

    /// A transaction of the leader's is about to be logged. This server's own are known.
    ///
    /// # Errors
    /// Why it cannot be taken up.
    fn take_up(
        &mut self,
        now: Now,
        zxid: Zxid,
        entry: &Arc<[u8]>,
    ) -> Result<(), Cow<'static, str>> {
        if zxid <= self.queued {
            return Ok(());
        }
        let limit = self.config.max_entry;
        if entry.len() > limit {
            let len = entry.len();
            return Err(format!(
                "it has {len} bytes, where jute.maxbuffer and jute.maxbuffer.extrasize together \
                 allow {limit}; set them as on the leader"
            )
            .into());
        }
        let strange = "it is not a transaction of this version of the format";
        let header = txn::check(entry).map_err(|_| strange)?;
        if header.zxid != zxid {
            return Err(strange.into());
        }
        // With an older configuration it would count other servers than they do.
        let configuration = match header.op == OpCode::Reconfig.wire() {
            true => {
                let TxnEntry { txn, .. } = TxnEntry::from_bytes(entry).map_err(|_| strange)?;
                configuration(&txn).map_err(|error| error.to_string())?
            }
            false => None,
        };
        self.bytes_until_snapshot = self.bytes_until_snapshot.saturating_sub(entry.len() as u64);
        if let Some(membership) = configuration {
            self.peer
                .configuration_proposed(now.time, Arc::new(membership));
            // The files come before the log, and so before the acknowledgement.
            if self.peer.members().last_seen().version == zxid.0 {
                self.output_configuration();
            }
        }
        self.queued = zxid;
        self.queue.push_back(Queued::Txn {
            header,
            entry: entry.clone(),
            origin: None,
        });
        Ok(())
    }

    /// Says which configurations count by now, unless that was said.
    pub(crate) fn output_configuration(&mut self) {
        let members = self.peer.members();
        if self.configured.as_ref() == Some(members) {
            return;
        }
        self.outputs.push_back(Output::Configured {
            committed: members.committed().clone(),
            proposed: members.proposed().cloned(),
        });
        self.configured = Some(members.clone());
    }

    /// The transactions above `to` have not taken effect and never will.
    fn take_back(&mut self, to: Zxid) {
        self.queued = self.queued.min(to);
        let queue = core::mem::take(&mut self.queue);
        self.queue = queue
            .into_iter()
            .filter_map(|queued| match queued {
                Queued::Txn { header, origin, .. } if header.zxid > to => {
                    // Its client is told when its turn comes.
                    let (client, _) = origin?;
                    let session = header.session;
                    Some(Queued::Lost { session, client })
                }
                other => Some(other),
            })
            .collect();
    }

    fn became(&mut self, now: Now, part: &Part) {
        self.note_part(now.time, part);
        if part.serves() {
            self.starting = true;
            return;
        }
        self.starting = false;
        if self.service == Service::Open {
            self.service = Service::Paused;
            self.paused_since = now.time;
            self.outputs.push_back(Output::Service(Service::Paused));
        }
        if let Part::Looking { .. } = part {
            self.lose_leader();
        }
    }

    /// What was asked of the last leader, or of this one, is to be asked of the next.
    fn lose_leader(&mut self) {
        self.answered_syncs.clear();
        self.revalidations.clear();
        self.snapshot_for_learners = ForLearners::No;
        self.syncs = 0;
        for queued in &mut self.queue {
            if let Queued::Sync { client, .. } = queued {
                *queued = Queued::Refused {
                    client: *client,
                    code: ErrorCode::ConnectionLoss,
                };
            }
        }
    }

    /// Begins to serve.
    pub(crate) fn open_service(&mut self) {
        self.service = Service::Open;
        if self.refuses_clients() {
            self.outputs.push_back(Output::Service(Service::Closed));
            return self.drop_clients();
        }
        self.outputs.push_back(Output::Service(Service::Open));
    }

    /// Whether this server has nothing but the ensemble to do.
    pub(crate) fn refuses_clients(&self) -> bool {
        !self.config.leader_serves && self.peer.is_member() && self.peer.leads()
    }

    /// Clients have waited long enough: they should try other servers.
    pub(crate) fn close_service(&mut self) {
        self.service = Service::Closed;
        self.outputs.push_back(Output::Service(Service::Closed));
        self.drop_clients();
    }

    pub(crate) fn drop_clients(&mut self) {
        self.forwarding = crate::forwarding::Forwarding::default();
        self.resuming.clear();
        self.drop_local_waiting();
        self.outputs.push_back(Output::DropClients);
    }

    /// A request that the last leader may have got, and that is not in the history that was
    /// taken over from the next: it has had no effect, and is made again.
    ///
    /// If it stands among what is proposed, it is under way.
    pub(crate) fn submit_again(
        &mut self,
        now: Now,
        tree: &Tree,
        clients: &impl Clients,
        session: SessionId,
        waiting: Waiting,
    ) {
        if self.is_under_way(session, &waiting) {
            return self.forwarding.push(session, waiting);
        }
        // The same leader again: a request may still be on its way to it.
        if matches!(waiting.kind, Kind::Write { .. }) && waiting.sent == Some(self.peer.reached()) {
            return self.lose_request(clients, session, waiting.client);
        }
        if let Kind::Write { record, ids, .. } = &waiting.kind
            && let Err(code) = self.screen_here(tree, session, waiting.op, record, ids)
        {
            return self.refuse(waiting.client, session, waiting.op, code);
        }
        if let Kind::Write { record, .. } = &waiting.kind
            && self.local.clock.knows(session)
        {
            let Waiting { client, op, .. } = waiting;
            let record = record.clone();
            if let Err(code) = self.upgrade(now, tree, session, client, op, &record) {
                return self.refuse(client, session, op, code);
            }
        }
        if !self.peer.leads() {
            return self.send_or_hold(tree, session, waiting);
        }
        let Waiting {
            client, op, kind, ..
        } = waiting;
        match kind {
            Kind::Write { cxid, record, ids } => {
                let ask = Ask {
                    session,
                    cxid,
                    op,
                    record: &record,
                    ids: &ids,
                    client: Some(client),
                    admitted: Ok(()),
                };
                self.decide(now, tree, ask);
            }
            Kind::Sync { path } => self.sync(client, path),
            Kind::Refusal(code) => self.queue.push_back(Queued::Refused { client, code }),
            Kind::LocalClose(session) => {
                self.queue.push_back(Queued::LocalClose { client, session });
            }
        }
    }

    /// A request of the session is lost. It would not do to answer that and go on: clients count
    /// on requests taking effect in their order, and on a lost one being the end of a connection
    /// (P1).
    pub(crate) fn lose_request(
        &mut self,
        clients: &impl Clients,
        session: SessionId,
        client: ClientId,
    ) {
        let heard = clients.with(client, |c| {
            c.close(CloseReason::RequestLost);
            c.heard()
        });
        if let Some(heard) = heard {
            // What it has sent behind that is not taken up any more, either.
            self.client_closed(client, Some(session), heard);
        }
    }

    fn is_under_way(&self, session: SessionId, waiting: &Waiting) -> bool {
        let Kind::Write { cxid, .. } = waiting.kind else {
            return false;
        };
        waiting.sent.is_some()
            && self.queue.iter().any(|queued| {
                matches!(queued, Queued::Txn { header, .. }
                    if header.session == session && header.cxid == cxid)
            })
    }

    /// What operators call the server's part: `leader`, `follower`, `observer`, `standalone`,
    /// `read-only`, or `looking`.
    pub fn role(&self) -> &'static str {
        match self.peer.part() {
            _ if !self.peer.is_member() => "standalone",
            _ if self.service == Service::ReadOnly => "read-only",
            Part::Leading { .. } => "leader",
            Part::Following { .. } => "follower",
            Part::Observing { .. } => "observer",
            _ => "looking",
        }
    }
}
