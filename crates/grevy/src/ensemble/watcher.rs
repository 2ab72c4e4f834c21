//! Says what changes in an ensemble: who leads, who follows, who does not answer.

use super::layout::Place;
use grevy_proto::HostPort;
use grevy_tools::ensemble::words::ask;
use std::time::Duration;

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_millis(500);

/// What the servers were when they were last looked at.
pub struct Watcher {
    servers: Vec<(u16, HostPort, String)>,
}

impl Watcher {
    /// Nothing is known yet.
    pub fn new(places: &[Place]) -> Self {
        let server = |place: &Place| {
            let address = HostPort {
                host: "127.0.0.1".into(),
                port: place.client_port,
            };
            (place.id, address, String::new())
        };
        Self {
            servers: places.iter().map(server).collect(),
        }
    }

    /// Looks at all servers; returns a line for each that changed.
    pub fn look(&mut self) -> Vec<String> {
        let mut changes = Vec::new();
        for (id, address, before) in &mut self.servers {
            let now = match ask(address, "srvr", PATIENCE) {
                Ok(answer) => mode(&answer),
                Err(_) => "down".to_owned(),
            };
            // At the start everybody is down for a moment, and nobody needs to be told.
            let starts = before.is_empty() && now == "down";
            if now != *before && !starts {
                changes.push(format!("server {id}: {now}"));
                *before = now;
            }
        }
        changes
    }
}

/// What a server says it is.
fn mode(srvr: &str) -> String {
    let mode = srvr.lines().find_map(|line| line.strip_prefix("Mode: "));
    match mode {
        Some("leader") => "leads".to_owned(),
        Some("follower") => "follows".to_owned(),
        Some("observer") => "observes".to_owned(),
        Some(other) => other.to_owned(),
        None => "looks for a leader".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes() {
        for (srvr, expected) in [
            (
                "Zookeeper version: 3\nMode: leader\nNode count: 5\n",
                "leads",
            ),
            ("Mode: follower\n", "follows"),
            (
                "This ZooKeeper instance is not currently serving requests\n",
                "looks for a leader",
            ),
        ] {
            assert_eq!(mode(srvr), expected);
        }
    }
}
