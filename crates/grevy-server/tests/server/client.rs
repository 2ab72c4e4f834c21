//! As much of a client as these tests need.

use crate::place::PATIENCE;
use grevy_proto::acl::perms;
use grevy_proto::connect::{ConnectRequest, ConnectResponse};
use grevy_proto::jute::frame;
use grevy_proto::reply::ReplyHeader;
use grevy_proto::request::{
    Create, Nullable, PathOnly, Read as ReadRequest, Reconfig, RequestHeader, SetAcl, SetData,
    WatchOf,
};
use grevy_proto::{Acl, Decode, Encode, ErrorCode, Id, OpCode, Reader, SessionId, Xid, Zxid};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A connection with a session.
pub struct Client {
    pub stream: TcpStream,
    pub session: SessionId,
    xid: i32,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        Self::connect_for(address, Duration::from_secs(20))
    }

    /// Asks for a session timeout.
    pub fn connect_for(address: SocketAddr, timeout: Duration) -> Self {
        let mut stream = TcpStream::connect(address).expect("the port is open");
        stream
            .write_all(&connect_frame(timeout))
            .expect("the server takes it");
        Self::connected(stream)
    }

    /// Over a stream on which a session was asked for.
    pub fn connected(stream: TcpStream) -> Self {
        let mut client = Self {
            stream,
            session: SessionId::NONE,
            xid: 0,
        };
        client
            .stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a time limit");
        let answer = client.receive();
        let response = ConnectResponse::decode(&mut Reader::new(&answer)).expect("a response");
        client.session = response.session;
        client
    }

    pub fn local_address(&self) -> SocketAddr {
        self.stream.local_addr().expect("it is connected")
    }

    /// Creates a znode; ephemeral with 1 for `flags`.
    pub fn create(&mut self, path: &str, data: &[u8], flags: i32) {
        self.request_create(OpCode::Create, path, data, flags);
    }

    /// Creates a container.
    pub fn create_container(&mut self, path: &str) {
        self.request_create(OpCode::CreateContainer, path, b"", 4);
    }

    fn request_create(&mut self, op: OpCode, path: &str, data: &[u8], flags: i32) {
        let create = Create {
            path: path.into(),
            data: Some(data),
            acl: vec![everybody()],
            flags,
        };
        self.request(op, |out| create.encode(out));
    }

    /// Makes these `server.N=` lines the ensemble.
    pub fn reconfigure(&mut self, members: &str) -> ErrorCode {
        self.request_change(None, Some(members))
    }

    /// Adds these `server.N=` lines to the ensemble, or puts them in the place of those of theirs.
    pub fn join(&mut self, joining: &str) -> ErrorCode {
        self.request_change(Some(joining), None)
    }

    fn request_change(&mut self, joining: Option<&str>, members: Option<&str>) -> ErrorCode {
        let reconfig = Reconfig {
            joining: Nullable(joining.map(Into::into)),
            leaving: Nullable(None),
            members: Nullable(members.map(Into::into)),
            config_id: -1,
        };
        self.request(OpCode::Reconfig, |out| reconfig.encode(out))
    }

    /// Sets a watch.
    pub fn watch(&mut self, op: OpCode, path: &str) {
        let read = ReadRequest {
            path: path.into(),
            watch: true,
        };
        self.request(op, |out| read.encode(out));
    }

    /// Sets a watch that stays.
    pub fn watch_on(&mut self, path: &str) {
        let watch = WatchOf {
            path: path.into(),
            kind: 0,
        };
        self.request(OpCode::AddWatch, |out| watch.encode(out));
    }

    /// Reads data, and returns how it went.
    pub fn get(&mut self, path: &str) -> ErrorCode {
        let read = ReadRequest {
            path: path.into(),
            watch: false,
        };
        self.request(OpCode::GetData, |out| read.encode(out))
    }

    /// The frame of a setData, whose reply has nobody waiting for it.
    pub fn set_frame(path: &str, data: &[u8]) -> Vec<u8> {
        let set = SetData {
            path: path.into(),
            data: Some(data),
            version: -1,
        };
        request_frame(Xid(1_000), OpCode::SetData, |out| set.encode(out))
    }

    /// The frame of a getData, likewise.
    pub fn get_frame(path: &str) -> Vec<u8> {
        let read = ReadRequest {
            path: path.into(),
            watch: false,
        };
        request_frame(Xid(1_001), OpCode::GetData, |out| read.encode(out))
    }

    /// Writes data, and returns how it went.
    pub fn set(&mut self, path: &str, data: &[u8]) -> ErrorCode {
        let set = SetData {
            path: path.into(),
            data: Some(data),
            version: -1,
        };
        self.request(OpCode::SetData, |out| set.encode(out))
    }

    pub fn sync(&mut self) {
        let path = PathOnly { path: "/".into() };
        self.request(OpCode::Sync, |out| path.encode(out));
    }

    pub fn ping(&mut self) {
        self.stream
            .write_all(&request_frame(Xid::PING, OpCode::Ping, |_| {}))
            .expect("the server takes it");
        let answer = self.receive();
        let reply = ReplyHeader::decode(&mut Reader::new(&answer)).expect("a reply");
        assert_eq!(reply.xid, Xid::PING);
    }

    /// Lets nobody but an identity do anything with the root, which everybody may still read.
    pub fn protect_root(&mut self, id: Id) {
        let set_acl = SetAcl {
            path: "/".into(),
            acl: vec![
                Acl {
                    perms: perms::ALL,
                    id,
                },
                Acl {
                    perms: perms::READ,
                    id: Id::ANYONE,
                },
            ],
            version: -1,
        };
        self.request(OpCode::SetAcl, |out| set_acl.encode(out));
    }

    /// Waits for the next event and returns its path.
    pub fn event(&mut self) -> String {
        loop {
            let answer = self.receive();
            let mut reader = Reader::new(&answer);
            let reply = ReplyHeader::decode(&mut reader).expect("a reply");
            if reply.xid == Xid::NOTIFICATION {
                let (_kind, _state) = (reader.int(), reader.int());
                let path = reader.string().ok().flatten();
                return path.expect("an event has a path").into_owned();
            }
        }
    }

    fn request(&mut self, op: OpCode, record: impl FnOnce(&mut Vec<u8>)) -> ErrorCode {
        self.xid += 1;
        let xid = Xid(self.xid);
        self.stream
            .write_all(&request_frame(xid, op, record))
            .expect("the server takes it");
        loop {
            let answer = self.receive();
            let reply = ReplyHeader::decode(&mut Reader::new(&answer)).expect("a reply");
            // Events come in between, and replies to what was sent by the frame.
            if reply.xid == xid {
                return ErrorCode::from_wire(reply.err).expect("a known code");
            }
        }
    }

    /// The next frame, without its length.
    pub fn receive(&mut self) -> Vec<u8> {
        let mut len = [0; 4];
        self.stream.read_exact(&mut len).expect("a frame comes");
        let mut answer = vec![0; i32::from_be_bytes(len) as usize];
        self.stream.read_exact(&mut answer).expect("a whole frame");
        answer
    }

    /// Reads until the server ends the connection.
    pub fn wait_for_end(self) {
        wait_for_end(self.stream);
    }
}

/// Reads until the server ends the connection.
pub fn wait_for_end(mut stream: TcpStream) {
    let mut rest = Vec::new();
    let patience = stream.set_read_timeout(Some(PATIENCE));
    patience.expect("a time limit");
    if let Err(error) = stream.read_to_end(&mut rest) {
        // Cut off or closed in order, it ends.
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
}

/// A request for a new session.
pub fn connect_frame(timeout: Duration) -> Vec<u8> {
    let request = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: Zxid::ZERO,
        timeout: timeout.as_millis() as i32,
        session: SessionId::NONE,
        password: Some(&[0; 16]),
        read_only: Some(false),
    };
    let mut bytes = Vec::new();
    frame(&mut bytes, |out| request.encode(out));
    bytes
}

fn request_frame(xid: Xid, op: OpCode, record: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let header = RequestHeader { xid, op: op.wire() };
    let mut bytes = Vec::new();
    frame(&mut bytes, |out| {
        header.encode(out);
        record(out);
    });
    bytes
}

fn everybody() -> Acl {
    Acl {
        perms: perms::ALL,
        id: Id::ANYONE,
    }
}
