//! Three servers that are one ensemble.

use super::{Child, Home, Kind, Launcher, Target};
use crate::clock;
use crate::failure::{Failure, Result};
use rustix::process::{Pid, Signal};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// The one that clients of the floor talk to.
const FLOOR: usize = 0;

/// Voters of an ensemble.
pub const MEMBERS: usize = 3;

/// Below the ports that the kernel gives to connections, one of which could otherwise take a server's port while it
/// is down.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// What a server says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Leader,
    Other,
}

/// The servers of an ensemble, numbered from 0; each may be down.
pub struct Ensemble {
    members: Vec<Member>,
}

struct Member {
    home: Home,
    address: SocketAddr,
    child: Option<Child>,
}

impl Member {
    /// What it is, if it serves. The floor has no words for that.
    fn mode(&self, at: usize) -> Option<Mode> {
        match (self.home.kind, at) {
            (Kind::Echo, FLOOR) => TcpStream::connect(self.address).ok().map(|_| Mode::Leader),
            (Kind::Echo, _) => Some(Mode::Other),
            _ => mode(self.address),
        }
    }
}

impl Ensemble {
    /// An ensemble with empty data, of which nobody runs yet.
    pub fn new(launcher: &Launcher, kind: Kind, name: &str) -> Result<Ensemble> {
        let ports = free_ports(3 * MEMBERS)?;
        let lines: String = ports
            .chunks(3)
            .enumerate()
            .map(|(at, ports)| format!("server.{}=127.0.0.1:{}:{}\n", at + 1, ports[0], ports[1]))
            .collect();
        let address = |at: usize| SocketAddr::from((Ipv4Addr::LOCALHOST, ports[3 * at + 2]));
        let mut members = Vec::new();
        for at in 0..MEMBERS {
            let mut home = launcher.home(kind, &format!("{name}-{}", at + 1), 100_000)?;
            home.extra = format!("initLimit=10\nsyncLimit=5\n{lines}");
            std::fs::write(home.data.join("myid"), format!("{}\n", at + 1))?;
            home.mirrors = match at {
                FLOOR => Some((1..MEMBERS).map(address).collect()),
                _ => None,
            };
            members.push(Member {
                home,
                address: address(at),
                child: None,
            });
        }
        Ok(Ensemble { members })
    }

    /// Starts one; it may not serve yet.
    pub fn start(&mut self, member: usize) -> Result<()> {
        let one = &mut self.members[member];
        one.child = Some(one.home.start_at(one.address)?);
        Ok(())
    }

    /// Starts all and waits until they serve.
    pub fn start_all(&mut self) -> Result<()> {
        for member in 0..MEMBERS {
            self.start(member)?;
        }
        self.await_serving(&[0, 1, 2])
    }

    /// Waits until these serve and one of them leads.
    pub fn await_serving(&mut self, members: &[usize]) -> Result<()> {
        let deadline = clock::now() + 120 * clock::SECOND;
        loop {
            let modes: Vec<Option<Mode>> = members
                .iter()
                .map(|&at| self.members[at].mode(at))
                .collect();
            if modes.iter().all(Option::is_some) && modes.contains(&Some(Mode::Leader)) {
                return Ok(());
            }
            for &member in members {
                if let Some(child) = &mut self.members[member].child {
                    child.check()?;
                }
            }
            if clock::now() > deadline {
                return Err(Failure::new("the ensemble did not serve within 120 s"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The one that leads.
    pub fn leader(&self) -> Result<usize> {
        (0..MEMBERS)
            .find(|&at| self.members[at].mode(at) == Some(Mode::Leader))
            .ok_or_else(|| Failure::new("nobody leads the ensemble"))
    }

    /// All but one.
    pub fn others(&self, member: usize) -> Vec<usize> {
        (0..MEMBERS).filter(|&at| at != member).collect()
    }

    /// A member as the load sees it, with the processor time of all.
    pub fn target(&self, member: usize) -> Target {
        let pid = |at: usize| self.members[at].child.as_ref()?.target.pid;
        let mut others = self.others(member).into_iter().map(pid);
        Target {
            address: self.members[member].address,
            pid: pid(member),
            others: [others.next().flatten(), others.next().flatten()],
        }
    }

    /// When a member was started, see [`clock::now`], and whether it still runs.
    pub fn started(&mut self, member: usize) -> Result<u64> {
        let child = self.members[member].child.as_mut();
        let child = child.ok_or_else(|| Failure::new("this server was never started"))?;
        child.check()?;
        Ok(child.started)
    }

    /// Whether a member's process has ended.
    pub fn has_ended(&mut self, member: usize) -> Result<bool> {
        match &mut self.members[member].child {
            Some(child) => child.has_ended(),
            None => Ok(true),
        }
    }

    /// Sends a signal, and waits for nothing.
    pub fn signal(&mut self, member: usize, signal: Signal) -> Result<()> {
        let pid = self
            .target(member)
            .pid
            .and_then(|pid| Pid::from_raw(pid as i32));
        let pid = pid.ok_or_else(|| Failure::new("this server does not run"))?;
        Ok(rustix::process::kill_process(pid, signal)?)
    }

    /// Waits until a member that was told to end has ended, and starts it again.
    pub fn restart(&mut self, member: usize) -> Result<()> {
        if let Some(child) = self.members[member].child.take() {
            child.stop()?;
        }
        self.start(member)
    }

    /// Ends all and removes their data.
    pub fn remove(self) -> Result<()> {
        for member in self.members {
            if let Some(child) = member.child {
                child.stop()?;
            }
            member.home.remove();
        }
        Ok(())
    }
}

/// What a server says when asked `srvr`; `None` if it does not serve.
fn mode(address: SocketAddr) -> Option<Mode> {
    const PATIENCE: Duration = Duration::from_millis(500);
    let mut socket = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    socket.set_read_timeout(Some(PATIENCE)).ok()?;
    socket.write_all(b"srvr").ok()?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).ok()?;
    mode_of(&answer)
}

fn mode_of(answer: &str) -> Option<Mode> {
    let mode = answer
        .lines()
        .find_map(|line| line.strip_prefix("Mode: "))?;
    Some(match mode {
        "leader" => Mode::Leader,
        _ => Mode::Other,
    })
}

fn free_ports(count: usize) -> Result<Vec<u16>> {
    let first = PORTS.start + (std::process::id() % 500 * 20) as u16;
    let free: Vec<u16> = (first..PORTS.end)
        .filter(|&port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
        .take(count)
        .collect();
    if free.len() < count {
        return Err(Failure::new(format!(
            "no {count} ports are free from {first} on"
        )));
    }
    Ok(free)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_says_what_it_is() {
        let answer =
            |mode| format!("Zookeeper version: 3.9.5\nZxid: 0x1\nMode: {mode}\nNode count: 5\n");
        assert_eq!(mode_of(&answer("leader")), Some(Mode::Leader));
        assert_eq!(mode_of(&answer("follower")), Some(Mode::Other));
        assert_eq!(
            mode_of("This ZooKeeper instance is not currently serving requests\n"),
            None
        );
    }

    #[test]
    fn ports_are_different_and_free() {
        let ports = free_ports(9).unwrap();
        assert_eq!(ports.len(), 9);
        assert!(ports.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(ports.iter().all(|port| PORTS.contains(port)));
    }
}
