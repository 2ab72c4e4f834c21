//! `grevy members`: the configuration of an ensemble, as `/zookeeper/config` has it.

use crate::exit::{At, Exit, Failure};
use crate::output;
use crate::znodes::connection::Target;
use clap::Args;
use grevy_proto::Zxid;
use serde_json::{Value, json};
use std::io::Write;

/// Of which ensemble.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  grevy members
  grevy members --output json | jq -r .servers[].id

Each line is one of the configuration: server.N=host:port:port:role;clients, then version=. A standalone
server has none. To change it, see `grevy reconfig`.")]
pub struct Arguments {
    #[command(flatten)]
    target: Target,
}

/// Shows it.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Exit, Failure> {
    let connection = arguments.target.connect()?;
    let (data, _) = connection
        .client
        .get_config(false)
        .at("/zookeeper/config")?;
    show(&data.unwrap_or_default(), arguments.target.is_json(), out)
}

/// Writes a configuration.
pub fn show(data: &[u8], is_json: bool, out: &mut dyn Write) -> Result<Exit, Failure> {
    let text = String::from_utf8_lossy(data);
    match is_json {
        true => output::line(out, &json(&text))?,
        false => {
            for line in text.lines() {
                writeln!(out, "{line}")?;
            }
        }
    }
    Ok(Exit::Done)
}

fn json(config: &str) -> Value {
    let pairs = || config.lines().filter_map(|line| line.split_once('='));
    let server = |(key, value): (&str, &str)| {
        let id: i64 = key.strip_prefix("server.")?.parse().ok()?;
        let (server, clients) = match value.split_once(';') {
            Some((server, clients)) => (server, Some(clients)),
            None => (value, None),
        };
        let observes = server.ends_with(":observer");
        let role = if observes { "observer" } else { "participant" };
        let addresses: Vec<&str> = server
            .split('|')
            .map(|address| {
                let address = address.strip_suffix(":observer").unwrap_or(address);
                address.strip_suffix(":participant").unwrap_or(address)
            })
            .collect();
        Some(json!({"id": id, "addresses": addresses, "role": role, "clients": clients}))
    };
    let version = pairs().find(|(key, _)| *key == "version");
    let version = version.and_then(|(_, text)| i64::from_str_radix(text, 16).ok());
    json!({
        "version": version.map(|version| Zxid(version).to_string()),
        "servers": pairs().filter_map(server).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations_as_json() {
        let config = "server.1=a:1:2:participant;0.0.0.0:2181\nserver.2=b:1:2|c:1:2:observer\n\
                      version=100000000";
        let expected = json!({
            "version": "0x100000000",
            "servers": [
                {"id": 1, "addresses": ["a:1:2"], "role": "participant",
                 "clients": "0.0.0.0:2181"},
                {"id": 2, "addresses": ["b:1:2", "c:1:2"], "role": "observer", "clients": null},
            ],
        });
        assert_eq!(json(config), expected);
        assert_eq!(json(""), json!({"version": null, "servers": []}));
    }
}
