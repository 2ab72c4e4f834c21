//! One server, told what others send and what its disk has done, in words.
//!
//! A step is an input, and all outputs that it has. Zxids are written `epoch.counter`, a
//! connection to a learner is the number of the server behind it.

#![allow(dead_code, reason = "each test file uses its part of the harness")]

use grevy_proto::election::{Notification, PeerState};
use grevy_proto::quorum::{LearnerInfo, Packet};
use grevy_proto::{Epoch, ServerId, Zxid};
use grevy_zab::{
    ElectionConfig, Entry, Epochs, Limits, LinkId, Membership, Memberships, Output, Part, Peer,
    PeerConfig, Recovered, Standing, Time, Timing,
};
use std::sync::Arc;
use std::time::Duration;

pub const SECOND: Duration = Duration::from_secs(1);
pub const MEMBERS: &str = "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\nserver.4=d:1:2:observer";
/// The connection to the leader.
const TO_LEADER: LinkId = LinkId(100);

pub fn zxid(text: &str) -> Zxid {
    let (epoch, counter) = text.split_once('.').expect("epoch.counter");
    Zxid::new(Epoch(epoch.parse().unwrap()), counter.parse().unwrap())
}

fn show(zxid: Zxid) -> String {
    match zxid.0 {
        -1 => "-1".to_owned(),
        _ => format!("{}.{}", zxid.epoch().0, zxid.counter()),
    }
}

/// A transaction; nobody looks into it.
fn entry(zxid: Zxid) -> Arc<[u8]> {
    Arc::from(zxid.0.to_be_bytes())
}

pub fn entries(zxids: &[&str]) -> Vec<Entry> {
    let entry = |text: &&str| Entry {
        zxid: zxid(text),
        bytes: entry(zxid(text)),
    };
    zxids.iter().map(entry).collect()
}

pub struct Server {
    pub peer: Peer,
    pub now: Time,
    /// What was ordered to be made durable last.
    epochs: Epochs,
    /// The configuration that was told last.
    pub configured: Option<Arc<Membership>>,
}

impl Server {
    /// Server `id`, which was stopped in epoch 1 with this history.
    pub fn new(id: i64, history: &[&str]) -> Self {
        Self::with(id, history, MEMBERS, |_| {})
    }

    pub fn with(
        id: i64,
        history: &[&str],
        members: &str,
        configure: impl Fn(&mut PeerConfig),
    ) -> Self {
        let mut config = PeerConfig {
            id: ServerId(id),
            timing: Timing {
                tick: SECOND,
                init: SECOND * 10,
                sync: SECOND * 5,
                connect: SECOND * 10,
            },
            limits: Limits::default(),
            election: ElectionConfig {
                min_interval: SECOND,
                max_interval: SECOND,
                finalize_wait: Duration::ZERO,
                reconfig: false,
            },
            commit_log: 10,
            always_snapshot: false,
            read_log: true,
            reconfig: false,
        };
        configure(&mut config);
        let recent = entries(history);
        let epochs = Epochs {
            accepted: Epoch(1),
            current: Epoch(1),
        };
        let recovered = Recovered {
            last: recent.last().map_or(Zxid(0), |entry| entry.zxid),
            epochs,
            recent,
            standing: Standing::Normal,
        };
        let members = Memberships::new(Membership::parse(members).unwrap());
        let peer = Peer::member(config, members, recovered, Time(0));
        let mut server = Self {
            peer,
            now: Time(0),
            epochs,
            configured: None,
        };
        server.outputs();
        server
    }

    /// One that has asked server 3 for the history of epoch 2.
    pub fn learner(id: i64, history: &[&str]) -> Self {
        let mut server = Self::new(id, history);
        server.join("1.0");
        server
    }

    /// Finds that server 3 leads, with that history, and agrees on epoch 2 with it.
    pub fn join(&mut self, advertised: &str) {
        self.connect(advertised);
        self.tell("LEADERINFO 2");
        self.tell("epochs durable");
    }

    /// Finds that server 3 leads, with that history, and connects to it.
    pub fn connect(&mut self, advertised: &str) {
        self.handle_pause();
        let other = if self.peer.id() == ServerId(2) { 1 } else { 2 };
        for (from, state) in [(other, PeerState::Following), (3, PeerState::Leading)] {
            let said = says(state, 3, advertised);
            self.peer
                .handle_notification(self.now, ServerId(from), &said);
        }
        let told = self.outputs();
        assert!(told.contains(&"dial 3".to_owned()), "{told:?}");
        self.peer.link_dialled(self.now, TO_LEADER);
        self.outputs();
    }

    /// One that leads in epoch 2: elected by server 1, which is connected and waits for what it
    /// is sent.
    pub fn leader(history: &[&str]) -> Self {
        let mut server = Self::new(2, history);
        server.lead();
        server.tell("1 FOLLOWERINFO 1");
        server.tell("epochs durable");
        server
    }

    /// Is elected by server 1.
    pub fn lead(&mut self) {
        self.lead_by(&[1]);
    }

    /// Is elected by these; no other can be reached.
    pub fn lead_by(&mut self, electors: &[i64]) {
        let voters = self.peer.members().committed().quorum.voters().clone();
        for server in voters {
            let is_elector = electors.contains(&server.0);
            self.peer.handle_peer(self.now, server, is_elector);
        }
        let last = show(self.peer.last());
        let mut said = says(PeerState::Looking, 2, &last);
        said.epoch = i64::from(self.epochs.current.0);
        said.round = 9;
        for elector in electors {
            let from = ServerId(*elector);
            self.peer.handle_notification(self.now, from, &said);
        }
        let told = self.outputs();
        assert!(told.contains(&"prepares to lead".to_owned()), "{told:?}");
    }

    /// Lets the pause between two attempts to join pass.
    fn handle_pause(&mut self) {
        if let Some(next) = self.peer.next_timeout() {
            self.now = self.now.max(next);
            self.peer.handle_timeout(self.now);
            self.outputs();
        }
    }

    /// The promises that were ordered to be made durable.
    pub fn ordered(&self) -> Epochs {
        self.epochs
    }

    /// Takes each step and compares what comes out of it.
    pub fn check(&mut self, steps: &[(&str, &[&str])]) {
        for (step, expected) in steps {
            assert_eq!(self.tell(step), *expected, "{step}");
        }
    }

    /// Takes one input; what comes out.
    pub fn tell(&mut self, step: &str) -> Vec<String> {
        let words: Vec<&str> = step.split(' ').collect();
        match words[..] {
            ["epochs", "durable"] => self.peer.epochs_saved(self.now, self.epochs),
            ["log", "durable", to] => self.peer.log_synced(self.now, zxid(to)),
            ["truncated"] => self.peer.truncated(self.now),
            ["snapshot", "received", at] => {
                self.peer.snapshot_received(self.now, TO_LEADER, zxid(at));
            }
            ["snapshot", "installed"] => self.peer.snapshot_installed(self.now),
            ["snapshot", "started", at] => self.peer.snapshot_started(zxid(at)),
            ["snapshot", "ready"] => self.peer.snapshot_ready(self.now, true),
            ["log", "read", id, ref zxids @ ..] => {
                self.peer.log_read(self.now, link(id), Some(entries(zxids)));
            }
            ["connection", "lost"] => self.peer.link_lost(self.now, TO_LEADER),
            [id, "lost"] => self.peer.link_lost(self.now, link(id)),
            [id, "looks"] => {
                let said = says(PeerState::Looking, id.parse().unwrap(), "1.0");
                let from = ServerId(id.parse().unwrap());
                self.peer.handle_notification(self.now, from, &said);
            }
            ["propose", at] => {
                let at = zxid(at);
                let proposed = self.peer.propose(self.now, at, entry(at), None);
                proposed.unwrap();
            }
            [id, kind, ref rest @ ..] if id.parse::<u32>().is_ok() => {
                self.hear(id, kind, rest);
            }
            _ => {
                let packet = packet(&words);
                self.peer.handle_packet(self.now, TO_LEADER, packet);
            }
        }
        self.outputs()
    }

    /// A learner sends something, as the first thing that it does if it introduces itself.
    fn hear(&mut self, id: &str, kind: &str, rest: &[&str]) {
        let from = link(id);
        let packet = match (kind, rest) {
            ("FOLLOWERINFO" | "OBSERVERINFO", [accepted]) => {
                self.peer.link_accepted(self.now, from);
                Packet::LearnerInfo(LearnerInfo {
                    observer: kind == "OBSERVERINFO",
                    accepted_epoch: Epoch(accepted.parse().unwrap()),
                    server: Some(ServerId(id.parse().unwrap())),
                    config_version: 0,
                })
            }
            ("ACKEPOCH", [current, last]) => Packet::AckEpoch {
                last_zxid: zxid(last),
                current_epoch: Some(Epoch(current.parse().unwrap())),
            },
            ("ACK", [of]) => Packet::Ack(zxid(of)),
            _ => panic!("what does {kind} mean?"),
        };
        self.peer.handle_packet(self.now, from, packet);
    }

    /// What is there to do, without what is said on the election port and to people.
    pub fn outputs(&mut self) -> Vec<String> {
        let mut said = Vec::new();
        while let Some(output) = self.peer.poll() {
            match output {
                Output::Send { link, packet } if link == TO_LEADER => said.push(name(&packet)),
                Output::Send { link, packet } => said.push(format!("{} {}", link.0, name(&packet))),
                Output::Hangup { link, .. } if link == TO_LEADER => said.push("leave".into()),
                Output::Hangup { link, .. } => said.push(format!("{} hang up", link.0)),
                Output::Dial { leader, .. } => said.push(format!("dial {}", leader.0)),
                Output::Append { zxid, .. } => said.push(format!("log {}", show(zxid))),
                Output::SaveEpochs { accepted, current } => {
                    self.epochs = Epochs { accepted, current };
                    said.push(format!("save epochs {} {}", accepted.0, current.0));
                }
                Output::Truncate { to } => said.push(format!("truncate to {}", show(to))),
                Output::InstallSnapshot { zxid, .. } => {
                    said.push(format!("install {}", show(zxid)))
                }
                Output::TakeSnapshot => said.push("take a snapshot".into()),
                Output::SendSnapshot { link, zxid } => {
                    said.push(format!("{} snapshot {}", link.0, show(zxid)));
                }
                Output::ReadLog { link, after, until } => said.push(format!(
                    "read the log for {} from {} to {}",
                    link.0,
                    show(after),
                    show(until)
                )),
                Output::Became(part) => said.push(match part {
                    Part::Looking { .. } => "looks".into(),
                    Part::PreparingToLead => "prepares to lead".into(),
                    Part::Joining { .. } => continue,
                    Part::Leading { .. } => "leads".into(),
                    Part::Following { .. } => "follows".into(),
                    Part::Observing { .. } => "observes".into(),
                }),
                Output::Configured { committed, .. } => self.configured = Some(committed),
                Output::Notify { .. }
                | Output::DialAll
                | Output::DialMaster { .. }
                | Output::LinkTimeout { .. }
                | Output::Note(_)
                | Output::Warning(_) => {}
            }
        }
        said
    }

    /// The vote that it tells everybody as it looks for a leader.
    pub fn vote(&mut self) -> Option<String> {
        std::iter::from_fn(|| self.peer.poll()).find_map(|output| match output {
            Output::Notify { message, .. } if message.state == PeerState::Looking => {
                Some(format!("{} in {}", show(message.zxid), message.epoch))
            }
            _ => None,
        })
    }
}

fn link(id: &str) -> LinkId {
    LinkId(id.parse().unwrap())
}

/// What a server says on the election port.
pub fn says(state: PeerState, leader: i64, last: &str) -> Notification {
    Notification {
        state,
        leader: ServerId(leader),
        zxid: zxid(last),
        round: 1,
        epoch: 1,
        version: 2,
        config: None,
    }
}

/// A packet of the leader's.
fn packet(words: &[&str]) -> Packet {
    match words[..] {
        ["LEADERINFO", epoch] => Packet::LeaderInfo(Epoch(epoch.parse().unwrap())),
        ["DIFF", at] => Packet::Diff(zxid(at)),
        ["TRUNC", to] => Packet::Trunc(zxid(to)),
        ["SNAP", at] => Packet::Snap(zxid(at)),
        ["PROPOSAL", at] => Packet::Proposal {
            zxid: zxid(at),
            entry: entry(zxid(at)),
        },
        ["COMMIT", at] => Packet::Commit(zxid(at)),
        ["INFORM", at] => Packet::Inform {
            zxid: zxid(at),
            entry: entry(zxid(at)),
        },
        ["INFORMANDACTIVATE", at] => Packet::InformAndActivate {
            zxid: zxid(at),
            leader: ServerId(3),
            entry: entry(zxid(at)),
        },
        ["NEWLEADER", epoch] => Packet::NewLeader {
            zxid: Zxid::new(Epoch(epoch.parse().unwrap()), 0),
            config: "".into(),
        },
        ["NEWLEADER", epoch, version] => Packet::NewLeader {
            zxid: Zxid::new(Epoch(epoch.parse().unwrap()), 0),
            config: format!("{MEMBERS}\nversion={version}").into(),
        },
        ["UPTODATE"] => Packet::UpToDate,
        _ => panic!("what does {words:?} mean?"),
    }
}

fn name(packet: &Packet) -> String {
    match packet {
        Packet::Proposal { zxid, .. }
        | Packet::Commit(zxid)
        | Packet::Inform { zxid, .. }
        | Packet::Ack(zxid)
        | Packet::Diff(zxid)
        | Packet::Trunc(zxid)
        | Packet::Snap(zxid) => format!("{} {}", packet.name(), show(*zxid)),
        Packet::NewLeader { zxid, .. } => format!("{} {}", packet.name(), zxid.epoch().0),
        Packet::LeaderInfo(epoch) => format!("{} {}", packet.name(), epoch.0),
        Packet::AckEpoch {
            last_zxid,
            current_epoch,
        } => format!(
            "{} {} {}",
            packet.name(),
            current_epoch.map_or(-1, |epoch| i64::from(epoch.0)),
            show(*last_zxid)
        ),
        other => other.name().to_owned(),
    }
}
