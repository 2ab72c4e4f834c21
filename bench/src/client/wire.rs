//! The part of ZooKeeper's client protocol that the load needs, encoded straight into a connection's buffer.
//!
//! Kept apart from `grevy-proto` on purpose: the ruler must not be made of the thing it measures.

use std::fmt;

/// Operation codes of requests (ZooKeeper's `ZooDefs.OpCode`).
pub mod op {
    pub const CREATE: i32 = 1;
    pub const GET_DATA: i32 = 4;
    pub const SET_DATA: i32 = 5;
    pub const PING: i32 = 11;
    pub const MULTI: i32 = 14;
    pub const CLOSE: i32 = -11;
}

/// The xid of a watch event.
pub const XID_EVENT: i32 = -1;
/// The xid of a ping and of its answer.
pub const XID_PING: i32 = -2;
/// `NODEEXISTS`.
pub const ERR_NODE_EXISTS: i32 = -110;

/// Longest frame accepted from a server, in bytes.
const MAX_FRAME: usize = 8 << 20;
/// Bytes of a reply's header: xid, zxid, error.
pub const REPLY_HEADER: usize = 16;

/// A server's bytes that are not the protocol.
#[derive(Debug)]
pub enum WireError {
    /// A length prefix of a frame outside of 0 to 8 MiB.
    FrameLength(i32),
    /// A frame too short for what it must hold.
    Short { what: &'static str, bytes: usize },
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WireError::FrameLength(length) => {
                write!(f, "the server announced a frame of {length} bytes")
            }
            WireError::Short { what, bytes } => write!(f, "{bytes} bytes are too few for {what}"),
        }
    }
}

impl std::error::Error for WireError {}

/// A reply, or a watch event, with its body still encoded.
pub struct Reply<'a> {
    pub xid: i32,
    pub err: i32,
    pub body: &'a [u8],
}

impl<'a> Reply<'a> {
    /// Splits a frame (without its length prefix) into header and body.
    #[inline]
    pub fn decode(frame: &'a [u8]) -> Result<Reply<'a>, WireError> {
        let short = WireError::Short {
            what: "a reply",
            bytes: frame.len(),
        };
        match (
            i32_at(frame, 0),
            i32_at(frame, 12),
            frame.get(REPLY_HEADER..),
        ) {
            (Some(xid), Some(err), Some(body)) => Ok(Reply { xid, err, body }),
            _ => Err(short),
        }
    }
}

/// The first complete frame of `bytes` without its length prefix; `None` if more bytes must come first.
#[inline]
pub fn next_frame(bytes: &[u8]) -> Result<Option<&[u8]>, WireError> {
    let Some(length) = i32_at(bytes, 0) else {
        return Ok(None);
    };
    match usize::try_from(length) {
        Ok(length) if length <= MAX_FRAME => Ok(bytes.get(4..4 + length)),
        _ => Err(WireError::FrameLength(length)),
    }
}

/// The session timeout in milliseconds that a connect response (a frame without its length prefix) grants; 0 or less
/// is a refusal.
pub fn granted_timeout(frame: &[u8]) -> Result<i32, WireError> {
    i32_at(frame, 4).ok_or(WireError::Short {
        what: "a connect response",
        bytes: frame.len(),
    })
}

/// Asks for a new session. `timeout` in milliseconds.
pub fn connect(out: &mut Vec<u8>, timeout: i32) {
    frame(out, |out| {
        out.extend_from_slice(&0i32.to_be_bytes());
        out.extend_from_slice(&0i64.to_be_bytes());
        out.extend_from_slice(&timeout.to_be_bytes());
        out.extend_from_slice(&0i64.to_be_bytes());
        buffer(out, &[0; 16]);
        out.push(0);
    });
}

#[inline]
pub fn get(out: &mut Vec<u8>, xid: i32, path: &[u8], watch: bool) {
    frame(out, |out| {
        header(out, xid, op::GET_DATA);
        buffer(out, path);
        out.push(watch.into());
    });
}

/// Sets data of any version.
#[inline]
pub fn set(out: &mut Vec<u8>, xid: i32, path: &[u8], data: &[u8]) {
    frame(out, |out| {
        header(out, xid, op::SET_DATA);
        set_record(out, path, data);
    });
}

/// Begins a multi, which ends with [`end_multi`]; returns where it begins.
#[inline]
pub fn begin_multi(out: &mut Vec<u8>, xid: i32) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    header(out, xid, op::MULTI);
    start
}

/// Adds a set of any version to a multi.
#[inline]
pub fn set_in_multi(out: &mut Vec<u8>, path: &[u8], data: &[u8]) {
    multi_header(out, op::SET_DATA, false);
    set_record(out, path, data);
}

/// Ends the multi that begins at `start`.
#[inline]
pub fn end_multi(out: &mut Vec<u8>, start: usize) {
    multi_header(out, -1, true);
    let length = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

/// Creates a persistent znode open to everyone.
#[inline]
pub fn create(out: &mut Vec<u8>, xid: i32, path: &[u8], data: &[u8]) {
    const ALL_PERMISSIONS: i32 = 31;
    frame(out, |out| {
        header(out, xid, op::CREATE);
        buffer(out, path);
        buffer(out, data);
        out.extend_from_slice(&1i32.to_be_bytes());
        out.extend_from_slice(&ALL_PERMISSIONS.to_be_bytes());
        buffer(out, b"world");
        buffer(out, b"anyone");
        out.extend_from_slice(&0i32.to_be_bytes());
    });
}

pub fn ping(out: &mut Vec<u8>) {
    frame(out, |out| header(out, XID_PING, op::PING));
}

pub fn close(out: &mut Vec<u8>, xid: i32) {
    frame(out, |out| header(out, xid, op::CLOSE));
}

/// Appends a frame: a length prefix and what `fill` writes.
#[inline]
pub fn frame(out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    fill(out);
    let length = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

#[inline]
pub fn buffer(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    out.extend_from_slice(bytes);
}

#[inline]
pub fn i32_at(bytes: &[u8], at: usize) -> Option<i32> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|chunk| i32::from_be_bytes(*chunk))
}

#[inline]
fn set_record(out: &mut Vec<u8>, path: &[u8], data: &[u8]) {
    buffer(out, path);
    buffer(out, data);
    out.extend_from_slice(&(-1i32).to_be_bytes());
}

#[inline]
fn multi_header(out: &mut Vec<u8>, op: i32, done: bool) {
    out.extend_from_slice(&op.to_be_bytes());
    out.push(done.into());
    out.extend_from_slice(&(-1i32).to_be_bytes());
}

#[inline]
fn header(out: &mut Vec<u8>, xid: i32, op: i32) {
    out.extend_from_slice(&xid.to_be_bytes());
    out.extend_from_slice(&op.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_cut_only_when_complete() {
        let mut bytes = Vec::new();
        ping(&mut bytes);
        get(&mut bytes, 7, b"/a", true);
        for end in 0..12 {
            assert!(
                next_frame(&bytes[..end]).unwrap().is_none(),
                "{end} bytes hold no frame"
            );
        }
        assert_eq!(
            next_frame(&bytes).unwrap(),
            Some(&[255, 255, 255, 254, 0, 0, 0, 11][..])
        );
        let second = [0, 0, 0, 7, 0, 0, 0, 4, 0, 0, 0, 2, b'/', b'a', 1];
        assert_eq!(next_frame(&bytes[12..]).unwrap(), Some(&second[..]));
    }

    #[test]
    fn absurd_lengths_are_refused() {
        for length in [-1, i32::MIN, (MAX_FRAME + 1) as i32, i32::MAX] {
            assert!(next_frame(&length.to_be_bytes()).is_err(), "{length}");
        }
    }

    #[test]
    fn short_answers_are_errors() {
        assert!(Reply::decode(&[0; 15]).is_err());
        assert!(Reply::decode(&[0; 16]).is_ok());
        assert!(granted_timeout(&[0; 7]).is_err());
    }
}
