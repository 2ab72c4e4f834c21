//! Which server is tried next. Source: `StaticHostProvider`.

use super::chance::Chance;
use crate::address::HostPort;

/// All servers in an order drawn once, so that clients spread evenly over them.
#[derive(Debug)]
pub struct Servers {
    ring: Vec<HostPort>,
    next: usize,
    /// How many were tried since the last that took us.
    tried: usize,
}

impl Servers {
    /// A ring in an order of chance.
    pub fn new(mut servers: Vec<HostPort>, chance: &mut Chance) -> Self {
        chance.shuffle(&mut servers);
        Self {
            ring: servers,
            next: 0,
            tried: 0,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ring.len()
    }

    /// The next one; `None` only if there are none.
    pub fn next(&mut self) -> Option<HostPort> {
        let server = self.ring.get(self.next).cloned();
        self.next = (self.next + 1) % self.ring.len().max(1);
        self.tried += 1;
        server
    }

    /// Makes the server that was given out last the next one.
    pub fn step_back(&mut self) {
        let len = self.ring.len().max(1);
        self.next = (self.next + len - 1) % len;
    }

    /// Whether every server was tried in vain; a new round starts with that.
    pub fn round_ends(&mut self) -> bool {
        let ends = self.tried >= self.ring.len();
        if ends {
            self.tried = 0;
        }
        ends
    }

    /// A server took us.
    pub fn found(&mut self) {
        self.tried = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_tries_each_server_once() {
        let all: Vec<HostPort> = (1..=3)
            .map(|port| HostPort {
                host: "h".to_owned(),
                port,
            })
            .collect();
        let mut servers = Servers::new(all.clone(), &mut Chance::new(7));
        let mut round = Vec::new();
        while !servers.round_ends() {
            round.extend(servers.next());
        }
        servers.step_back();
        assert_eq!(servers.next().as_ref(), round.last());
        round.sort_by_key(|server| server.port);
        assert_eq!(round, all);
    }
}
