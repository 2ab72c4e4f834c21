//! The connect handshake. Source: `ConnectRequest`, `ConnectResponse`,
//! `ZooKeeperServer.processConnectRequest`.

use crate::ids::{SessionId, Zxid};
use crate::jute::{Decode, DecodeError, Encode, Reader};
use alloc::vec::Vec;

/// A client's first frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectRequest<'a> {
    /// 0.
    pub protocol_version: i32,
    /// The newest state that the client has seen.
    pub last_zxid_seen: Zxid,
    /// The session timeout that it asks for, in ms.
    pub timeout: i32,
    /// The session that it resumes, or [`SessionId::NONE`].
    pub session: SessionId,
    /// That session's password.
    pub password: Option<&'a [u8]>,
    /// Whether a read-only server will do. `None`: the field is missing, as old clients (3.3)
    /// leave it out; they expect a response without it too.
    pub read_only: Option<bool>,
}

impl<'a> Decode<'a> for ConnectRequest<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            protocol_version: reader.int()?,
            last_zxid_seen: Zxid(reader.long()?),
            timeout: reader.int()?,
            session: SessionId(reader.long()?),
            password: reader.buffer()?,
            read_only: if reader.is_empty() {
                None
            } else {
                Some(reader.bool()?)
            },
        })
    }
}

impl Encode for ConnectRequest<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.protocol_version.encode(out);
        self.last_zxid_seen.encode(out);
        self.timeout.encode(out);
        self.session.encode(out);
        self.password.encode(out);
        if let Some(read_only) = self.read_only {
            read_only.encode(out);
        }
    }
}

record! {
    /// The server's first frame, without the trailing read-only byte.
    pub struct ConnectResponse {
        /// 0.
        pub protocol_version: i32,
        /// The negotiated session timeout in ms; 0: the session is not known or has expired.
        pub timeout: i32,
        /// The session's number.
        pub session: SessionId,
        /// What resumes it; 16 bytes.
        pub password: Option<alloc::boxed::Box<[u8]>>,
    }
}

impl ConnectResponse {
    /// The session is open.
    pub fn accept(session: SessionId, timeout: i32) -> Self {
        Self {
            protocol_version: 0,
            timeout,
            session,
            password: Some(session.password().into()),
        }
    }

    /// The session has expired, or the password is wrong.
    pub fn refuse() -> Self {
        Self {
            protocol_version: 0,
            timeout: 0,
            session: SessionId::NONE,
            password: Some([0; 16].into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_read_only_byte_may_be_missing() {
        for read_only in [None, Some(false), Some(true)] {
            let request = ConnectRequest {
                protocol_version: 0,
                last_zxid_seen: Zxid(7),
                timeout: 30_000,
                session: SessionId(5),
                password: Some(&[1; 16]),
                read_only,
            };
            let bytes = request.to_bytes();
            assert_eq!(bytes.len(), 44 + usize::from(read_only.is_some()));
            assert_eq!(ConnectRequest::from_bytes(&bytes), Ok(request));
        }
    }

    #[test]
    fn response_sizes() {
        assert_eq!(ConnectResponse::refuse().to_bytes().len(), 36);
    }
}
