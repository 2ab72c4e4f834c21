//! Where this server listens for other servers, and how that moves with the configuration.

use super::roster::Member;
use crate::listener;
use grevy_proto::HostPort;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::time::Duration;
use tokio::task::JoinHandle;
use tracing::{info, warn};

/// The pause between two tries to listen. Source: `QuorumCnxManager.Listener`.
const BIND_PAUSE: Duration = Duration::from_secs(1);

/// A port for other servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// Where votes are exchanged.
    Election,
    /// Where learners of this server connect.
    Quorum,
    /// Where observers that follow this follower connect.
    Observers,
}

/// Where to listen.
#[derive(Debug, Clone)]
pub struct Place {
    port: Port,
    address: HostPort,
    /// On every address of the machine, whatever the host.
    everywhere: bool,
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        let same_host = match (self.everywhere, other.everywhere) {
            (true, true) => true,
            (here, there) => here == there && self.address.host == other.address.host,
        };
        same_host && self.port == other.port && self.address.port == other.address.port
    }
}

impl Place {
    /// The places of `me`, each once; with a port on which it may serve `observers`.
    pub fn all(me: &Member, observers: Option<u16>, everywhere: bool) -> Vec<Self> {
        // Only voters ever follow.
        let observers = observers.filter(|_| me.votes);
        let observers = observers.map_or(Vec::new(), |port| me.at(port));
        let mut places: Vec<Self> = Vec::new();
        for (port, addresses) in [
            (Port::Election, &me.election),
            (Port::Quorum, &me.quorum),
            (Port::Observers, &observers),
        ] {
            for address in addresses {
                let address = address.clone();
                let place = Self {
                    port,
                    address,
                    everywhere,
                };
                if !places.contains(&place) {
                    places.push(place);
                }
            }
        }
        places
    }

    fn bind(&self) -> io::Result<TcpListener> {
        match self.everywhere {
            true => listener::everywhere(self.address.port, listener::listen_at),
            false => resolve(&self.address).and_then(listener::listen_at),
        }
    }
}

fn resolve(address: &HostPort) -> io::Result<SocketAddr> {
    let mut found = (&*address.host, address.port).to_socket_addrs()?;
    let none = || io::Error::other("the name has no address");
    found.next().ok_or_else(none)
}

/// The places to begin with, bound.
#[derive(Debug)]
pub struct Sockets {
    bound: Vec<(Place, TcpListener)>,
    /// What this server can do without for a while.
    missing: Vec<(Place, io::Error)>,
}

impl Sockets {
    /// Listens at these places. Tries again every second, `tries` times in all; for ever, if that
    /// is `None` (`electionPortBindRetry`). Of several addresses of a port one is enough to begin
    /// with, and the port for observers can come later.
    ///
    /// # Errors
    /// Which address cannot be listened on, and why.
    pub fn bind(places: &[Place], tries: Option<u32>) -> Result<Self, (HostPort, io::Error)> {
        let mut tried = 1;
        loop {
            match Self::try_bind(places) {
                Err((address, error)) if tries.is_none_or(|tries| tried < tries) => {
                    warn!("cannot listen on {address} for other servers yet: {error}");
                    std::thread::sleep(BIND_PAUSE);
                    tried += 1;
                }
                other => return other,
            }
        }
    }

    fn try_bind(places: &[Place]) -> Result<Self, (HostPort, io::Error)> {
        let (mut bound, mut missing) = (Vec::new(), Vec::new());
        for place in places {
            match place.bind() {
                Ok(socket) => bound.push((place.clone(), socket)),
                Err(error) => missing.push((place.clone(), error)),
            }
        }
        let is_bound = |port| bound.iter().any(|(place, _)| place.port == port);
        let needed =
            |(place, _): &(Place, _)| place.port != Port::Observers && !is_bound(place.port);
        match missing.iter().position(needed) {
            Some(first) => {
                let (place, error) = missing.swap_remove(first);
                Err((place.address, error))
            }
            None => Ok(Self { bound, missing }),
        }
    }
}

/// The places at which it is listened, or tried to. Nothing is, once this is dropped.
#[derive(Debug)]
pub struct Listening<F> {
    places: Vec<(Place, JoinHandle<()>)>,
    /// Accepts connections on a socket until it is dropped.
    accept: F,
}

impl<F, A> Listening<F>
where
    F: Fn(Port, TcpListener) -> A + Clone + Send + 'static,
    A: Future<Output = ()> + Send + 'static,
{
    /// Accepts on these sockets, and goes on trying to have those that are missing.
    pub fn begin(sockets: Sockets, accept: F) -> Self {
        let mut listening = Self {
            places: Vec::new(),
            accept,
        };
        for (place, socket) in sockets.bound {
            let accepting = (listening.accept)(place.port, socket);
            listening.places.push((place, tokio::spawn(accepting)));
        }
        for (place, error) in sockets.missing {
            warn_of(&place, &error);
            listening.add(place, BIND_PAUSE);
        }
        listening
    }

    /// Listens at `wanted`, and nowhere else. Where it is listened already nobody notices.
    pub async fn move_to(&mut self, wanted: Vec<Place>) {
        let before = std::mem::take(&mut self.places);
        let (kept, left): (Vec<_>, Vec<_>) = before
            .into_iter()
            .partition(|(place, _)| wanted.contains(place));
        self.places = kept;
        // One place of those to come may be in the way of one that is left, until that is closed.
        for (_, accepting) in left {
            accepting.abort();
            let _ = accepting.await;
        }
        for place in wanted {
            if !self.places.iter().any(|(here, _)| *here == place) {
                self.add(place, Duration::ZERO);
            }
        }
    }

    fn add(&mut self, place: Place, pause: Duration) {
        let accepting = accept_later(place.clone(), pause, self.accept.clone());
        self.places.push((place, tokio::spawn(accepting)));
    }
}

impl<F> Drop for Listening<F> {
    fn drop(&mut self) {
        for (_, accepting) in &self.places {
            accepting.abort();
        }
    }
}

/// Tries after `pause` for the first time.
async fn accept_later<F, A>(place: Place, mut pause: Duration, accept: F)
where
    F: Fn(Port, TcpListener) -> A,
    A: Future<Output = ()>,
{
    loop {
        tokio::time::sleep(pause).await;
        let here = place.clone();
        match tokio::task::spawn_blocking(move || here.bind()).await {
            Ok(Ok(socket)) => {
                info!("listening on {} for other servers, too", place.address);
                return accept(place.port, socket).await;
            }
            Ok(Err(error)) if pause.is_zero() => warn_of(&place, &error),
            Ok(Err(_)) => {}
            Err(_) => return,
        }
        pause = BIND_PAUSE;
    }
}

fn warn_of(place: &Place, error: &io::Error) {
    let address = &place.address;
    warn!("cannot listen on {address} for other servers: {error}; trying again every second");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpStream};
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn place(host: &str, port: u16, everywhere: bool) -> Place {
        Place {
            port: Port::Quorum,
            address: HostPort {
                host: host.into(),
                port,
            },
            everywhere,
        }
    }

    #[test]
    fn a_port_of_every_address_is_one_place_whatever_the_host() {
        assert_eq!(place("a", 1, true), place("b", 1, true));
        assert_ne!(place("a", 1, false), place("b", 1, false));
        assert_ne!(place("a", 1, true), place("a", 1, false));
        assert_ne!(place("a", 1, true), place("a", 2, true));
    }

    /// How often the sockets of a test were handed over.
    static BEGUN: AtomicUsize = AtomicUsize::new(0);

    async fn accept(_: Port, socket: TcpListener) {
        BEGUN.fetch_add(1, Ordering::Relaxed);
        let _socket = socket;
        std::future::pending::<()>().await;
    }

    async fn until(what: impl Fn() -> bool) {
        while !what() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn what_is_kept_is_not_closed_and_what_is_left_can_be_had_at_once() {
        let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = first.local_addr().unwrap();
        let here = place("127.0.0.1", address.port(), false);
        let sockets = Sockets {
            bound: vec![(here.clone(), first)],
            missing: Vec::new(),
        };
        let mut listening = Listening::begin(sockets, accept);
        let other = place("127.0.0.2", address.port(), false);
        listening.move_to(vec![here.clone(), other.clone()]).await;
        assert!(TcpStream::connect(address).is_ok());
        until(|| BEGUN.load(Ordering::Relaxed) == 2).await;
        // Every address at once is in the way of each of them.
        let everywhere = place("127.0.0.1", address.port(), true);
        for wanted in [everywhere, here] {
            let begun = BEGUN.load(Ordering::Relaxed);
            listening.move_to(vec![wanted]).await;
            until(|| BEGUN.load(Ordering::Relaxed) > begun).await;
            assert!(TcpStream::connect(address).is_ok());
        }
        drop(listening);
        until(|| TcpStream::connect(address).is_err()).await;
    }
}
