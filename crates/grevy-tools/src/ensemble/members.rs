//! Which servers there are: those of the connection string, and those that the ensemble's
//! configuration names.

use crate::exit::{Exit, Failure};
use crate::znodes::connection::Target;
use grevy_cli::client::{ClientError, ConnectString};
use grevy_cli::membership::client_addresses;
use grevy_proto::HostPort;

/// A server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its number in the ensemble, if that is known.
    pub id: Option<i64>,
    /// Where clients connect.
    pub address: HostPort,
}

/// Those that the configuration in `/zookeeper/config` names, or else those of the connection
/// string: a standalone server has no configuration there, and servers without a quorum do not
/// tell. `listed_only`: do not ask for the configuration.
pub fn find(target: &Target, listed_only: bool) -> Result<Vec<Member>, Failure> {
    let server = &target.session.server;
    let connect = ConnectString::parse(server)
        .map_err(|why| Failure::usage(format!("--server {server}: {why}")))?;
    let listed = connect
        .servers
        .into_iter()
        .map(|address| Member { id: None, address })
        .collect();
    if listed_only {
        return Ok(listed);
    }
    match configured(target) {
        Ok(found) if !found.is_empty() => Ok(found),
        // What the servers say themselves tells more than that nobody answers.
        Err(failure) if failure.exit != Exit::NoServer => Err(failure),
        Ok(_) | Err(_) => Ok(listed),
    }
}

fn configured(target: &Target) -> Result<Vec<Member>, Failure> {
    let connection = target.connect()?;
    match connection.client.get_config(false) {
        Ok((data, _)) => Ok(members(&String::from_utf8_lossy(&data.unwrap_or_default()))),
        // Servers answer so after the session is open.
        Err(error @ ClientError::AuthFailed) => Err(Failure::request(&error, "")),
        // Not everybody may read it, and servers before 3.5 have none.
        Err(error) => {
            let failure = Failure::request(&error, "/zookeeper/config");
            eprintln!("grevy: {failure}; asking the servers of --server only");
            Ok(Vec::new())
        }
    }
}

fn members(config: &str) -> Vec<Member> {
    let addresses = client_addresses(config);
    let members = addresses.into_iter().filter_map(|(id, address)| {
        let connect = ConnectString::parse(&address).ok()?;
        let address = connect.servers.into_iter().next()?;
        let id = Some(id);
        Some(Member { id, address })
    });
    let mut members: Vec<_> = members.collect();
    members.sort_by_key(|member| member.id);
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations_name_members() {
        let config = "server.2=b:1:2:participant;0.0.0.0:2182\nserver.1=a:1:2;[::1]:5\nversion=0";
        let found: Vec<_> = members(config)
            .into_iter()
            .map(|member| (member.id, member.address.to_string()))
            .collect();
        let expected = [(Some(1), "[::1]:5"), (Some(2), "b:2182")];
        assert_eq!(found, expected.map(|(id, text)| (id, text.to_owned())));
        assert_eq!(members(""), []);
    }
}
