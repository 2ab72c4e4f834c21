//! What a client sends and gets, as bytes.

use crate::history::{Asked, Frame};
use grevy_proto::connect::{ConnectRequest, ConnectResponse};
use grevy_proto::{Decode, Encode, Reader, SessionId, Zxid};

/// Takes a whole frame from the front, without its length.
pub fn take_frame(bytes: &mut Vec<u8>) -> Option<Vec<u8>> {
    let len = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
    let frame = bytes.get(4..4 + len)?.to_vec();
    bytes.drain(..4 + len);
    Some(frame)
}

/// What a frame says.
pub fn read_frame(bytes: &[u8], connected: bool) -> Frame {
    let mut reader = Reader::new(bytes);
    let read = |reader: &mut Reader<'_>| {
        if !connected {
            let response = ConnectResponse::decode(reader)?;
            return Ok(Frame::Connected {
                session: response.session.0,
                timeout: response.timeout,
                read_only: !reader.is_empty() && reader.bool()?,
            });
        }
        let (xid, zxid, err) = (reader.int()?, reader.long()?, reader.int()?);
        if xid != -1 {
            let body = reader.rest().to_vec();
            return Ok(Frame::Reply {
                xid,
                zxid,
                err,
                body,
            });
        }
        let kind = reader.int()?;
        reader.int()?;
        let path = reader.string()?.unwrap_or_default().into_owned();
        reader.finish()?;
        Ok::<Frame, grevy_proto::DecodeError>(Frame::Event { zxid, kind, path })
    };
    read(&mut reader).unwrap_or_else(|_| Frame::Unreadable(bytes.to_vec()))
}

/// The frame that asks for a session.
pub(super) fn handshake(asked: Asked, password: &[u8]) -> Vec<u8> {
    let request = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: Zxid(asked.last_zxid),
        timeout: asked.timeout,
        session: SessionId(asked.session),
        password: Some(password),
        read_only: Some(asked.read_only),
    };
    let mut out = Vec::new();
    grevy_proto::jute::frame(&mut out, |out| request.encode(out));
    out
}
