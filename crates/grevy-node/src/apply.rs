//! Applying what is committed: to the tree, then as a reply, then as events of others.

use crate::clients::Clients;
use crate::connection::{ClientId, CloseReason, View};
use crate::events::Events;
use crate::forwarding::{Kind, SyncOf, Waiting};
use crate::node::{Node, Queued, millis};
use crate::output::{Broken, Output, Service};
use crate::reply;
use crate::time::{Now, Time};
use crate::watches::Watches;
use alloc::vec::Vec;
use core::time::Duration;
use grevy_proto::txn::{DIGEST_VERSION, Txn, TxnDigest, TxnEntry, TxnHeader, path_of};
use grevy_proto::{Decode, Encode, ErrorCode, OpCode, SessionId, Xid, Zxid};
use grevy_tree::Tree;

/// How soon a learner's state is replaced again because of its digest.
const DISTRUST_INTERVAL: Duration = Duration::from_secs(15 * 60);
/// How many transactions the tree is prepared for at once.
const AHEAD: usize = 16;

impl Node {
    /// Whether [`Node::apply_committed`] has something to do.
    pub fn has_committed(&self) -> bool {
        if self.starting || self.owes_snapshot() {
            return true;
        }
        if self.service == Service::ReadOnly {
            return self.read_only.has_asked();
        }
        self.service == Service::Open
            && (self.has_applicable() || self.has_answered_sync() || self.forwarding.has_due())
    }

    fn has_applicable(&self) -> bool {
        match self.queue.front() {
            Some(Queued::Txn { header, .. }) => header.zxid <= self.peer.committed(),
            Some(Queued::Sync { number, .. }) => *number <= self.peer.syncs_released(),
            Some(Queued::Refused { .. } | Queued::LocalClose { .. } | Queued::Lost { .. }) => true,
            None => false,
        }
    }

    fn has_answered_sync(&self) -> bool {
        let first = self.answered_syncs.front();
        first.is_some_and(|(after, ..)| *after <= self.applied)
    }

    /// Applies what is committed, in order: to the tree, then as a reply, then as events of others.
    /// The caller holds the tree exclusively, so nobody reads the new state before that is done.
    pub fn apply_committed(
        &mut self,
        now: Now,
        tree: &mut Tree,
        watches: &impl Watches,
        clients: &impl Clients,
    ) {
        if self.service == Service::ReadOnly {
            self.answer_read_only(now, tree, watches, clients);
        }
        // What became committed as this server was named to lead waits, like the clients, for the
        // service to begin. Learners, without whom it does not, need a snapshot of all of it, and
        // of no more: what is to be answered behind it, reads included, goes on waiting.
        let serves = self.starting || self.service == Service::Open;
        if !serves && !self.owes_snapshot() {
            return;
        }
        let mut ahead = 0;
        loop {
            if serves {
                self.complete_syncs(now, tree, watches, clients);
                self.refuse_all_due(now, tree, watches, clients);
            }
            let has_more = serves || self.applied < self.peer.committed();
            if !has_more || !self.has_applicable() {
                break;
            }
            if ahead == 0 {
                ahead = self.look_ahead(tree);
            }
            ahead -= 1;
            let Some(queued) = self.queue.pop_front() else {
                break;
            };
            match queued {
                Queued::Txn {
                    header,
                    entry,
                    origin,
                } => {
                    let TxnEntry { txn, digest, .. } = match TxnEntry::from_bytes(&entry) {
                        Ok(entry) => entry,
                        // It could be read when it was queued.
                        Err(error) => {
                            let broken = Broken::Unreadable(header.zxid, error);
                            return self.outputs.push_back(Output::Broken(broken));
                        }
                    };
                    self.apply(now, header, &txn, origin, tree, watches, clients);
                    if !self.compare_digest(now, header.zxid, digest, tree) {
                        return;
                    }
                }
                Queued::Sync { client, path, .. } => {
                    let view = self.view(now, tree, watches);
                    clients.with(client, |c| {
                        c.complete(ErrorCode::Ok, |out| path.encode(out), view);
                    });
                }
                Queued::Refused { client, code } => {
                    let view = self.view(now, tree, watches);
                    clients.with(client, |c| c.complete(code, |_| {}, view));
                }
                // It may have been resumed by another connection meanwhile.
                Queued::LocalClose { client, session }
                    if self
                        .serving(session)
                        .is_some_and(|serving| serving != client) =>
                {
                    clients.with(client, |c| c.close(CloseReason::SessionMoved(session)));
                }
                Queued::LocalClose { client, session } => {
                    self.end_local(session);
                    let view = self.view(now, tree, watches);
                    clients.with(client, |c| {
                        c.complete(ErrorCode::Ok, |_| {}, view);
                        c.close(CloseReason::SessionClosed(session));
                    });
                }
                Queued::Lost { session, client } => self.lose_request(clients, session, client),
            }
        }
        if self.starting {
            self.start_service(now, tree, clients);
            // Some of what waited for it may be answered at once.
            return self.apply_committed(now, tree, watches, clients);
        }
        if self.owes_snapshot() {
            self.take_snapshot(tree);
        }
        self.try_stop(now);
    }

    /// Prepares the tree for what is to be applied next; returns how many that are, at least one.
    fn look_ahead(&self, tree: &Tree) -> usize {
        let committed = self.peer.committed();
        let next = self
            .queue
            .iter()
            .take(AHEAD)
            .map_while(|queued| match queued {
                Queued::Txn { header, entry, .. } if header.zxid <= committed => Some(entry),
                _ => None,
            });
        let count = next.clone().count();
        if count > 1 {
            tree.warm(next.filter_map(|entry| path_of(entry)));
        }
        count.max(1)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "a transaction, and all that it touches"
    )]
    fn apply(
        &mut self,
        now: Now,
        header: TxnHeader,
        txn: &Txn<'_>,
        origin: Option<(ClientId, OpCode)>,
        tree: &mut Tree,
        watches: &impl Watches,
        clients: &impl Clients,
    ) {
        let mut events = Events::new(header.zxid);
        let applied = tree.apply(&header, txn, &mut |change| {
            events.note(change, &self.config, watches);
        });
        for (kind, watchers) in events.watched() {
            self.noted.watched(kind, watchers);
        }
        self.applied = header.zxid;
        self.tally.apply(header.time, self.peer.leads());
        self.pending.applied(header.zxid);
        if tree.config().digest {
            self.digests.applied(header.zxid, || tree.digest());
        }
        let session = header.session;
        let mut passed = Vec::new();
        let origin = origin.or_else(|| {
            let (before, waiting) = self.forwarding.take_write(session, header.cxid)?;
            // The connection ends, and with it all that it waits for. It may have been an earlier
            // connection's request, of the same number, that came from elsewhere too late; then
            // what was asked for before is still under way, and no answer to it would be right.
            if !is_moved(txn) {
                passed = before;
            }
            Some((waiting.client, waiting.op))
        });
        for passed in passed {
            events.tell_first(passed.client, &self.config, clients);
            self.complete_passed(&passed, now, tree, watches, clients);
        }
        if let Some((client, _)) = origin {
            events.tell_first(client, &self.config, clients);
        }
        if header.cxid != Xid(0) && !is_moved(txn) {
            self.clock.asked(session, origin.is_some());
        }
        let view = self.view(now, tree, watches);
        match (txn, origin) {
            (Txn::CreateSession(timeout), origin) => {
                let timeout = millis(*timeout);
                self.upgraded(session, now.time);
                match self.clock.knows(session) {
                    true => self.clock.heard(session, now.time),
                    false => self.clock.open(session, timeout, now.time),
                }
                if let Some((client, _)) = origin
                    && !self.clock.is_open(session)
                {
                    // It took so long that its end is proposed already.
                    clients.with(client, |c| c.session_refused(session));
                } else if let Some((client, _)) = origin {
                    // The session of a client that is gone already will expire.
                    let opened = clients.with(client, |c| c.session_opened(session, now.time));
                    if opened == Some(true) {
                        self.clock.attach(session, client, timeout, now.time);
                    }
                }
            }
            (Txn::CloseSession(_), origin) => {
                if let Some((client, _)) = origin {
                    clients.with(client, |c| {
                        c.complete(ErrorCode::Ok, |_| {}, view);
                        c.close(CloseReason::SessionClosed(session));
                    });
                }
                self.global_ended(session);
                if let Some(client) = self.clock.remove(session) {
                    events.tell_first(client, &self.config, clients);
                    let reason = CloseReason::SessionExpired(session);
                    clients.with(client, |c| c.close(reason));
                }
            }
            (Txn::Error(_), Some((client, OpCode::CreateSession))) => {
                clients.with(client, |c| c.session_refused(session));
            }
            // Otherwise nothing would tell the client that it is cut off, as when its former
            // attempt to connect elsewhere got through late (ZOOKEEPER-710).
            (txn, Some((client, _))) if is_moved(txn) => {
                clients.with(client, |c| c.close(CloseReason::SessionMoved(session)));
            }
            (_, Some((client, op))) => {
                let code = reply::code(&applied);
                clients.with(client, |c| {
                    c.complete(
                        code,
                        |out| reply::encode_record(op, txn, &applied, out),
                        view,
                    );
                });
            }
            (_, None) => {}
        }
        if let Some((client, _)) = origin
            && events.are_many()
        {
            clients.hurry(client);
        }
        events.tell(&self.config, clients);
        self.refuse_due(session, now, tree, watches, clients);
        self.count_towards_snapshot(tree);
    }

    /// Closes connections whose sessions have gone elsewhere, as the history shows that was taken
    /// over: it has requests of them that did not come in here. Who begins to lead does not know
    /// where a session is at home, and what these connections have asked for, and may ask for
    /// yet, came before (P1).
    fn close_left_behind(&mut self, clients: &impl Clients) {
        for (session, client) in self.clock.left_behind() {
            let heard = clients.with(client, |c| {
                c.close(CloseReason::SessionMoved(session));
                c.heard()
            });
            self.client_closed(client, Some(session), heard.unwrap_or_default());
        }
    }

    /// Answers a request that a lost leader did not live to answer, while a later one of the
    /// same session is in the history. What it has put into the history is known by then; a sync
    /// asks for no more than that.
    fn complete_passed(
        &self,
        passed: &Waiting,
        now: Now,
        tree: &Tree,
        watches: &impl Watches,
        clients: &impl Clients,
    ) {
        let view = self.view(now, tree, watches);
        clients.with(passed.client, |c| match &passed.kind {
            // A client without a session has asked for nothing else, and tries again.
            _ if passed.op == OpCode::CreateSession => c.close_newcomer(),
            Kind::Sync { path } => c.complete(ErrorCode::Ok, |out| path.encode(out), view),
            Kind::Write { .. } => c.complete(ErrorCode::ConnectionLoss, |_| {}, view),
            Kind::Refusal(code) => c.complete(*code, |_| {}, view),
            Kind::LocalClose(session) => {
                c.complete(ErrorCode::Ok, |_| {}, view);
                c.close(CloseReason::SessionClosed(*session));
            }
        });
    }

    fn refuse_all_due(
        &mut self,
        now: Now,
        tree: &Tree,
        watches: &impl Watches,
        clients: &impl Clients,
    ) {
        for session in self.forwarding.take_due() {
            self.refuse_due(session, now, tree, watches, clients);
        }
    }

    /// Answers the session's requests that had to wait for nothing but those before them, and sends
    /// what was held back until then.
    fn refuse_due(
        &mut self,
        session: SessionId,
        now: Now,
        tree: &Tree,
        watches: &impl Watches,
        clients: &impl Clients,
    ) {
        loop {
            self.release_held(now, tree, session);
            let Some(waiting) = self.forwarding.take_refusal(session) else {
                break;
            };
            if let Kind::LocalClose(session) = waiting.kind {
                self.end_local(session);
            }
            self.complete_passed(&waiting, now, tree, watches, clients);
        }
    }

    /// Answers syncs that the leader has answered, in the state that was committed then.
    fn complete_syncs(
        &mut self,
        now: Now,
        tree: &Tree,
        watches: &impl Watches,
        clients: &impl Clients,
    ) {
        while self.has_answered_sync() {
            let (session, client) = match self.answered_syncs.pop_front() {
                Some((_, SyncOf::Client(session, client))) => (session, client),
                Some((_, SyncOf::Resuming(session, client))) => {
                    self.caught_up(now, clients, session, client);
                    continue;
                }
                Some((_, SyncOf::Observer(_))) | None => continue,
            };
            if let Some(path) = self.forwarding.take_sync(session, client) {
                let view = self.view(now, tree, watches);
                clients.with(client, |c| {
                    c.complete(ErrorCode::Ok, |out| path.encode(out), view);
                });
                self.refuse_due(session, now, tree, watches, clients);
            }
        }
    }

    /// Whether the state is the leader's, as far as that can be told. A learner whose state is
    /// not stops serving and has it replaced by the leader's: it must not go on to answer from
    /// it (P29). That happens once in a while only, in case it does not help.
    fn compare_digest(
        &mut self,
        now: Now,
        zxid: Zxid,
        digest: Option<TxnDigest>,
        tree: &Tree,
    ) -> bool {
        let Some(digest) = digest.filter(|digest| {
            digest.version == DIGEST_VERSION
                && tree.config().digest
                && digest.digest != tree.digest()
        }) else {
            return true;
        };
        self.tally.digest_mismatches += 1;
        let why = alloc::format!(
            "the state after transaction {zxid} has the digest {:x}, and the leader's has {:x}",
            tree.digest(),
            digest.digest
        );
        let is_due = |last: Time| now.time - last >= DISTRUST_INTERVAL;
        if self.peer.leads() || !self.distrusted.is_none_or(is_due) {
            if self.tally.digest_mismatches == 1 {
                self.note(why);
            }
            return true;
        }
        self.distrusted = Some(now.time);
        self.drop_clients();
        self.peer.distrust(now.time, &why);
        self.follow_up(now);
        false
    }

    /// Everything that is committed has been applied: from here on clients are served.
    fn start_service(&mut self, now: Now, tree: &mut Tree, clients: &impl Clients) {
        self.starting = false;
        self.close_left_behind(clients);
        if self.peer.is_member() {
            let members = self.peer.members().committed();
            let text = alloc::string::ToString::to_string(members);
            tree.set_config(text.as_bytes(), Zxid(members.version), now.wall_ms);
        }
        let upgrading = self.upgrading(tree);
        let open = crate::node::timeouts(tree).chain(upgrading);
        let gone = self.clock.restart(open, now.time);
        for (session, client) in gone {
            let reason = CloseReason::SessionExpired(session);
            clients.with(client, |c| c.close(reason));
        }
        self.pending.clear();
        self.reported = now.time;
        self.open_service();
        self.settle_upgrades(tree, now);
        // What clients asked for meanwhile was not in the history that was taken over.
        for (session, waiting) in self.forwarding.take_all() {
            if clients.with(waiting.client, |c| c.closing().is_some()) == Some(false) {
                self.submit_again(now, tree, clients, session, waiting);
            }
        }
        // One that the same leader may still get is not asked for again.
        self.settle_upgrades(tree, now);
        self.restart_local(now, tree, clients);
        self.resume_again(now, clients);
        self.follow_up(now);
    }

    pub(crate) fn view<'a, W>(&'a self, now: Now, tree: &'a Tree, watches: &'a W) -> View<'a, W> {
        View {
            now: now.time,
            tree,
            watches,
            config: &self.config,
        }
    }
}

/// Whether a request was refused because its session was at home elsewhere.
fn is_moved(txn: &Txn<'_>) -> bool {
    match txn {
        Txn::Error(code) => *code == ErrorCode::SessionMoved.wire(),
        Txn::Multi(parts) => parts.iter().any(is_moved),
        _ => false,
    }
}
