//! Why a member does not serve, and whom it waits for, in one sentence.

use grevy_node::{Membership, Peer, Phase};
use grevy_proto::ServerId;

/// "server 2", "servers 1 and 2", "servers 1, 2 and 3", "nobody".
pub fn names<'a>(servers: impl IntoIterator<Item = &'a ServerId>) -> String {
    let numbers: Vec<String> = servers.into_iter().map(|id| id.0.to_string()).collect();
    match numbers.split_last() {
        None => "nobody".to_owned(),
        Some((only, [])) => format!("server {only}"),
        Some((last, others)) => format!("servers {} and {last}", others.join(", ")),
    }
}

/// "servers 1, 2 and 3", "servers 1, 2 and 3 (observing: server 4)".
pub fn members(membership: &Membership) -> String {
    let voters = names(membership.quorum.voters());
    let all = membership.members.keys();
    let observers: Vec<&ServerId> = all.filter(|id| !membership.is_voter(**id)).collect();
    match observers.is_empty() {
        true => voters,
        false => format!("{voters} (observing: {})", names(observers)),
    }
}

/// What a server that does not serve waits for.
pub fn outlook(peer: &Peer) -> String {
    let (state, why) = state_and_why(peer);
    format!("{state}{why}")
}

/// The same, behind a text that says that there is no leader.
pub fn without_leader(peer: &Peer) -> String {
    state_and_why(peer).1
}

/// Whether it has a leader, if that is all there is to say of its state, and what is the matter.
fn state_and_why(peer: &Peer) -> (&'static str, String) {
    const NONE: &str = "it has no leader: ";
    const NONE_YET: &str = "it has no leader yet: ";

    if peer.is_refuted() {
        let why = "its data is another ensemble's, and it takes no part; stop it, and give it the \
                   right data directory, or empty this one";
        return ("", why.to_owned());
    }
    let voters = peer.voter_reports();
    let named = |wanted: &dyn Fn(&grevy_node::VoterReport) -> bool| -> Vec<ServerId> {
        let wanted = voters.iter().filter(|voter| wanted(voter));
        wanted.map(|voter| voter.server).collect()
    };
    let candidate = peer.candidate();
    let without = named(&|voter| voter.supports != candidate || candidate.is_none());
    match (peer.phase(), candidate) {
        (Phase::Election, _) => {
            let unreachable = named(&|voter| voter.connected == Some(false));
            if !peer.members().is_quorum(|_| true) {
                let why = "all servers of its configuration together are no quorum, as their \
                           weight is 0; give those that are to vote one";
                return (NONE, why.to_owned());
            }
            let can_be_reached =
                |server: ServerId| server == peer.id() || !unreachable.contains(&server);
            if !peer.members().is_quorum(can_be_reached) {
                let servers = names(&unreachable);
                let why =
                    format!("too few servers for a quorum can be reached; it waits for {servers}");
                return (NONE, why);
            }
            let servers = names(&without);
            let why = match candidate {
                Some(ServerId(candidate)) => {
                    format!("it votes for server {candidate}, and waits for what {servers} say")
                }
                None => format!("it waits for what {servers} say"),
            };
            (NONE_YET, why)
        }
        (phase, Some(leader)) if leader == peer.id() => {
            let servers = names(&without);
            let why =
                format!("it is elected to lead, and waits for {servers} to accept that ({phase})");
            ("", why)
        }
        (phase, leader) => {
            let why = format!("it joins {}, its leader ({phase})", names(leader.as_ref()));
            ("", why)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn observers_are_named_apart() {
        let voters = "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\n";
        let observers = "server.4=d:1:2:observer\nserver.5=e:1:2:observer\n";
        for (text, expected) in [
            (voters.to_owned(), "servers 1, 2 and 3"),
            (
                format!("{voters}{observers}"),
                "servers 1, 2 and 3 (observing: servers 4 and 5)",
            ),
        ] {
            assert_eq!(members(&Membership::parse(&text).unwrap()), expected);
        }
    }

    #[test]
    fn servers_are_named_in_words() {
        for (servers, expected) in [
            (&[][..], "nobody"),
            (&[7], "server 7"),
            (&[1, 3], "servers 1 and 3"),
            (&[1, 2, 3], "servers 1, 2 and 3"),
        ] {
            let servers: Vec<ServerId> = servers.iter().copied().map(ServerId).collect();
            assert_eq!(names(&servers), expected);
        }
    }
}
