//! Accepting connections and giving each to a worker.

use crate::shared::Shared;
use crate::workers::Accepted;
use rustix::process::{Resource, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::UnboundedSender;
use tracing::{info, warn};

/// Sockets that share the port. The system bounds how many connections may wait at each (4096 as
/// a rule); a burst of ten thousand clients has room at four.
const SOCKETS: usize = 4;
/// Connections that may wait to be accepted where clients do not connect.
const BACKLOG: i32 = 128;
/// Files that clients leave to the rest of the server: the log, snapshots, other servers, the admin
/// server. A log that cannot begin its next file has failed, and the server with it.
const NOT_FOR_CLIENTS: u64 = 256;

/// Takes a port without listening yet: until then, clients are refused and try elsewhere.
pub fn bind(address: SocketAddr) -> Result<Vec<Socket>, (SocketAddr, io::Error)> {
    let bind = |address| -> io::Result<Vec<Socket>> {
        // Sockets that may share a port share it with those of another server, too; one that may
        // not finds out first whether there is one.
        let first = open(address, false)?.local_addr()?;
        let taken = first.as_socket().unwrap_or(address);
        (0..SOCKETS).map(|_| open(taken, true)).collect()
    };
    let bound = match address.ip().is_unspecified() {
        true => everywhere(address.port(), bind),
        false => bind(address),
    };
    bound.map_err(|error| (address, error))
}

/// Takes a port of every address of this machine, IPv4 and IPv6 alike: the JVM does so, too, when
/// it is told `0.0.0.0`.
pub(crate) fn everywhere<T>(
    port: u16,
    bind: impl Fn(SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    // Takes IPv4 as well, where there is IPv6 at all.
    match bind((Ipv6Addr::UNSPECIFIED, port).into()) {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            bind((Ipv4Addr::UNSPECIFIED, port).into())
        }
        other => other,
    }
}

/// The address as its owner knows it: a socket for IPv4 and IPv6 tells those of IPv4 in IPv6.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn open(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // A restarted server gets its port back at once.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Listens for others than clients, who are not that many.
pub(crate) fn listen_at(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = open(address, false)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Begins to listen; `backlog` connections may wait at each socket.
pub fn listen(sockets: Vec<Socket>, backlog: u32) -> io::Result<Vec<std::net::TcpListener>> {
    let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
    let listen = |socket: Socket| {
        socket.listen(backlog)?;
        Ok(socket.into())
    };
    sockets.into_iter().map(listen).collect()
}

/// Lets this process open as many files as the system allows: each connection is one, and the
/// usual limit of 1024 is far below what a server can serve.
pub fn raise_file_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        warn!("the limit of open files stays as it is: {error}");
    }
}

/// How many clients there may be for all the files that a process may open.
fn room_for_clients(files: Option<u64>) -> usize {
    let Some(files) = files else {
        return usize::MAX;
    };
    let room = files - NOT_FOR_CLIENTS.min(files / 2);
    usize::try_from(room).unwrap_or(usize::MAX)
}

/// Accepts until the task is dropped, handing connections to workers in turn. What it takes to
/// serve one is left to them: a burst must not overflow the queue of those who wait, or clients
/// have to try again.
pub async fn run(
    shared: Arc<Shared>,
    listener: TcpListener,
    workers: Vec<UnboundedSender<Accepted>>,
) {
    let mut turn = 0;
    let room = room_for_clients(getrlimit(Resource::Nofile).current);
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let peer = canonical(peer);
                let worker = &workers[turn % workers.len()];
                turn = turn.wrapping_add(1);
                if let Err(error) = admit(&shared, stream, peer, worker, room) {
                    shared.metrics.connections_rejected.add(1);
                    info!(%peer, "connection refused: {error}");
                }
            }
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                // Mostly: no file descriptors left. Those who wait are served when some are free.
                warn!("cannot accept connections: {error}; raise the limit of open files");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

fn admit(
    shared: &Arc<Shared>,
    stream: TcpStream,
    peer: SocketAddr,
    worker: &UnboundedSender<Accepted>,
    room: usize,
) -> io::Result<()> {
    let limits = &shared.config.clients;
    let here = shared.clients.from_address(peer.ip());
    if let Some(limit) = limits
        .per_address_limit
        .filter(|&limit| here >= limit as usize)
    {
        return Err(io::Error::other(format!(
            "{} has {limit} connections, as many as maxClientCnxns allows",
            peer.ip()
        )));
    }
    let total = shared.clients.present();
    if let Some(limit) = limits.total_limit.filter(|&limit| total >= limit as usize) {
        return Err(io::Error::other(format!(
            "there are {limit} connections, as many as maxCnxns allows"
        )));
    }
    if total >= room {
        return Err(io::Error::other(format!(
            "there are {total} connections, as many as the limit of open files has room for; raise it"
        )));
    }
    stream.set_nodelay(true)?;
    if limits.keep_alive {
        socket2::SockRef::from(&stream).set_keepalive(true)?;
    }
    let stream = stream.into_std()?;
    let ids = shared.clients.arrive(peer.ip());
    // The workers end only after the listener.
    let _ = worker.send(Accepted { stream, peer, ids });
    Ok(())
}

pub(crate) fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_leave_files_to_the_rest_of_the_server() {
        assert_eq!(room_for_clients(None), usize::MAX);
        assert_eq!(room_for_clients(Some(4096)), 4096 - 256);
        assert_eq!(room_for_clients(Some(100)), 50);
    }
}
