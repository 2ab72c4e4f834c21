//! What a server that has a leader, or is one, says to those that look for one. Source:
//! `FastLeaderElection.Messenger.WorkerReceiver`.

use super::Vote;
use crate::membership::Memberships;
use grevy_proto::ServerId;
use grevy_proto::election::PeerState;

/// The vote to answer with, if `from` is to be answered. It goes out with the answerer's own
/// state and its committed configuration.
///
/// `vote` is the one that the last election ended with; its epoch is to be replaced by the new
/// leader's once that is established (after UPTODATE at a learner, after the quorum for
/// NEWLEADER at the leader; ZOOKEEPER-1732), or servers that come later find no quorum of equal
/// votes. `round` is this server's own round of elections.
///
/// Whoever does not look for a leader gets no answer, or two servers that take each other for
/// no voters would go on forever.
pub fn answer(
    vote: &Vote,
    round: i64,
    memberships: &Memberships,
    from: ServerId,
    their_state: PeerState,
) -> Option<Vote> {
    (their_state == PeerState::Looking).then(|| match memberships.is_voter(from) {
        true => *vote,
        false => Vote { round, ..*vote },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::membership::Membership;
    use grevy_proto::Zxid;

    #[test]
    fn who_looks_is_answered() {
        let members = Membership::parse("server.1=a:1:2\nserver.2=b:1:2:observer").unwrap();
        let memberships = Memberships::new(members);
        let vote = Vote {
            leader: ServerId(1),
            zxid: Zxid(7),
            round: 3,
            epoch: 2,
        };
        let own_round = Vote { round: 5, ..vote };
        for (from, state, expected) in [
            (1, PeerState::Looking, Some(vote)),
            (2, PeerState::Looking, Some(own_round)),
            (9, PeerState::Looking, Some(own_round)),
            (1, PeerState::Following, None),
            (1, PeerState::Leading, None),
            (9, PeerState::Observing, None),
        ] {
            let answer = answer(&vote, 5, &memberships, ServerId(from), state);
            assert_eq!(answer, expected, "{from} {state:?}");
        }
    }
}
