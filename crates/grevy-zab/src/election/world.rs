//! Many servers elect in a small world whose network delays, cuts and repeats.
//!
//! What follows an election is reduced to its rules: a leader is established once a quorum that
//! may vote follows it and none of these has a longer history; it then fills its followers and
//! commits. A leader that has no quorum and a follower whose leader does not lead look again.

use super::*;
use alloc::boxed::Box;
use alloc::collections::BinaryHeap;
use alloc::format;
use alloc::vec::Vec;
use core::cmp::Reverse;
use grevy_proto::Epoch;

const CONFIG: ElectionConfig = ElectionConfig {
    min_interval: Duration::from_millis(200),
    max_interval: Duration::from_secs(2),
    finalize_wait: Duration::from_millis(200),
    reconfig: true,
};

/// How often a server with a leader looks whether that still holds.
const CHECK: Duration = Duration::from_secs(1);

/// xorshift64
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

enum Role {
    Down,
    Looking(Box<Election>),
    Settled {
        state: PeerState,
        vote: Vote,
        since: Time,
    },
}

struct Server {
    candidate: Candidate,
    round: i64,
    role: Role,
    /// The last message to each.
    last_sent: BTreeMap<usize, Notification>,
}

struct World {
    random: Random,
    now: Time,
    memberships: Memberships,
    servers: Vec<Server>,
    /// Pairs that are connected, the smaller first.
    connected: BTreeSet<(usize, usize)>,
    /// When, in which order, from whom, to whom, what. A cut takes what is under way.
    network: BTreeMap<(Time, u64), (usize, usize, Notification)>,
    sequence: u64,
    /// When the next server looks at its leader.
    checks: BinaryHeap<Reverse<(Time, usize)>>,
    /// The newest history that a quorum was told of.
    committed: (i64, Zxid),
}

impl World {
    /// Servers 1 to `voters`, then observers; all connected, all down.
    fn new(seed: u64, voters: usize, observers: usize) -> Self {
        let mut text = alloc::string::String::new();
        for id in 1..=voters + observers {
            let role = if id > voters { ":observer" } else { "" };
            text += &format!("server.{id}=s{id}:1:2{role}\n");
        }
        let servers = (1..=voters + observers).map(|id| Server {
            candidate: Candidate {
                id: ServerId(id as i64),
                zxid: Zxid::ZERO,
                epoch: 0,
                standing: Standing::Empty,
            },
            round: 0,
            role: Role::Down,
            last_sent: BTreeMap::new(),
        });
        let mut world = Self {
            random: Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            now: Time(0),
            memberships: Memberships::new(Membership::parse(&text).unwrap()),
            servers: servers.collect(),
            connected: BTreeSet::new(),
            network: BTreeMap::new(),
            sequence: 0,
            checks: BinaryHeap::new(),
            committed: (0, Zxid::ZERO),
        };
        let n = world.servers.len();
        world.connected = (0..n)
            .flat_map(|a| (a + 1..n).map(move |b| (a, b)))
            .collect();
        world.checks = (0..n).map(|i| Reverse((Time(i as u64), i))).collect();
        world
    }

    fn is_up(&self, i: usize) -> bool {
        !matches!(self.servers[i].role, Role::Down)
    }

    fn are_connected(&self, a: usize, b: usize) -> bool {
        self.is_up(a) && self.is_up(b) && self.connected.contains(&(a.min(b), a.max(b)))
    }

    fn look(&mut self, i: usize) {
        let server = &self.servers[i];
        let election = Election::start(
            self.now,
            server.candidate,
            self.memberships.clone(),
            server.round,
            CONFIG,
        );
        self.servers[i].role = Role::Looking(Box::new(election));
        for other in (0..self.servers.len()).filter(|other| *other != i) {
            self.tell_peer(i, other);
        }
        self.drain(i);
    }

    /// Tells a server that looks whether it is connected to another.
    fn tell_peer(&mut self, i: usize, other: usize) {
        let up = self.are_connected(i, other);
        if let Role::Looking(election) = &mut self.servers[i].role {
            election.handle_peer(self.now, ServerId(other as i64 + 1), up);
        }
        self.drain(i);
    }

    fn start(&mut self, i: usize) {
        self.servers[i].round = 0;
        self.look(i);
        self.reconnect(i);
    }

    fn stop(&mut self, i: usize) {
        self.servers[i].role = Role::Down;
        self.servers[i].last_sent.clear();
        self.network
            .retain(|_, (from, to, _)| *from != i && *to != i);
        self.reconnect(i);
    }

    fn connect(&mut self, a: usize, b: usize, up: bool) {
        let pair = (a.min(b), a.max(b));
        let changed = match up {
            true => self.connected.insert(pair),
            false => self.connected.remove(&pair),
        };
        if !changed {
            return;
        }
        self.network
            .retain(|_, (from, to, _)| (*from.min(to), *from.max(to)) != pair);
        self.meet(a, b);
    }

    fn reconnect(&mut self, i: usize) {
        for other in (0..self.servers.len()).filter(|other| *other != i) {
            self.meet(i, other);
        }
    }

    /// Both notice whether they are connected; a connection begins with the last message.
    fn meet(&mut self, a: usize, b: usize) {
        for (i, other) in [(a, b), (b, a)] {
            if self.are_connected(i, other)
                && let Some(last) = self.servers[i].last_sent.get(&other).cloned()
            {
                self.post(i, other, last);
            }
            self.tell_peer(i, other);
        }
    }

    fn post(&mut self, from: usize, to: usize, said: Notification) {
        // What is queued to the same server is overtaken now and then.
        if self.random.below(8) == 0 {
            self.network.retain(|_, (f, t, _)| (*f, *t) != (from, to));
        }
        let earliest = self.network.iter().rev();
        let after = earliest
            .filter(|(_, (f, t, _))| (*f, *t) == (from, to))
            .map(|((at, _), _)| *at)
            .next();
        let at = self.now + Duration::from_micros(self.random.below(50_000));
        self.sequence += 1;
        let key = (at.max(after.unwrap_or(at)), self.sequence);
        self.network.insert(key, (from, to, said));
    }

    fn say(&mut self, from: usize, to: ServerId, state: PeerState, vote: &Vote) {
        let to = usize::try_from(to.0 - 1).unwrap();
        let said = Notification {
            state,
            leader: vote.leader,
            zxid: vote.zxid,
            round: vote.round,
            epoch: vote.epoch,
            version: 2,
            config: Some(format!("{}", self.memberships.committed()).into()),
        };
        self.servers[from].last_sent.insert(to, said.clone());
        if self.are_connected(from, to) {
            self.post(from, to, said);
        }
    }

    /// Does what the election at `i` wants done.
    fn drain(&mut self, i: usize) {
        while let Role::Looking(election) = &mut self.servers[i].role {
            let (standing, round) = (election.standing(), election.round());
            let output = election.poll();
            self.servers[i].candidate.standing = standing;
            self.servers[i].round = round;
            match output {
                None => return,
                Some(ElectionOutput::Send { to, vote }) => {
                    self.say(i, to, PeerState::Looking, &vote);
                }
                Some(ElectionOutput::Elected {
                    vote,
                    supporters,
                    established_elsewhere,
                }) => {
                    self.check_elected(i, &vote, &supporters, established_elsewhere);
                    let state = match () {
                        () if vote.leader == self.servers[i].candidate.id => PeerState::Leading,
                        () if self.memberships.is_voter(self.servers[i].candidate.id) => {
                            PeerState::Following
                        }
                        () => PeerState::Observing,
                    };
                    let since = self.now;
                    self.servers[i].role = Role::Settled { state, vote, since };
                }
                Some(ElectionOutput::DialAll) => {}
                Some(ElectionOutput::NewConfiguration { .. }) => panic!("nobody has another one"),
            }
        }
    }

    fn check_elected(&self, i: usize, vote: &Vote, by: &BTreeSet<ServerId>, elsewhere: bool) {
        assert!(self.memberships.is_quorum(|id| by.contains(&id)), "{by:?}");
        let own = &self.servers[i].candidate;
        if own.standing == Standing::Abstaining {
            assert!(elsewhere && vote.leader != own.id && !by.contains(&own.id));
        }
        if elsewhere {
            return;
        }
        // If all that agree look for a leader still, the winner's history is the longest.
        let by = by
            .iter()
            .map(|id| &self.servers[usize::try_from(id.0 - 1).unwrap()]);
        let looks = |server: &&Server| {
            matches!(server.role, Role::Looking(_)) && server.round == vote.round
        };
        if by.clone().all(|server| looks(&server)) {
            let beaten = by
                .clone()
                .any(|server| server.candidate.vote(true, 0).beats(vote));
            assert!(!beaten, "{vote:?}");
        }
    }

    fn deliver(&mut self, from: usize, to: usize, said: &Notification) {
        let sender = ServerId(from as i64 + 1);
        let round = self.servers[to].round;
        let reply = match &mut self.servers[to].role {
            Role::Down => return,
            Role::Looking(election) => {
                election.handle_notification(self.now, sender, said);
                None
            }
            Role::Settled { state, vote, .. } => {
                answer(vote, round, &self.memberships, sender, said.state).map(|v| (*state, v))
            }
        };
        if let Some((state, vote)) = reply {
            self.say(to, sender, state, &vote);
        }
        self.drain(to);
    }

    /// The servers connected to leader `i` that follow it.
    fn followers(&self, i: usize) -> Vec<usize> {
        let follows = |other: &usize| {
            let Role::Settled { vote, .. } = &self.servers[*other].role else {
                return false;
            };
            *other != i
                && vote.leader == self.servers[i].candidate.id
                && self.are_connected(i, *other)
        };
        (0..self.servers.len()).filter(follows).collect()
    }

    /// Does server `i` still have a leader, or a quorum that follows it?
    fn check(&mut self, i: usize) {
        let Role::Settled { state, vote, since } = &self.servers[i].role else {
            return;
        };
        // What has just begun is given time.
        if self.now.since(*since) < CHECK {
            return;
        }
        if *state != PeerState::Leading {
            let leader = usize::try_from(vote.leader.0 - 1).unwrap();
            let leads = matches!(
                &self.servers[leader].role,
                Role::Settled {
                    state: PeerState::Leading,
                    ..
                }
            );
            if !leads || !self.are_connected(i, leader) {
                self.look(i);
            }
            return;
        }
        let history = |server: &Server| (server.candidate.epoch, server.candidate.zxid);
        let own = history(&self.servers[i]);
        let followers = self.followers(i);
        let votes = |id: ServerId| {
            let other = usize::try_from(id.0 - 1).unwrap();
            let server = &self.servers[other];
            other == i
                || followers.contains(&other)
                    && server.candidate.standing != Standing::Abstaining
                    && history(server) <= own
        };
        if !self.memberships.is_quorum(votes) {
            return self.look(i);
        }
        // P26: the leader has everything.
        assert!(own >= self.committed, "{own:?} lacks {:?}", self.committed);
        let epoch = 1 + self
            .servers
            .iter()
            .map(|s| s.candidate.epoch)
            .max()
            .unwrap();
        let zxid = Zxid::new(Epoch(epoch as u32), 1);
        self.committed = (epoch, zxid);
        for member in followers.into_iter().chain([i]) {
            let server = &mut self.servers[member];
            (server.candidate.epoch, server.candidate.zxid) = self.committed;
            server.candidate.standing = Standing::Normal;
            if let Role::Settled { vote, .. } = &mut server.role {
                vote.epoch = epoch;
            }
        }
    }

    /// Lets `duration` pass.
    fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            let message = self.network.keys().next().map(|(at, _)| *at);
            let check = self.checks.peek().map(|Reverse((at, _))| *at);
            let timeout = |server: &Server| match &server.role {
                Role::Looking(election) => election.next_timeout(),
                _ => None,
            };
            let timers = self.servers.iter().filter_map(timeout).min();
            let Some(next) = [message, check, timers].into_iter().flatten().min() else {
                return;
            };
            if next > end {
                self.now = end;
                return;
            }
            self.now = self.now.max(next);
            if message == Some(next) {
                let (_, (from, to, said)) = self.network.pop_first().unwrap();
                self.deliver(from, to, &said);
            } else if check == Some(next) {
                let Reverse((at, i)) = self.checks.pop().unwrap();
                self.checks.push(Reverse((at + CHECK, i)));
                self.check(i);
            } else {
                for i in 0..self.servers.len() {
                    if let Role::Looking(election) = &mut self.servers[i].role
                        && election.next_timeout().is_some_and(|due| due <= next)
                    {
                        election.handle_timeout(next);
                        self.drain(i);
                    }
                }
            }
        }
    }

    /// Everything is repaired.
    fn heal(&mut self) {
        let n = self.servers.len();
        for i in 0..n {
            if !self.is_up(i) {
                self.start(i);
            }
        }
        for a in 0..n {
            for b in a + 1..n {
                self.connect(a, b, true);
            }
        }
    }

    /// The leader that all servers have.
    #[track_caller]
    fn leader(&self) -> i64 {
        let leaders: Vec<_> = self
            .servers
            .iter()
            .map(|server| match &server.role {
                Role::Settled { state, vote, .. } => {
                    let leads = vote.leader == server.candidate.id;
                    assert_eq!(leads, *state == PeerState::Leading);
                    vote.leader.0
                }
                _ => panic!("server {} has no leader", server.candidate.id.0),
            })
            .collect();
        assert!(
            leaders.windows(2).all(|pair| pair[0] == pair[1]),
            "{leaders:?}"
        );
        leaders[0]
    }

    /// Lets faults happen for a while. A disk is emptied only when all servers are well.
    fn chaos(&mut self) {
        let n = self.servers.len() as u64;
        for _ in 0..40 {
            let pause = self.random.below(1500);
            self.run(Duration::from_millis(pause));
            let (a, b) = (self.random.below(n) as usize, self.random.below(n) as usize);
            match self.random.below(6) {
                0 if self.is_up(a) => self.stop(a),
                1 if !self.is_up(a) => self.start(a),
                2 if a != b => self.connect(a, b, false),
                3 if a != b => self.connect(a, b, true),
                4 => {
                    let others = (0..n as usize).filter(|other| *other != a);
                    let cut = self.random.below(2) == 0;
                    for other in others.collect::<Vec<_>>() {
                        self.connect(a, other, cut);
                    }
                }
                5 if self
                    .servers
                    .iter()
                    .all(|s| s.candidate.standing == Standing::Normal) =>
                {
                    self.stop(a);
                    let candidate = &mut self.servers[a].candidate;
                    (candidate.epoch, candidate.zxid) = (0, Zxid::ZERO);
                    candidate.standing = match self.random.below(2) {
                        0 => Standing::Empty,
                        _ => Standing::Abstaining,
                    };
                    self.start(a);
                }
                _ => {}
            }
        }
    }
}

#[test]
fn all_empty_servers_elect_the_highest_number() {
    for seed in 0..50 {
        let mut world = World::new(seed, 3, 1);
        world.heal();
        world.run(Duration::from_millis(900));
        assert_eq!(world.leader(), 3, "seed {seed}");
    }
}

#[test]
fn whatever_happened_one_leader_is_found_and_nothing_is_lost() {
    for seed in 0..160 {
        let (voters, observers) = [(3, 0), (3, 1), (5, 1), (4, 0)][seed as usize % 4];
        let mut world = World::new(seed, voters, observers);
        // All have a history before anything breaks.
        world.heal();
        world.run(Duration::from_secs(20));
        world.leader();
        assert!(world.committed.0 > 0, "seed {seed}");
        for _ in 0..3 {
            world.chaos();
            world.heal();
            world.run(Duration::from_secs(60));
            let leader = world.leader() as usize - 1;
            let server = &world.servers[leader];
            assert_eq!(
                (server.candidate.epoch, server.candidate.zxid),
                world.committed
            );
        }
    }
}

#[test]
fn an_emptied_server_and_one_that_lags_wait_for_the_third() {
    for seed in 0..50 {
        let mut world = World::new(seed, 3, 0);
        let histories = [
            (1, 0, Standing::Empty),
            (2, 5, Standing::Normal),
            (3, 9, Standing::Normal),
        ];
        for (server, (_, zxid, standing)) in world.servers.iter_mut().zip(histories) {
            server.candidate.zxid = Zxid(zxid);
            server.candidate.standing = standing;
        }
        world.committed = (0, Zxid(9));
        for i in [0, 1] {
            world.start(i);
        }
        world.run(Duration::from_secs(30));
        for server in &world.servers[..2] {
            assert!(matches!(server.role, Role::Looking(_)), "seed {seed}");
        }
        world.start(2);
        world.run(Duration::from_secs(10));
        assert_eq!(world.leader(), 3, "seed {seed}");
    }
}
