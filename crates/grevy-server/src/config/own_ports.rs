//! Ports that a server has taken for other servers, and cannot take for anything else.

use super::administration::Administration;
use super::clients::Clients;
use super::endpoint::Listen;
use super::quorum::{Membership, Quorum};
use super::reader::Reader;
use super::server_line::Role;

/// Checks that clients and the admin server have ports of their own.
pub(super) fn check(
    reader: &mut Reader<'_>,
    membership: &Membership,
    quorum: &Quorum,
    clients: &Clients,
    administration: &Administration,
) {
    let taken = taken(membership, quorum);
    let everywhere = quorum.listen_on_every_address;
    let find = |listen: &Listen| {
        let clashes = |port: &&Taken<'_>| {
            // Whether two names are one machine's is not known here.
            let same_host = listen.host.as_deref() == Some(port.host);
            let meet = everywhere || listen.is_every_address() || same_host;
            meet && port.number == listen.port
        };
        taken.iter().find(clashes).map(|port| port.what)
    };
    let id = membership.my_id;
    if let Some(listen) = &clients.listen
        && let Some(what) = find(listen)
    {
        let text = format!(
            "clients are to connect to port {}, which is the {what} of server.{id}, this server; \
             give them another",
            listen.port
        );
        reader.error("clientPort", text);
    }
    // Without it the server runs, too.
    if let Some(server) = &administration.server
        && let Some(what) = find(&server.listen)
    {
        let text = format!(
            "{} is the {what} of server.{id}, this server; give the admin server another, or set \
             admin.enableServer=false",
            server.listen.port
        );
        reader.warn("admin.serverPort", text);
    }
}

/// A port of this server.
struct Taken<'a> {
    host: &'a str,
    number: u16,
    what: &'static str,
}

fn taken<'a>(membership: &'a Membership, quorum: &Quorum) -> Vec<Taken<'a>> {
    let line = membership.ensemble.servers.get(&membership.my_id);
    let addresses = line.map_or(&[][..], |line| &line.addresses);
    // Only voters ever serve observers.
    let observers = quorum
        .observer_master_port
        .filter(|_| membership.role == Role::Participant);
    let mut taken = Vec::new();
    for address in addresses {
        for (number, what) in [
            (Some(address.quorum_port), "quorum port"),
            (Some(address.election_port), "election port"),
            (observers, "observerMasterPort"),
        ] {
            let host = &*address.host;
            taken.extend(number.map(|number| Taken { host, number, what }));
        }
    }
    taken
}
