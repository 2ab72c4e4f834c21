//! What a server gives up of its own history for that of its leader. What was never acknowledged
//! is of no value; but the operator of a server that was pointed at the wrong ensemble is to know.

use crate::common::Common;
use crate::history::History;
use crate::membership::Membership;
use alloc::format;
use alloc::string::String;
use grevy_proto::Zxid;

/// The transactions above `to`, in words; `None` if there are none.
pub(super) fn lost(history: &History, to: Zxid) -> Option<String> {
    let last = history.last();
    if last <= to {
        return None;
    }
    Some(match (history.next_after(to), history.base() <= to) {
        (Some(first), true) if first == last => format!("transaction {last}"),
        (Some(first), true) => {
            let count = history.between(to, last).count();
            format!("{count} transactions, {first} to {last}")
        }
        _ => format!("all transactions above {to}, up to {last}"),
    })
}

/// Says what is lost when a snapshot of the leader's, and what came behind it up to `end`, takes
/// the place of the history. `theirs` is the leader's configuration.
pub(super) fn warn_of_replacement(common: &mut Common, end: Zxid, theirs: Option<&Membership>) {
    let last = common.history.last();
    if let Some(lost) = lost(&common.history, end) {
        common.warn(format!(
            "the leader's snapshot takes the place of this server's history: {lost}, which the \
             leader does not have, go with it"
        ));
    } else if last > Zxid::ZERO
        && let Some(theirs) = theirs
        && !theirs.members.contains_key(&common.me)
    {
        common.warn(format!(
            "the snapshot of an ensemble whose configuration does not name this server takes the \
             place of its history, which ended at {last}"
        ));
    }
}

#[cfg(test)]
mod tests {
    use crate::output::{LinkId, Output};
    use crate::testing::{at, follower, outputs, warnings};
    use crate::time::Time;
    use alloc::string::ToString;
    use alloc::vec::Vec;
    use grevy_proto::quorum::Packet;

    const LINK: LinkId = LinkId(7);

    #[test]
    fn what_is_taken_back_is_told() {
        let all = "taking back all transactions above 0x100000001, up to 0x100000007, which the \
                   leader does not have";
        let many = "taking back 3 transactions, 0x100000005 to 0x100000007, which the leader does \
                    not have";
        let one = "taking back transaction 0x100000007, which the leader does not have";
        for (to, expected) in [
            (at(1, 1), &[all][..]),
            (at(1, 4), &[many]),
            (at(1, 6), &[one]),
            (at(1, 7), &[]),
        ] {
            // What is known of the history begins with 3.
            let mut peer = follower(at(1, 3), at(1, 7), 2, LINK);
            peer.handle_packet(Time(0), LINK, Packet::Trunc(to));
            let outputs = outputs(&mut peer);
            assert_eq!(warnings(&outputs), expected);
            assert!(outputs.contains(&Output::Truncate { to }));
        }
    }

    #[test]
    fn what_goes_with_a_snapshot_is_told() {
        let lost = "the leader's snapshot takes the place of this server's history: 2 \
                    transactions, 0x100000006 to 0x100000007, which the leader does not have, go \
                    with it";
        let strange = "the snapshot of an ensemble whose configuration does not name this server \
                       takes the place of its history, which ended at 0x100000007";
        for (zxid, behind, config, expected) in [
            (
                at(1, 4),
                Some(at(1, 5)),
                "server.1=a:1:2\nversion=0",
                &[lost][..],
            ),
            (at(1, 9), None, "server.2=a:1:2\nversion=0", &[strange]),
            (at(1, 9), None, "server.1=a:1:2\nversion=0", &[]),
            (at(1, 9), None, "", &[]),
        ] {
            let mut peer = follower(at(1, 3), at(1, 7), 2, LINK);
            let mut packets = Vec::from([Packet::Snap(zxid)]);
            packets.extend(behind.map(|zxid| Packet::Proposal {
                zxid,
                entry: [].into(),
            }));
            packets.push(Packet::NewLeader {
                zxid: at(2, 0),
                config: config.to_string().into(),
            });
            for packet in packets {
                peer.handle_packet(Time(0), LINK, packet);
            }
            assert_eq!(warnings(&outputs(&mut peer)), [] as [&str; 0]);
            peer.snapshot_received(Time(0), LINK, zxid);
            let outputs = outputs(&mut peer);
            assert_eq!(warnings(&outputs), expected);
            let installs = |output: &Output| match output {
                Output::InstallSnapshot { zxid: of, .. } => *of == zxid,
                _ => false,
            };
            assert!(outputs.iter().any(installs));
        }
    }
}
