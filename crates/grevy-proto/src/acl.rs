//! Identities and access control lists. Source: `org.apache.zookeeper.data.{Id, ACL}`,
//! `ZooDefs.Perms`.

use crate::jute::{Decode, DecodeError, Encode, Reader};
use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Permission bits of an [`Acl`].
pub mod perms {
    /// Data, children, existence.
    pub const READ: i32 = 1;
    /// Setting data.
    pub const WRITE: i32 = 2;
    /// Creating children.
    pub const CREATE: i32 = 4;
    /// Deleting children.
    pub const DELETE: i32 = 8;
    /// Setting the access control list.
    pub const ADMIN: i32 = 16;
    /// All of them.
    pub const ALL: i32 = 31;
}

/// Who somebody is, by a scheme of authentication. The common words are not allocated.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// `world`, `auth`, `digest`, `ip`, `x509`, `sasl`, `super`.
    pub scheme: Cow<'static, str>,
    /// What the scheme says: `anyone`, `user:hash`, an address with `/bits`, a subject name.
    pub id: Cow<'static, str>,
}

/// What an identity may do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Acl {
    /// Bits of [`perms`].
    pub perms: i32,
    /// Whom this is about.
    pub id: Id,
}

impl Id {
    /// Everybody.
    pub const ANYONE: Self = Self {
        scheme: Cow::Borrowed("world"),
        id: Cow::Borrowed("anyone"),
    };

    /// `scheme:id`.
    pub fn new(scheme: impl Into<Cow<'static, str>>, id: impl Into<Cow<'static, str>>) -> Self {
        Self {
            scheme: scheme.into(),
            id: id.into(),
        }
    }
}

impl Acl {
    /// Everybody may do everything (`Ids.OPEN_ACL_UNSAFE`).
    pub const OPEN: Self = Self {
        perms: perms::ALL,
        id: Id::ANYONE,
    };

    /// Everybody may read (`Ids.READ_ACL_UNSAFE`).
    pub const READ: Self = Self {
        perms: perms::READ,
        id: Id::ANYONE,
    };
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.scheme, self.id)
    }
}

/// Words that almost every list uses; they are not worth an allocation each.
fn intern(word: Cow<'_, str>) -> Cow<'static, str> {
    const KNOWN: [&str; 8] = [
        "world", "anyone", "auth", "digest", "ip", "x509", "sasl", "",
    ];
    match KNOWN.iter().find(|known| **known == word) {
        Some(known) => Cow::Borrowed(known),
        None => Cow::Owned(String::from(word)),
    }
}

impl Encode for Id {
    fn encode(&self, out: &mut Vec<u8>) {
        self.scheme.encode(out);
        self.id.encode(out);
    }
}

/// A null scheme or id reads as an empty one, which no check accepts.
impl Decode<'_> for Id {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            scheme: intern(reader.string()?.unwrap_or_default()),
            id: intern(reader.string()?.unwrap_or_default()),
        })
    }
}

impl Encode for Acl {
    fn encode(&self, out: &mut Vec<u8>) {
        self.perms.encode(out);
        self.id.encode(out);
    }
}

impl Decode<'_> for Acl {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            perms: reader.int()?,
            id: Id::decode(reader)?,
        })
    }
}
