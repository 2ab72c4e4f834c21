//! A client that does one thing after the other, for what happens before and around a measurement.

use super::wire;
use crate::failure::{Failure, Result};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// One session on one blocking socket.
pub struct Client {
    socket: TcpStream,
    next_xid: i32,
    out: Vec<u8>,
    frame: Vec<u8>,
}

impl Client {
    /// Connects and asks for a session ; every later answer may take `patience`.
    pub fn connect(server: SocketAddr, patience: Duration) -> Result<Client> {
        let socket = TcpStream::connect(server)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(patience))?;
        let mut client = Client {
            socket,
            next_xid: 1,
            out: Vec::new(),
            frame: Vec::new(),
        };
        wire::connect(&mut client.out, super::SESSION_TIMEOUT_MS);
        client.send()?;
        client.receive()?;
        if wire::granted_timeout(&client.frame)? <= 0 {
            return Err(Failure::new("the server refused a new session"));
        }
        Ok(client)
    }

    /// Creates a persistent znode; one that exists already is fine.
    pub fn ensure(&mut self, path: &str, data: &[u8]) -> Result<()> {
        let xid = self.xid();
        wire::create(&mut self.out, xid, path.as_bytes(), data);
        match self.call(xid)? {
            0 | wire::ERR_NODE_EXISTS => Ok(()),
            err => Err(Failure::new(format!(
                "create {path} failed with error {err}"
            ))),
        }
    }

    /// Writes a znode's data; returns when it sent the request, see [`crate::clock::now`].
    pub fn set(&mut self, path: &str, data: &[u8]) -> Result<u64> {
        let xid = self.xid();
        wire::set(&mut self.out, xid, path.as_bytes(), data);
        let sent = crate::clock::now();
        match self.call(xid)? {
            0 => Ok(sent),
            err => Err(Failure::new(format!(
                "setData {path} failed with error {err}"
            ))),
        }
    }

    fn xid(&mut self) -> i32 {
        self.next_xid += 1;
        self.next_xid
    }

    fn call(&mut self, xid: i32) -> Result<i32> {
        self.send()?;
        loop {
            self.receive()?;
            let reply = wire::Reply::decode(&self.frame)?;
            if reply.xid == xid {
                return Ok(reply.err);
            }
        }
    }

    fn send(&mut self) -> Result<()> {
        self.socket.write_all(&self.out)?;
        self.out.clear();
        Ok(())
    }

    fn receive(&mut self) -> Result<()> {
        let mut bytes = vec![0; 4];
        self.socket.read_exact(&mut bytes)?;
        // Grows as bytes arrive, so a wild length costs nothing before it is refused.
        while wire::next_frame(&bytes)?.is_none() {
            let mut chunk = [0; 4096];
            let missing = wire::i32_at(&bytes, 0).unwrap_or(0) as usize + 4 - bytes.len();
            let wanted = missing.min(chunk.len());
            self.socket.read_exact(&mut chunk[..wanted])?;
            bytes.extend_from_slice(&chunk[..wanted]);
        }
        self.frame.clear();
        self.frame.extend_from_slice(&bytes[4..]);
        Ok(())
    }
}
