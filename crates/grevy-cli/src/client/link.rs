//! The connection's thread: finds a server, opens or resumes the session, reads, pings. Source:
//! `ClientCnxn.SendThread`.

use super::frames::FrameReader;
use super::shared::{End, Shared};
use grevy_proto::HostPort;
use grevy_proto::connect::{ConnectRequest, ConnectResponse};
use grevy_proto::jute::frame;
use grevy_proto::{Decode, Encode, Reader, SessionId};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// Between rounds in which no server could be reached.
const PAUSE: Duration = Duration::from_secs(1);

/// Before the next attempt when a session's connection is lost, so that a server that takes
/// connections only to drop them is not hammered.
const BREATH: Duration = Duration::from_millis(50);

/// No longer than this without a ping, whatever the session timeout.
const MAX_PING_INTERVAL: Duration = Duration::from_secs(10);

/// Between questions for a server that is not read-only: the first pause, doubled each time, and
/// the longest.
const SEEK_PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(60));

/// Runs until the client is closed or the session is gone.
pub fn run(shared: &Shared) {
    let mut servers = Servers::new(&shared.config.connect.servers);
    let mut last_heard = Instant::now();
    loop {
        let (go_on, pause) = match connect(shared, &mut servers, last_heard) {
            Ok(mut link) => {
                last_heard = Instant::now();
                let end = link.serve(shared, &mut servers, &mut last_heard);
                (shared.disconnected(end), BREATH)
            }
            Err(End::Lost(why)) => {
                shared.unreachable(why);
                (true, PAUSE)
            }
            Err(end) => (shared.disconnected(end), PAUSE),
        };
        if !go_on || !shared.pause(pause) {
            return;
        }
    }
}

/// A ring of servers, entered at random so that clients spread over them.
struct Servers {
    servers: Vec<HostPort>,
    next: usize,
}

impl Servers {
    fn new(servers: &[HostPort]) -> Self {
        let chance = RandomState::new().hash_one(servers.len());
        Self {
            servers: servers.to_vec(),
            next: (chance as usize) % servers.len().max(1),
        }
    }

    fn next(&mut self) -> Option<HostPort> {
        let server = self.servers.get(self.next).cloned();
        self.next = (self.next + 1) % self.servers.len().max(1);
        server
    }

    /// Makes the server that was given out last the next one.
    fn step_back(&mut self) {
        let len = self.servers.len().max(1);
        self.next = (self.next + len - 1) % len;
    }
}

/// One open connection.
struct Link {
    frames: FrameReader,
    peer: SocketAddr,
    read_only: bool,
}

/// Tries every server once. `Lost` says what happened at each.
fn connect(shared: &Shared, servers: &mut Servers, last_heard: Instant) -> Result<Link, End> {
    let mut failures = Vec::new();
    for _ in 0..servers.servers.len() {
        let (timeout, has_session) = {
            let core = shared.lock();
            (core.timeout, core.session != SessionId::NONE)
        };
        // The server has given up on the session by now, even if none is there to say so.
        if has_session && last_heard.elapsed() > timeout * 4 / 3 {
            return Err(End::Expired);
        }
        let Some(server) = servers.next() else {
            break;
        };
        let share = u32::try_from(servers.servers.len()).unwrap_or(u32::MAX);
        match connect_to(shared, &server, timeout / share.max(1)) {
            Ok(link) => return Ok(link),
            Err(End::Lost(why)) => failures.push(why),
            Err(end) => return Err(end),
        }
    }
    Err(End::Lost(failures.join("; ")))
}

fn connect_to(shared: &Shared, server: &HostPort, timeout: Duration) -> Result<Link, End> {
    let timeout = timeout.max(Duration::from_millis(1));
    let addresses = (&*server.host, server.port)
        .to_socket_addrs()
        .map_err(|error| {
            End::Lost(format!(
                "cannot look up {}: {error}; is the name right?",
                server.host
            ))
        })?;
    let mut failure = format!("{} has no address", server.host);
    for address in addresses {
        if shared.lock().closing {
            return Err(End::Lost("closed".to_owned()));
        }
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => return handshake(shared, stream, address, timeout),
            Err(error) => {
                failure = format!(
                    "cannot connect to {address}: {}; is a server running there?",
                    reason(&error)
                );
            }
        }
    }
    Err(End::Lost(failure))
}

fn handshake(
    shared: &Shared,
    mut stream: TcpStream,
    peer: SocketAddr,
    timeout: Duration,
) -> Result<Link, End> {
    let no_answer = |error: io::Error| {
        End::Lost(match error.kind() {
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
                format!(
                    "{peer} closed the connection instead of opening a session; it has no quorum, \
                     or is behind what this session has seen"
                )
            }
            _ => format!("{peer} opened no session: {}", reason(&error)),
        })
    };
    let request = connect_request(shared);
    let exchange = |stream: &mut TcpStream| -> io::Result<(FrameReader, Vec<u8>)> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(timeout))?;
        stream.write_all(&request)?;
        let mut frames = FrameReader::new(stream.try_clone()?);
        match frames.next(Instant::now() + timeout)? {
            Some(response) => Ok((frames, response)),
            None => Err(ErrorKind::TimedOut.into()),
        }
    };
    let (frames, response) = exchange(&mut stream).map_err(no_answer)?;
    let mut reader = Reader::new(&response);
    let unreadable = |error| {
        End::Lost(format!(
            "{peer} does not speak ZooKeeper's protocol: {error}"
        ))
    };
    let response = ConnectResponse::decode(&mut reader).map_err(unreadable)?;
    // Servers before 3.4 leave the last byte out.
    let read_only = !reader.is_empty() && reader.bool().map_err(unreadable)?;
    if response.timeout <= 0 {
        return Err(End::Expired);
    }
    shared.connected(stream, &response, read_only);
    Ok(Link {
        frames,
        peer,
        read_only,
    })
}

fn connect_request(shared: &Shared) -> Vec<u8> {
    let core = shared.lock();
    let request = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: core.last_zxid,
        timeout: i32::try_from(shared.config.timeout.as_millis()).unwrap_or(i32::MAX),
        session: match core.is_global {
            true => core.session,
            false => SessionId::NONE,
        },
        password: Some(core.password.as_deref().unwrap_or(&[0; 16])),
        read_only: Some(shared.config.read_only),
    };
    let mut bytes = Vec::new();
    frame(&mut bytes, |out| request.encode(out));
    bytes
}

impl Link {
    /// Reads and pings until the connection ends.
    fn serve(&mut self, shared: &Shared, servers: &mut Servers, last_heard: &mut Instant) -> End {
        let mut seek_pause = SEEK_PAUSE.0;
        let mut next_seek = Instant::now() + seek_pause;
        loop {
            let (timeout, last_sent) = {
                let core = shared.lock();
                (core.timeout, core.last_sent)
            };
            let dead = *last_heard + timeout * 2 / 3;
            let ping = last_sent + (timeout / 3).min(MAX_PING_INTERVAL);
            let mut deadline = dead.min(ping);
            if self.read_only {
                deadline = deadline.min(next_seek);
            }
            match self.frames.next(deadline) {
                Ok(Some(bytes)) => {
                    *last_heard = Instant::now();
                    if let Err(end) = shared.received(&bytes) {
                        return end;
                    }
                }
                Ok(None) => {
                    let now = Instant::now();
                    if now >= dead {
                        let silence = last_heard.elapsed().as_millis();
                        return End::Lost(format!(
                            "{} has been silent for {silence} ms",
                            self.peer
                        ));
                    }
                    if now >= ping {
                        shared.ping();
                    }
                    if self.read_only && now >= next_seek {
                        if let Some(server) = servers.next().filter(is_read_write) {
                            servers.step_back();
                            return End::Lost(format!("{server} takes writes, moving there"));
                        }
                        seek_pause = (seek_pause * 2).min(SEEK_PAUSE.1);
                        next_seek = Instant::now() + seek_pause;
                    }
                }
                Err(error) => {
                    return End::Lost(format!(
                        "the connection to {} broke: {}",
                        self.peer,
                        reason(&error)
                    ));
                }
            }
        }
    }
}

/// Asks a server with the four-letter word `isro`.
fn is_read_write(server: &HostPort) -> bool {
    let ask = || -> io::Result<bool> {
        let address = (&*server.host, server.port)
            .to_socket_addrs()?
            .next()
            .ok_or(ErrorKind::NotFound)?;
        let second = Duration::from_secs(1);
        let mut stream = TcpStream::connect_timeout(&address, second)?;
        stream.set_read_timeout(Some(second))?;
        stream.write_all(b"isro")?;
        let mut answer = [0; 2];
        stream.read_exact(&mut answer)?;
        Ok(&answer == b"rw")
    };
    // A server that cannot be asked is no better than the present one.
    ask().unwrap_or(false)
}

/// The system's words without its error number.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        ErrorKind::TimedOut | ErrorKind::WouldBlock => "no answer in time".to_owned(),
        ErrorKind::UnexpectedEof => "the server closed it".to_owned(),
        _ => error.to_string(),
    }
}
