//! Why a member does not serve, and whom it waits for, in one sentence.

use grevy_node::{Peer, Phase};
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

/// What a server that does not serve waits for.
pub fn outlook(peer: &Peer) -> String {
    if peer.is_refuted() {
        return "its data is another ensemble's, and it takes no part; stop it, and give it the \
                right data directory, or empty this one"
            .to_owned();
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
            let can_be_reached =
                |server: ServerId| server == peer.id() || !unreachable.contains(&server);
            if !peer.members().is_quorum(can_be_reached) {
                let servers = names(&unreachable);
                return format!(
                    "it has no leader: too few servers for a quorum can be reached; it waits for \
                     {servers}"
                );
            }
            match candidate {
                Some(ServerId(candidate)) => {
                    let servers = names(&without);
                    format!(
                        "it has no leader yet: it votes for server {candidate}, and waits for \
                         what {servers} say"
                    )
                }
                None => format!(
                    "it has no leader yet: it waits for what {} say",
                    names(&without)
                ),
            }
        }
        (phase, Some(leader)) if leader == peer.id() => {
            format!(
                "it is elected to lead, and waits for {} to accept that ({phase})",
                names(&without)
            )
        }
        (phase, leader) => {
            format!("it joins {}, its leader ({phase})", names(leader.as_ref()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
