//! A scripted server for tests: the bytes are written out.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// Longer than anything here takes; an answer that never comes fails the test.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub const PASSWORD: [u8; 16] = [7; 16];

/// One connection, seen from the server.
pub struct Peer(pub TcpStream);

impl Peer {
    pub fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    pub fn frame(&mut self) -> Vec<u8> {
        let mut len = [0; 4];
        self.0.read_exact(&mut len).unwrap();
        let mut frame = vec![0; u32::from_be_bytes(len) as usize];
        self.0.read_exact(&mut frame).unwrap();
        frame
    }

    /// The next frame must be these parts.
    pub fn expect(&mut self, parts: &[&[u8]]) {
        assert_eq!(self.frame(), parts.concat());
    }

    pub fn send(&mut self, parts: &[&[u8]]) {
        let payload = parts.concat();
        let len = u32::try_from(payload.len()).unwrap();
        self.0.write_all(&len.to_be_bytes()).unwrap();
        self.0.write_all(&payload).unwrap();
    }

    pub fn expect_connect(&mut self, last_zxid: i64, session: i64, password: &[u8]) {
        self.expect(&[
            &int(0),
            &long(last_zxid),
            &int(6000),
            &long(session),
            &buffer(password),
            &[0],
        ]);
    }

    pub fn accept_session(&mut self) {
        self.send(&[&int(0), &int(4000), &long(0x55), &buffer(&PASSWORD), &[0]]);
    }

    pub fn reply(&mut self, xid: i32, zxid: i64, err: i32, record: &[u8]) {
        self.send(&[&int(xid), &long(zxid), &int(err), record]);
    }
}

pub fn int(value: i32) -> Vec<u8> {
    value.to_be_bytes().to_vec()
}

pub fn long(value: i64) -> Vec<u8> {
    value.to_be_bytes().to_vec()
}

pub fn buffer(bytes: &[u8]) -> Vec<u8> {
    let len = i32::try_from(bytes.len()).unwrap();
    [&int(len), bytes].concat()
}

pub fn text(text: &str) -> Vec<u8> {
    buffer(text.as_bytes())
}
