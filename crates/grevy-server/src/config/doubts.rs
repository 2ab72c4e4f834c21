//! What the lines about the members may say, as in ZooKeeper, and nobody can mean.

use std::collections::BTreeMap;

use super::ensemble::{Ensemble, Hierarchy};
use super::finding::{Origin, Report};

/// Warns of addresses that two servers have, and of groups without any weight.
pub(super) fn warn(ensemble: &Ensemble, whole: &Origin, report: &mut Report) {
    let mut owners: BTreeMap<(&str, u16), (i64, &str)> = BTreeMap::new();
    for (&id, server) in &ensemble.servers {
        let peers = server.addresses.iter().flat_map(|address| {
            [
                (&*address.host, address.quorum_port, "quorum"),
                (&*address.host, address.election_port, "election"),
            ]
        });
        for (host, port, what) in peers {
            let Some((other, its)) = owners.insert((host, port), (id, what)) else {
                continue;
            };
            let text = format!(
                "the {what} address {host}:{port} is the {its} address of server {other}, too; \
                 only one of them can listen there, give each its own"
            );
            report.warn(whole, &format!("server.{id}"), text);
        }
    }
    if let Some(Hierarchy { groups, weights }) = &ensemble.hierarchy {
        let weighs = |id: &i64| weights.get(id).is_none_or(|weight| *weight > 0);
        if !groups.is_empty() && !groups.values().flatten().any(weighs) {
            let text = "every server of every group has the weight 0, so there is never a quorum \
                        and nobody serves; give those that are to vote a weight";
            report.warn(whole, "weight", text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ensemble::read_dynamic;
    use super::*;

    #[test]
    fn what_nobody_can_mean_is_told() {
        for (text, expected) in [
            ("server.1=a:1:2\nserver.2=b:1:2\nserver.3=a:3:4", &[][..]),
            (
                "server.1=a:1:2\nserver.2=a:1:3",
                &["server.2: the quorum address a:1 is the quorum address of server 1"],
            ),
            (
                "server.1=a:1:2\nserver.2=a:2:3",
                &["server.2: the quorum address a:2 is the election address of server 1"],
            ),
            (
                "server.1=a:1:2\ngroup.1=1\nweight.1=0",
                &["weight: every server of every group has the weight 0"],
            ),
            (
                "server.1=a:1:2\nserver.2=b:1:2\ngroup.1=1:2\nweight.1=0",
                &[],
            ),
        ] {
            let mut report = Report::default();
            read_dynamic("d", text, Some(0), false, &mut report);
            assert!(report.errors.is_empty(), "{:?}", report.errors);
            let told: Vec<_> = report.warnings.iter().map(ToString::to_string).collect();
            assert_eq!(told.len(), expected.len(), "{told:?}");
            for (told, expected) in told.iter().zip(expected) {
                assert!(told.contains(expected), "{told} does not say {expected}");
            }
        }
    }
}
