//! What commands tell of the ensemble, under ZooKeeper's keys. Source: `LeaderCommand`,
//! `SyncedObserverConsCommand`, `VotingViewCommand`, `ZabStateCommand`.

use super::facts::{Query, object};
use super::reply::Facts;
use crate::inspect::ensemble::{self, EnsembleReport, LearnerView};
use crate::inspect::server;
use crate::shared::Shared;
use grevy_node::Part;
use grevy_proto::HostPort;
use grevy_proto::address::Bracketed;
use grevy_zab::membership::{Member, PeerAddress, Role};
use serde_json::{Value, json};

pub(super) fn leader(shared: &Shared, _: &Query) -> Facts {
    let Some(report) = ensemble::report(shared) else {
        return object(json!({ "error": "server is not initialized" }));
    };
    object(json!({
        "is_leader": report.leader.is_some(),
        "leader_id": report.serving_leader().map_or(-1, |id| id.0),
        "leader_ip": report.leader_hosts(),
    }))
}

pub(super) fn observers(shared: &Shared, _: &Query) -> Facts {
    let report = ensemble::report(shared);
    let observers: Vec<Value> = report
        .iter()
        .flat_map(|report| report.observers().map(observer))
        .collect();
    object(json!({ "synced_observers": observers.len(), "observers": observers }))
}

fn observer(learner: &LearnerView) -> Value {
    let traffic = &learner.report.traffic;
    json!({
        "remote_socket_address": address(learner),
        "sid": learner.report.server.map_or(-1, |id| id.0),
        "established": learner.established_ms,
        // Packets are bytes by the time they wait, so that none do.
        "queued_packets": 0,
        "queued_packets_size": learner.queued,
        "packets_received": traffic.received,
        "packets_sent": traffic.sent,
        "requests": traffic.requests,
        "last_zxid": traffic.last_zxid.0,
    })
}

/// As Java writes a socket's address.
fn address(learner: &LearnerView) -> String {
    let address = learner.address;
    address.map_or(String::new(), |address| format!("/{address}"))
}

pub(super) fn reset_observers(shared: &Shared, _: &Query) -> Facts {
    shared.with_node(|node, _| node.reset_observer_traffic());
    Facts::new()
}

pub(super) fn voting_view(shared: &Shared, _: &Query) -> Facts {
    let Some(report) = ensemble::report(shared) else {
        return object(json!({ "current_config": {} }));
    };
    let voters = report.membership.members.iter();
    let voters: Facts = voters
        .filter(|(server, _)| report.membership.is_voter(**server))
        .map(|(id, member)| {
            let own = (*id == report.id).then(|| own_client_address(shared));
            (id.0.to_string(), view(member, own))
        })
        .collect();
    object(json!({ "current_config": voters }))
}

fn view(member: &Member, own: Option<String>) -> Value {
    json!({
        "server_addresses": addresses(member, |address| address.quorum_port),
        "election_addresses": addresses(member, |address| address.election_port),
        "client_address": client(member).or(own).unwrap_or_default(),
        "learner_type": match member.role {
            Role::Participant => "participant",
            Role::Observer => "observer",
        },
    })
}

fn addresses(member: &Member, port: fn(&PeerAddress) -> u16) -> Vec<String> {
    let addresses = member.addresses.iter();
    addresses
        .map(|address| format!("{}:{}", Bracketed(&address.host), port(address)))
        .collect()
}

fn client(member: &Member) -> Option<String> {
    member.client.as_ref().map(HostPort::to_string)
}

/// Where this server listens for clients, though the configuration of the ensemble may not say.
fn own_client_address(shared: &Shared) -> String {
    let listen = shared.client_port.wanted();
    listen.map_or(String::new(), |listen| {
        let host = listen.host.as_deref().unwrap_or("0.0.0.0");
        format!("{}:{}", Bracketed(host), listen.port)
    })
}

/// Where this server is in the protocol. Java answers a server without a leader, too, but knows
/// nothing then; here the phase is told.
pub(super) fn zabstate(shared: &Shared, _: &Query) -> Facts {
    let Some(report) = ensemble::report(shared) else {
        return object(json!({ "voting": false, "zabstate": "" }));
    };
    let zxid = shared.tree.read().last_zxid();
    let mine = report.membership.members.get(&report.id);
    object(json!({
        "myid": report.id.0,
        "is_leader": matches!(report.part, Part::Leading { .. }),
        "quorum_address": mine.map(|m| several(m, |address| address.quorum_port)),
        "election_address": mine.map(|m| several(m, |address| address.election_port)),
        "client_address": mine.and_then(client).unwrap_or_else(|| own_client_address(shared)),
        "voting": report.membership.is_voter(report.id),
        "last_zxid": format!("0x{:x}", zxid.0),
        "zab_epoch": zxid.epoch().0,
        "zab_counter": zxid.counter(),
        "zabstate": report.phase.to_string(),
    }))
}

/// As Java's serialiser writes a `MultipleAddresses`. Whether an address can be reached is not
/// tried for the sake of an answer.
fn several(member: &Member, port: fn(&PeerAddress) -> u16) -> Value {
    let all = addresses(member, port);
    let one = all.first().cloned().unwrap_or_default();
    let ports: Vec<u16> = member.addresses.iter().map(port).collect();
    let wildcards: Vec<String> = ports.iter().map(|port| format!("0.0.0.0:{port}")).collect();
    let hosts: Vec<&str> = member.addresses.iter().map(|a| &*a.host).collect();
    json!({
        "empty": all.is_empty(),
        "all_addresses": all,
        "wildcard_addresses": wildcards,
        "all_ports": ports,
        "all_host_strings": hosts,
        "reachable_address": one,
        "all_reachable_addresses": all,
        "all_reachable_addresses_or_all": all,
        "reachable_or_one": one,
        "one": one,
    })
}

/// What the page wants to know and no command of ZooKeeper's tells: the ensemble as this server
/// sees it.
pub(super) fn ensemble(shared: &Shared, _: &Query) -> Facts {
    let Some(report) = ensemble::report(shared) else {
        return object(json!({ "member": false }));
    };
    let learners = report.learners.iter();
    let learners: Vec<Value> = learners.map(|l| learner(&report, l)).collect();
    let voters: Vec<Value> = report
        .voters
        .iter()
        .map(|voter| {
            json!({
                "sid": voter.server.0,
                "connected": voter.connected,
                "supports": voter.supports.map(|id| id.0),
            })
        })
        .collect();
    object(json!({
        "member": true,
        "myid": report.id.0,
        "state": report.peer_state(),
        "state_for_ms": report.in_part_ms,
        "voting": report.votes,
        "leader_id": report.serving_leader().map(|id| id.0),
        "candidate": report.candidate.map(|id| id.0),
        "epoch": report.epoch.0,
        "last_zxid": format!("0x{:x}", report.last.0),
        "committed_zxid": format!("0x{:x}", report.committed.0),
        "waits": report.waits,
        "read_only": server::is_read_only(shared),
        "looked_because": report.why,
        "quorum_size": report.quorum_size,
        "voters": voters,
        "learners": learners,
        "config_version": format!("{:x}", report.membership.version),
        "proposed_version": report.proposed.as_ref().map(|p| format!("{:x}", p.version)),
    }))
}

fn learner(report: &EnsembleReport, learner: &LearnerView) -> Value {
    let acked = learner.report.acked;
    let behind = (!learner.report.observer && acked.epoch() == report.last.epoch())
        .then(|| report.last.0.saturating_sub(acked.0).max(0));
    json!({
        "sid": learner.report.server.map(|id| id.0),
        "observer": learner.report.observer,
        "voting": learner.votes,
        "phase": learner.report.phase.to_string(),
        "acked_zxid": (acked.0 >= 0).then(|| format!("0x{:x}", acked.0)),
        "behind": behind,
        "established": learner.established_ms,
        "address": address(learner),
        "queued_bytes": learner.queued,
    })
}
