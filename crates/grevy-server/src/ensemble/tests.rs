//! A member driven by hand, and what is told of it.

use super::flow::Flow;
use super::outlook::outlook;
use super::roles::Roles;
use crate::clients::{ClientMap, Port};
use crate::metrics::ServerMetrics;
use crate::stats::Stats;
use grevy_node::{LinkId, Membership, Node, NodeConfig, Now, Output, Time};
use grevy_proto::election::{Notification, PeerState};
use grevy_proto::quorum::{LearnerInfo, Packet};
use grevy_proto::{Epoch, ServerId, Zxid};
use grevy_tree::{Tree, TreeConfig};
use grevy_zab::{ElectionConfig, Epochs, Memberships, PeerConfig, Recovered, Standing, Timing};
use std::time::Duration;

const TICK: Duration = Duration::from_millis(500);

/// Server 3 of three voters; server 4 observes.
struct Member {
    node: Node,
    tree: Tree,
    now: Now,
    roles: Roles,
    metrics: ServerMetrics,
    /// The lines of the log.
    told: Vec<String>,
}

impl Member {
    fn new() -> Self {
        Self::of("")
    }

    /// With more lines about the members.
    fn of(more: &str) -> Self {
        let tree = Tree::new(TreeConfig {
            hash_seed: 1,
            extended_types: true,
            emulate_353_ttl: false,
            digest: true,
        });
        let now = Now {
            time: Time(1_000_000),
            wall_ms: 1_700_000_000_000,
        };
        let config = NodeConfig {
            server_id: ServerId(3),
            tick: TICK,
            ..NodeConfig::default()
        };
        let peer = PeerConfig {
            id: ServerId(3),
            timing: Timing {
                tick: TICK,
                init: TICK * 10,
                sync: TICK * 5,
                connect: TICK * 10,
            },
            limits: grevy_zab::Limits {
                observer_masters: true,
                ..grevy_zab::Limits::default()
            },
            election: ElectionConfig {
                min_interval: TICK,
                max_interval: TICK * 10,
                finalize_wait: TICK,
                reconfig: false,
            },
            commit_log: 10,
            always_snapshot: false,
            read_log: false,
            reconfig: false,
        };
        let roles = ["participant", "participant", "participant", "observer"];
        let servers = roles.iter().enumerate();
        let text: String = servers
            .map(|(i, role)| format!("server.{}=zoo{0}:2888:3888:{role};2181\n", i + 1))
            .collect();
        let members = Membership::parse(&(text + more)).expect("it is well-formed");
        let epochs = Epochs {
            accepted: Epoch(1),
            current: Epoch(1),
        };
        let recovered = Recovered {
            last: tree.last_zxid(),
            epochs,
            recent: Vec::new(),
            standing: Standing::Normal,
        };
        let node = Node::member(
            config,
            peer,
            Memberships::new(members),
            recovered,
            &tree,
            now,
        );
        let mut member = Self {
            node,
            tree,
            now,
            roles: Roles::new(now.time),
            metrics: ServerMetrics::default(),
            told: Vec::new(),
        };
        member.settle();
        member
    }

    /// Does what the node asks for, on a disk that is never late.
    fn settle(&mut self) {
        while let Some(output) = self.node.poll() {
            let (peer, now) = (self.node.peer(), self.now);
            let line = self.roles.output(peer, &output, now.time, &self.metrics);
            self.told.extend(line.map(|line| line.text));
            match output {
                Output::SaveEpochs { accepted, current } => {
                    self.node.epochs_saved(now, accepted, current);
                }
                Output::Append { zxid, .. } => self.node.log_synced(now, zxid),
                _ => {}
            }
        }
        let gone = self.roles.learners.gone(self.node.peer());
        self.told.extend(gone.map(|line| line.text));
    }

    fn pass(&mut self, time: Duration) {
        self.now.time = self.now.time + time;
    }

    /// Server `from` votes for, or follows, `leader`.
    fn hear(&mut self, from: i64, state: PeerState, leader: i64) {
        let message = Notification {
            state,
            leader: ServerId(leader),
            zxid: Zxid(0),
            round: 1,
            epoch: 1,
            version: 2,
            config: None,
        };
        self.node
            .election_message(self.now, ServerId(from), &message);
        self.settle();
    }

    fn connected(&mut self, server: i64, connected: bool) {
        self.node
            .election_peer(self.now, ServerId(server), connected);
        self.settle();
    }

    fn receive(&mut self, link: u32, packet: Packet) {
        let (clients, stats) = (ClientMap::default(), Stats::default());
        let port = Port::new(&clients, &stats);
        let link = LinkId(link);
        self.node
            .link_packet(self.now, &self.tree, &port, link, packet);
        self.settle();
    }

    /// Server `id` connects, over a link of that number, and catches up.
    fn join(&mut self, id: i64, observer: bool) {
        let link = u32::try_from(id.abs()).expect("a small number");
        self.node.link_accepted(self.now, LinkId(link));
        self.catch_up(link, id, observer);
    }

    fn catch_up(&mut self, link: u32, id: i64, observer: bool) {
        let info = LearnerInfo {
            observer,
            accepted_epoch: Epoch(1),
            server: Some(ServerId(id)),
            config_version: 0,
        };
        self.receive(link, Packet::LearnerInfo(info));
        let current_epoch = Some(Epoch(1));
        let last_zxid = Zxid(0);
        let accepted = Packet::AckEpoch {
            last_zxid,
            current_epoch,
        };
        self.receive(link, accepted);
    }

    fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.told)
    }

    /// From the start to following server 2, over link 1.
    fn follow(&mut self) {
        self.connected(1, true);
        self.hear(1, PeerState::Following, 2);
        self.hear(2, PeerState::Leading, 2);
        self.node.link_dialled(self.now, LinkId(1));
        self.pass(Duration::from_millis(20));
        self.receive(1, Packet::LeaderInfo(Epoch(2)));
        self.pass(Duration::from_millis(30));
        self.receive(1, Packet::Diff(Zxid(0)));
        let config = "".into();
        let zxid = Zxid::new(Epoch(2), 0);
        self.receive(1, Packet::NewLeader { zxid, config });
        self.receive(1, Packet::UpToDate);
    }

    /// From the start to leading server 1.
    fn lead(&mut self) {
        self.pass(Duration::from_millis(40));
        self.connected(1, true);
        self.connected(2, false);
        self.hear(1, PeerState::Looking, 3);
        self.join(1, false);
        self.pass(Duration::from_millis(60));
        self.receive(1, Packet::Ack(Zxid::new(Epoch(2), 0)));
    }
}

#[test]
fn each_change_of_role_is_one_line() {
    let mut member = Member::new();
    member.lead();
    assert_eq!(
        member.told(),
        [
            "elected to lead, after 40 ms; waiting for a quorum to accept that",
            "sending server 1 the transactions that it misses, up to 0x0 (DIFF)",
            "leading in epoch 2; in sync: server 1; 100 ms without a leader",
            "server 1 is up to date and follows; 2 of 3 voters are in sync (server 1 and this one)",
        ]
    );
    member.pass(Duration::from_secs(1));
    member.node.link_lost(member.now, LinkId(1));
    member.settle();
    assert_eq!(
        member.told(),
        [
            "server 1 does not follow any more: its connection has ended; 1 of 3 voters are in \
             sync (only this one)"
        ]
    );
}

#[test]
fn who_loses_its_quorum_says_so_now_and_then() {
    let mut member = Member::new();
    member.lead();
    member.told();
    member.pass(TICK * 20);
    let (clients, stats) = (ClientMap::default(), Stats::default());
    for _ in 0..2 {
        member.pass(TICK);
        let port = Port::new(&clients, &stats);
        member.node.handle_timeout(member.now, &member.tree, &port);
    }
    member.settle();
    assert_eq!(
        member.told(),
        ["looking for a leader: too few servers follow this leader; there are only 1"]
    );
    assert_eq!(
        member.metrics.looking.get(),
        1,
        "the start is counted by others"
    );
    let mut reminders = 0;
    for _ in 0..300 {
        member.pass(Duration::from_secs(1));
        let line = member.roles.remind(&member.node, member.now.time);
        reminders += line.into_iter().count();
    }
    assert_eq!(reminders, 8, "after 5, 10, 20, 40, 80, 140, 200 and 260 s");
}

#[test]
fn a_learner_tells_whom_it_follows() {
    let mut member = Member::new();
    member.follow();
    assert_eq!(
        member.told(),
        [
            "server 2 is elected, after 0 ms; joining it",
            "following server 2 in epoch 2; 50 ms without a leader",
        ]
    );
    let metrics = &member.metrics;
    for (times, expected) in [
        (&metrics.election_time, 0),
        (&metrics.follower_sync_time, 30),
        (&metrics.unavailable_time, 50),
    ] {
        assert_eq!((times.read().count(), times.read().sum()), (1, expected));
    }
    assert_eq!(metrics.leader_unavailable_time.read().count(), 0);
}

#[test]
fn a_server_that_lacks_data_is_told_by_its_name_and_may_go() {
    let mut member = Member::new();
    member.lead();
    member.told();
    member.join(-1007, true);
    member.receive(1007, Packet::Ack(Zxid::new(Epoch(2), 0)));
    member.node.link_lost(member.now, LinkId(1007));
    member.settle();
    assert_eq!(
        member.told(),
        [
            "sending server 7 (which lacks data) the transactions that it misses, up to 0x0 (DIFF)",
            "server 7 (which lacks data) has the history, and may join",
        ]
    );
}

#[test]
fn a_follower_tells_its_observers_and_no_voters() {
    let mut member = Member::new();
    member.follow();
    member.told();
    member.node.observer_accepted(member.now, LinkId(4));
    member.catch_up(4, 4, true);
    member.receive(4, Packet::Ack(Zxid::new(Epoch(2), 0)));
    member.node.link_lost(member.now, LinkId(4));
    member.settle();
    assert_eq!(
        member.told(),
        [
            "sending observer 4 the transactions that it misses, up to 0x0 (DIFF)",
            "observer 4 is up to date and follows",
            "observer 4 does not follow any more: its connection has ended",
        ]
    );
}

#[test]
fn a_reminder_says_once_that_there_is_no_leader() {
    for (more, expected) in [
        (
            "",
            "6 s without a leader: too few servers for a quorum can be reached; it waits for \
             servers 1 and 2",
        ),
        (
            "group.1=1:2:3\nweight.1=0\nweight.2=0\nweight.3=0\n",
            "6 s without a leader: all servers of its configuration together are no quorum, as \
             their weight is 0; give those that are to vote one",
        ),
    ] {
        let mut member = Member::of(more);
        member.connected(1, false);
        member.connected(2, false);
        member.pass(Duration::from_secs(6));
        let line = member.roles.remind(&member.node, member.now.time);
        assert_eq!(line.map(|line| line.text).as_deref(), Some(expected));
    }
}

#[test]
fn whoever_cannot_serve_until_it_is_restarted_waits_for_nobody() {
    let mut member = Member::new();
    member.connected(1, true);
    member.connected(2, true);
    member.node.storage_failed(member.now, "full".to_owned());
    member.pass(Duration::from_secs(6));
    let line = member.roles.remind(&member.node, member.now.time);
    assert_eq!(line.map(|line| line.text), None);
}

#[test]
fn whom_a_server_waits_for() {
    let mut member = Member::new();
    let says = |member: &Member, expected: &str| {
        assert_eq!(outlook(member.node.peer()), expected);
    };
    says(
        &member,
        "it has no leader yet: it votes for server 3, and waits for what servers 1 and 2 say",
    );
    member.connected(1, false);
    member.connected(2, false);
    says(
        &member,
        "it has no leader: too few servers for a quorum can be reached; it waits for servers 1 \
         and 2",
    );
    member.connected(1, true);
    says(
        &member,
        "it has no leader yet: it votes for server 3, and waits for what servers 1 and 2 say",
    );
    member.hear(1, PeerState::Looking, 3);
    says(
        &member,
        "it is elected to lead, and waits for servers 1 and 2 to accept that (discovery)",
    );
    member.join(1, false);
    says(
        &member,
        "it is elected to lead, and waits for servers 1 and 2 to accept that (synchronization)",
    );
    let mut member = Member::new();
    member.hear(1, PeerState::Following, 2);
    member.hear(2, PeerState::Leading, 2);
    says(&member, "it joins server 2, its leader (discovery)");
}

#[test]
fn the_way_of_a_proposal_is_measured() {
    let mut member = Member::new();
    member.lead();
    let mut flow = Flow::default();
    for (number, ms) in [(1, 0), (2, 2)] {
        member.pass(Duration::from_millis(ms));
        flow.proposed(
            Zxid::new(Epoch(2), number),
            100 * number as usize,
            member.now.time,
        );
    }
    assert_eq!(
        (flow.sizes.last, flow.sizes.min, flow.sizes.max),
        (200, 100, 200)
    );
    member.pass(Duration::from_millis(3));
    flow.advance(member.node.peer(), member.now.time, &member.metrics);
    assert!(
        member.metrics.ack_latency.read().is_empty(),
        "nobody has any"
    );
    assert!(flow.is_under_way());

    let mut learner = Flow::default();
    for (number, made) in [(7, 1000), (8, 1010), (9, 1030)] {
        learner.received(Zxid(number), made, 1040, &member.metrics);
    }
    learner.acknowledged(Zxid(8), 1050, &member.metrics);
    learner.acknowledged(Zxid(8), 1060, &member.metrics);
    let told = |times: &crate::metrics::Times| (times.read().count(), times.read().sum());
    assert_eq!(told(&member.metrics.proposal_latency), (3, 80));
    assert_eq!(told(&member.metrics.ack_creation_latency), (2, 90));
    learner.acknowledged(Zxid(9), 1060, &member.metrics);
    assert!(!learner.is_under_way());
    // Of what came before there is nothing to say.
    learner.acknowledged(Zxid(5), 1060, &member.metrics);
    learner.received(Zxid(40), 2000, 1000, &member.metrics);
    assert_eq!(
        told(&member.metrics.proposal_latency).0,
        3,
        "by that clock it is not made yet"
    );
}
