//! The numbers that name things: zxids, epochs, servers, sessions and requests.

use crate::jute::{Decode, DecodeError, Encode, Reader};
use alloc::vec::Vec;
use core::fmt;

macro_rules! id {
    ($(#[$meta:meta])* $name:ident($repr:ty)) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub $repr);

        impl Encode for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                self.0.encode(out);
            }
        }
        impl Decode<'_> for $name {
            fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Decode::decode(reader).map(Self)
            }
        }
    };
}

id! {
    /// A transaction's number: the leader's epoch in the high 32 bits, a counter in the low 32.
    /// Ordered as a signed number, so that -1 ("no history") comes before everything.
    Zxid(i64)
}
id! {
    /// A server's number in its ensemble (`myid`), 0 to 254.
    ServerId(i64)
}
id! {
    /// A session's number. Its high byte is the id of the server that made it.
    SessionId(i64)
}
id! {
    /// A client's number for one of its requests (also called cxid in logs). Some negative
    /// ones have a meaning of their own.
    Xid(i32)
}

/// A leader's term of office.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(pub u32);

impl Epoch {
    /// The last one there can be: zxids of later ones would be negative.
    pub const MAX: Self = Self(i32::MAX.cast_unsigned());

    /// The one after it; `None` after the last.
    pub fn next(self) -> Option<Self> {
        (self < Self::MAX).then(|| Self(self.0 + 1))
    }
}

impl Zxid {
    /// Before every transaction.
    pub const ZERO: Self = Self(0);

    /// The `counter`-th transaction of `epoch`.
    pub fn new(epoch: Epoch, counter: u32) -> Self {
        Self(((u64::from(epoch.0) << 32) | u64::from(counter)).cast_signed())
    }

    /// The epoch of the leader that proposed the transaction.
    pub fn epoch(self) -> Epoch {
        Epoch((self.0.cast_unsigned() >> 32) as u32)
    }

    /// The place of the transaction in its epoch, from 1.
    pub fn counter(self) -> u32 {
        self.0 as u32
    }

    /// The next zxid of the same epoch; after the last one, the first of the next epoch.
    pub fn next(self) -> Self {
        match self.counter() {
            u32::MAX => Self::new(Epoch(self.epoch().0.wrapping_add(1)), 1),
            _ => Self(self.0.wrapping_add(1)),
        }
    }
}

impl fmt::Display for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:x}", self.0)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:x}", self.0)
    }
}

impl SessionId {
    /// "No session": what a client sends to get a new one.
    pub const NONE: Self = Self(0);

    /// The password that resumes this session: the first 16 bytes of `java.util.Random` seeded
    /// with the id XOR 0xB3415C00, so that sessions move between Java and Grevy servers.
    /// Source: `ZooKeeperServer.generatePasswd`.
    pub fn password(self) -> [u8; 16] {
        const MULTIPLIER: u64 = 0x5_DEEC_E66D;
        const MASK: u64 = (1 << 48) - 1;
        let mut seed = (self.0.cast_unsigned() ^ 0xB341_5C00 ^ MULTIPLIER) & MASK;
        let mut password = [0; 16];
        for word in password.chunks_exact_mut(4) {
            seed = seed.wrapping_mul(MULTIPLIER).wrapping_add(0xB) & MASK;
            word.copy_from_slice(&((seed >> 16) as u32).to_le_bytes());
        }
        password
    }
}

impl Xid {
    /// A watch event.
    pub const NOTIFICATION: Self = Self(-1);
    /// A ping and its reply.
    pub const PING: Self = Self(-2);
    /// An authentication packet and its reply.
    pub const AUTH: Self = Self(-4);
    /// Watches set again after a reconnect.
    pub const SET_WATCHES: Self = Self(-8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zxid_parts() {
        let zxid = Zxid::new(Epoch(3), 5);
        assert_eq!(zxid, Zxid(0x3_0000_0005));
        assert_eq!((zxid.epoch(), zxid.counter()), (Epoch(3), 5));
        assert_eq!(zxid.next(), Zxid(0x3_0000_0006));
        assert_eq!(Zxid(0x3_ffff_ffff).next(), Zxid(0x4_0000_0001));
        assert!(Zxid(-1) < Zxid::ZERO);
    }

    /// Expected bytes computed by a JVM.
    #[test]
    fn password_is_javas_random() {
        for (id, expected) in PASSWORDS {
            assert_eq!(SessionId(*id).password(), *expected, "session {id:#x}");
        }
    }

    const PASSWORDS: &[(i64, [u8; 16])] = include!("../testdata/passwords.in");
}
