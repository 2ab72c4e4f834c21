//! Replies: a header, then for successful requests a record.

use crate::code::ErrorCode;
use crate::ids::{Xid, Zxid};
use crate::jute::{Encode, frame};
use crate::stat::Stat;
use alloc::borrow::Cow;
use alloc::vec::Vec;

record! {
    /// Before every reply and notification.
    #[derive(Copy)]
    pub struct ReplyHeader {
        /// The request's number.
        pub xid: Xid,
        /// The last transaction that the server had applied.
        pub zxid: Zxid,
        /// 0, or why there is no record; see [`ErrorCode`].
        pub err: i32,
    }
}

impl ReplyHeader {
    /// The header of a successful reply.
    pub fn ok(xid: Xid, zxid: Zxid) -> Self {
        Self { xid, zxid, err: 0 }
    }

    /// The header of a failed one.
    pub fn error(xid: Xid, zxid: Zxid, code: ErrorCode) -> Self {
        Self {
            xid,
            zxid,
            err: code.wire(),
        }
    }
}

/// Appends a framed reply whose record is written by `body`.
pub fn encode_reply(header: ReplyHeader, out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    frame(out, |out| {
        header.encode(out);
        body(out);
    });
}

record! {
    /// Reply to create2, createContainer and createTTL.
    pub struct Create2Response<'a> {
        /// The path, with its sequential suffix if it has one.
        pub path: Cow<'a, str>,
        /// The new znode's metadata.
        pub stat: Stat,
    }
}

record! {
    /// Reply to getData, and to reconfig.
    pub struct GetDataResponse<'a> {
        /// The data; null and empty are told apart.
        pub data: Option<&'a [u8]>,
        /// The metadata.
        pub stat: Stat,
    }
}
