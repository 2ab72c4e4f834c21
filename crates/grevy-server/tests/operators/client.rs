//! As much of a client as these tests need.

use grevy_proto::acl::perms;
use grevy_proto::connect::{ConnectRequest, ConnectResponse};
use grevy_proto::jute::frame;
use grevy_proto::reply::ReplyHeader;
use grevy_proto::request::{Create, PathOnly, Read as ReadRequest, RequestHeader, SetAcl};
use grevy_proto::{Acl, Decode, Encode, Id, OpCode, Reader, SessionId, Xid, Zxid};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// A connection with a session.
pub struct Client {
    stream: TcpStream,
    pub session: SessionId,
    xid: i32,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        let mut client = Self {
            stream: TcpStream::connect(address).expect("the port is open"),
            session: SessionId::NONE,
            xid: 0,
        };
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: Zxid::ZERO,
            timeout: 20_000,
            session: SessionId::NONE,
            password: Some(&[0; 16]),
            read_only: Some(false),
        };
        client.send(|out| request.encode(out));
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
        let create = Create {
            path: path.into(),
            data: Some(data),
            acl: vec![everybody()],
            flags,
        };
        self.request(OpCode::Create, |out| create.encode(out));
    }

    /// Sets a watch.
    pub fn watch(&mut self, op: OpCode, path: &str) {
        let read = ReadRequest {
            path: path.into(),
            watch: true,
        };
        self.request(op, |out| read.encode(out));
    }

    pub fn sync(&mut self) {
        let path = PathOnly { path: "/".into() };
        self.request(OpCode::Sync, |out| path.encode(out));
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

    fn request(&mut self, op: OpCode, record: impl FnOnce(&mut Vec<u8>)) {
        self.xid += 1;
        let header = RequestHeader {
            xid: Xid(self.xid),
            op: op.wire(),
        };
        self.send(|out| {
            header.encode(out);
            record(out);
        });
        let xid = Xid(self.xid);
        loop {
            let answer = self.receive();
            let reply = ReplyHeader::decode(&mut Reader::new(&answer)).expect("a reply");
            // Events come in between.
            if reply.xid == xid {
                return;
            }
        }
    }

    fn send(&mut self, body: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = Vec::new();
        frame(&mut bytes, body);
        self.stream.write_all(&bytes).expect("the server takes it");
    }

    fn receive(&mut self) -> Vec<u8> {
        let mut len = [0; 4];
        self.stream.read_exact(&mut len).expect("a frame comes");
        let mut answer = vec![0; i32::from_be_bytes(len) as usize];
        self.stream.read_exact(&mut answer).expect("a whole frame");
        answer
    }

    /// Reads until the server ends the connection.
    pub fn wait_for_end(mut self) {
        let mut rest = Vec::new();
        // Cut off or closed in order, it ends.
        let _ = self.stream.read_to_end(&mut rest);
    }
}

fn everybody() -> Acl {
    Acl {
        perms: perms::ALL,
        id: Id::ANYONE,
    }
}
