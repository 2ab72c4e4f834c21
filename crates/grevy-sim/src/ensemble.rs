//! An ensemble: its members, how they count, and the limits that they live by.

use crate::random::Random;
use grevy_proto::ServerId;
use grevy_zab::membership::Role;
use grevy_zab::{ElectionConfig, Limits, Membership, PeerConfig, Quorum, Timing};
use std::fmt::Write;
use std::time::Duration;

/// What an ensemble is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ensemble {
    /// How many servers vote.
    pub voters: usize,
    /// How many do not.
    pub observers: usize,
    /// Whether voters are in groups, with weights.
    pub grouped: bool,
    /// `initLimit`, in ticks.
    pub init_ticks: u32,
    /// `syncLimit`, in ticks.
    pub sync_ticks: u32,
    /// `commitLogCount`.
    pub commit_log: usize,
    /// `forceSnapshotSync`.
    pub always_snapshot: bool,
    /// Whether learners get log files read back to them.
    pub read_log: bool,
    /// `reconfigEnabled`.
    pub reconfig: bool,
    /// Whether somebody changes the ensemble while it runs.
    pub changes: bool,
    /// `zookeeper.db.autocreate`: whether a server with an empty disk takes itself for new.
    pub create_db: bool,
    /// The last counter of an epoch.
    pub last_counter: u32,
    /// `localSessionsEnabled`.
    pub local_sessions: bool,
    /// `localSessionsUpgradingEnabled`.
    pub upgrades: bool,
    /// `observerMasterPort`: whether followers serve observers.
    pub masters: bool,
    /// `readonlymode.enabled`, a bit for each server.
    pub read_only: u16,
    /// `enableEagerACLCheck`.
    pub eager_acl_check: bool,
}

impl Ensemble {
    /// One of those that there are, mostly of three.
    pub fn draw(r: &mut Random) -> Self {
        let voters = *r.pick(&[3, 3, 3, 3, 5, 5, 1, 2, 4, 7]);
        let grouped = voters >= 3 && r.one_in(6);
        let reconfig = r.percent(70);
        let own = &mut r.clone().fork();
        Self {
            voters,
            observers: *r.pick(&[0, 0, 0, 1, 1, 2, 3]),
            grouped,
            reconfig,
            changes: reconfig && !grouped && r.percent(40),
            init_ticks: r.between(8, 20) as u32,
            sync_ticks: r.between(4, 8) as u32,
            commit_log: *r.pick(&[3, 3, 20, 500]),
            always_snapshot: r.one_in(10),
            read_log: r.percent(60),
            create_db: r.percent(60),
            last_counter: match r.one_in(4) {
                true => r.between(20, 300) as u32,
                false => Limits::default().last_counter,
            },
            local_sessions: own.percent(30),
            upgrades: own.percent(75),
            masters: own.percent(50),
            read_only: match own.below(4) {
                0 | 1 => 0,
                2 => u16::MAX,
                _ => own.any() as u16,
            },
            eager_acl_check: own.percent(30),
        }
    }

    /// How many servers there are.
    pub fn len(&self) -> usize {
        self.voters + self.observers
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The members, as every server's configuration has them at first.
    pub fn membership(&self) -> Membership {
        let mut text = String::new();
        for n in 0..self.len() {
            text += &Self::line(n, n >= self.voters);
            text.push('\n');
        }
        if self.grouped {
            // Groups of three, or what is left of three.
            for (group, first) in (0..self.voters).step_by(3).enumerate() {
                let members: Vec<String> = (first..self.voters.min(first + 3))
                    .map(|n| (n + 1).to_string())
                    .collect();
                // Writing into a string cannot fail.
                let _ = writeln!(text, "group.{}={}", group + 1, members.join(":"));
            }
            for n in 0..self.voters {
                let _ = writeln!(text, "weight.{}={}", n + 1, 1 + n % 2);
            }
        }
        Membership::parse(&text).expect("a text of our own")
    }

    /// A member's line.
    pub fn line(n: usize, observes: bool) -> String {
        let role = if observes { ":observer" } else { "" };
        format!("server.{0}=s{0}:2888:3888{role};2181", n + 1)
    }

    /// A server's share of the protocol's settings.
    pub fn peer_config(&self, id: ServerId, tick: Duration) -> PeerConfig {
        PeerConfig {
            id,
            timing: Timing {
                tick,
                init: tick * self.init_ticks,
                sync: tick * self.sync_ticks,
                connect: tick * self.sync_ticks,
            },
            limits: Limits {
                last_counter: self.last_counter,
                observer_masters: self.masters,
                seed: id.0.cast_unsigned(),
                ..Limits::default()
            },
            election: ElectionConfig {
                min_interval: Duration::from_millis(200),
                max_interval: Duration::from_secs(2),
                finalize_wait: Duration::from_millis(200),
                reconfig: self.reconfig,
            },
            commit_log: self.commit_log,
            always_snapshot: self.always_snapshot,
            read_log: self.read_log,
            reconfig: self.reconfig,
        }
    }
}

/// Whether the voters that `agrees` names are enough, counted anew: more than half, or more than
/// half of the weight in more than half of the groups that weigh anything.
pub fn is_enough(membership: &Membership, agrees: impl Fn(ServerId) -> bool) -> bool {
    let votes = |id: &ServerId| {
        let member = membership.members.get(id);
        member.is_some_and(|member| member.role == Role::Participant)
    };
    let Quorum::Hierarchical {
        groups, weights, ..
    } = &membership.quorum
    else {
        let voters: Vec<_> = membership.members.keys().filter(|id| votes(id)).collect();
        return 2 * voters.iter().filter(|id| agrees(***id)).count() > voters.len();
    };
    let weight = |id: &ServerId| weights.get(id).copied().unwrap_or(0);
    let real: Vec<_> = groups
        .values()
        .filter(|group| group.iter().any(|id| weight(id) > 0))
        .collect();
    let won = real.iter().filter(|group| {
        let whole: u32 = group.iter().map(weight).sum();
        let agreeing = group.iter().filter(|id| votes(id) && agrees(**id));
        2 * agreeing.map(weight).sum::<u32>() > whole
    });
    2 * won.count() > real.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_counting_agree() {
        let mut random = Random::new(1);
        for _ in 0..200 {
            let ensemble = Ensemble::draw(&mut random);
            let membership = ensemble.membership();
            assert_eq!(membership.members.len(), ensemble.len());
            let agreeing = random.any();
            let agrees = |id: ServerId| agreeing >> id.0 & 1 == 1;
            let expected = membership.quorum.is_quorum(agrees);
            assert_eq!(is_enough(&membership, agrees), expected, "{ensemble:?}");
        }
    }
}
