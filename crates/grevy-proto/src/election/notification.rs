//! What a server believes about who leads. Source: `FastLeaderElection.buildMsg`,
//! `Messenger.WorkerReceiver`.

use crate::ids::{ServerId, Zxid};
use crate::jute::{DecodeError, Encode, Reader};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

/// The most bytes of one message between servers on the election port.
pub const MAX_MESSAGE: usize = 512 << 10;

/// The format of notifications that carry a configuration.
const VERSION: i32 = 2;

/// What a server is doing (`QuorumPeer.ServerState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PeerState {
    /// Looking for a leader.
    Looking,
    /// Following one, with a vote.
    Following,
    /// Leading.
    Leading,
    /// Following one, without a vote.
    Observing,
}

impl PeerState {
    fn from_wire(value: i32) -> Option<Self> {
        Some(match value {
            0 => Self::Looking,
            1 => Self::Following,
            2 => Self::Leading,
            3 => Self::Observing,
            _ => return None,
        })
    }
}

/// One server's state and vote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// What the sender is doing.
    pub state: PeerState,
    /// For whom it votes, or whom it follows; [`i64::MIN`] for nobody.
    pub leader: ServerId,
    /// That server's last zxid.
    pub zxid: Zxid,
    /// The sender's round of elections (Java: electionEpoch, logicalclock).
    pub round: i64,
    /// The leader's epoch (Java: peerEpoch). Signed, since "no vote" is [`i64::MIN`].
    pub epoch: i64,
    /// The format of the message: 0 from servers up to 3.4, whose epochs differ in meaning
    /// (ZOOKEEPER-1732).
    pub version: i32,
    /// The sender's committed configuration as text, since format 2.
    pub config: Option<Arc<str>>,
}

impl Notification {
    /// The message with the length before it, as it goes over the wire. Without a
    /// configuration it has the form of 3.4, which reads as version 0.
    pub fn to_message(&self) -> Vec<u8> {
        let text = self.config.as_deref();
        let size = text.map_or(40, |text| 44 + text.len());
        let mut out = Vec::with_capacity(4 + size);
        (size as i32).encode(&mut out);
        (self.state as i32).encode(&mut out);
        self.leader.encode(&mut out);
        self.zxid.encode(&mut out);
        self.round.encode(&mut out);
        self.epoch.encode(&mut out);
        match text {
            None => 1_i32.encode(&mut out),
            Some(text) => {
                VERSION.encode(&mut out);
                text.encode(&mut out);
            }
        }
        out
    }

    /// Reads a message, without the length before it. The configuration's text is not looked
    /// at: one that cannot be understood must not cost the vote.
    pub fn decode(message: &[u8]) -> Result<Self, NotificationError> {
        let size = message.len();
        if !matches!(size, 28 | 40 | 44..) {
            return Err(NotificationError::Size(size));
        }
        let mut reader = Reader::new(message);
        let state = reader.int()?;
        let state = PeerState::from_wire(state).ok_or(NotificationError::UnknownState(state))?;
        let leader = ServerId(reader.long()?);
        let zxid = Zxid(reader.long()?);
        let round = reader.long()?;
        let epoch = match size {
            28 => i64::from(zxid.epoch().0),
            _ => reader.long()?,
        };
        // 3.4 writes a version that its own readers never looked at.
        let version = if size > 40 { reader.int()? } else { 0 };
        let config = match version {
            VERSION.. => reader.buffer()?,
            _ => None,
        };
        Ok(Self {
            state,
            leader,
            zxid,
            round,
            epoch,
            version,
            config: config.map(|text| String::from_utf8_lossy(text).into()),
        })
    }
}

/// Takes one message off the front of `bytes`, and tells how many bytes it took. `None`: it has
/// not arrived in full.
pub fn split_message(bytes: &[u8]) -> Result<Option<(&[u8], usize)>, BadMessageLength> {
    let mut reader = Reader::new(bytes);
    let Ok(length) = reader.int() else {
        return Ok(None);
    };
    match usize::try_from(length) {
        Ok(size) if (1..=MAX_MESSAGE).contains(&size) => {
            Ok(reader.take(size).ok().map(|message| (message, 4 + size)))
        }
        _ => Err(BadMessageLength(length)),
    }
}

/// A length that no message has; the connection must be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadMessageLength(pub i32);

impl fmt::Display for BadMessageLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.0;
        write!(
            f,
            "a message of {length} bytes, where 1 to {MAX_MESSAGE} can be"
        )
    }
}

impl core::error::Error for BadMessageLength {}

/// Why a message is no notification; it is passed over, as Java servers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotificationError {
    /// A size that no format has.
    Size(usize),
    /// A state that is not known.
    UnknownState(i32),
    /// A field that cannot be read.
    Field(DecodeError),
}

impl From<DecodeError> for NotificationError {
    fn from(error: DecodeError) -> Self {
        Self::Field(error)
    }
}

impl fmt::Display for NotificationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size(size) => write!(f, "no format of notifications has {size} bytes"),
            Self::UnknownState(state) => write!(f, "a notification with the unknown state {state}"),
            Self::Field(error) => write!(f, "a notification in which {error}"),
        }
    }
}

impl core::error::Error for NotificationError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn vote(config: Option<&str>) -> Notification {
        Notification {
            state: PeerState::Looking,
            leader: ServerId(2),
            zxid: Zxid(0x3_0000_0007),
            round: 1,
            epoch: 5,
            version: if config.is_some() { 2 } else { 0 },
            config: config.map(Into::into),
        }
    }

    const FIELDS: [u8; 36] = [
        0, 0, 0, 0, // state
        0, 0, 0, 0, 0, 0, 0, 2, // leader
        0, 0, 0, 3, 0, 0, 0, 7, // zxid
        0, 0, 0, 0, 0, 0, 0, 1, // round
        0, 0, 0, 0, 0, 0, 0, 5, // epoch
    ];

    fn message(parts: &[&[u8]]) -> Vec<u8> {
        parts.concat()
    }

    #[test]
    fn bytes() {
        let whole = message(&[
            &[0, 0, 0, 53],
            &FIELDS,
            &[0, 0, 0, 2, 0, 0, 0, 9],
            b"version=0",
        ]);
        assert_eq!(vote(Some("version=0")).to_message(), whole);
        assert_eq!(
            Notification::decode(&whole[4..]),
            Ok(vote(Some("version=0")))
        );
        assert_eq!(split_message(&whole), Ok(Some((&whole[4..], 57))));
        assert_eq!(split_message(&whole[..56]), Ok(None));
        assert_eq!(split_message(&[0, 0, 0]), Ok(None));
        assert_eq!(split_message(&[0; 4]), Err(BadMessageLength(0)));
        assert_eq!(split_message(&[0xff; 4]), Err(BadMessageLength(-1)));
        assert_eq!(split_message(&[0, 8, 0, 1]), Err(BadMessageLength(524_289)));
    }

    #[test]
    fn old_formats() {
        let oldest = Notification {
            epoch: 3,
            ..vote(None)
        };
        assert_eq!(Notification::decode(&FIELDS[..28]), Ok(oldest));
        for version in [0, 1, 2, 0xff] {
            let old = message(&[&FIELDS, &[0, 0, 0, version]]);
            assert_eq!(Notification::decode(&old), Ok(vote(None)));
        }
        assert_eq!(
            vote(None).to_message()[4..],
            message(&[&FIELDS, &[0, 0, 0, 1]])
        );
        let newer = message(&[&FIELDS, &[0, 0, 0, 1, 9, 9, 9, 9]]);
        let expected = Notification {
            version: 1,
            ..vote(None)
        };
        assert_eq!(Notification::decode(&newer), Ok(expected));
    }

    #[test]
    fn states() {
        for (wire, state) in [
            (1, PeerState::Following),
            (2, PeerState::Leading),
            (3, PeerState::Observing),
        ] {
            let notification = Notification {
                state,
                ..vote(Some(""))
            };
            let bytes = notification.to_message();
            assert_eq!(bytes[7], wire);
            assert_eq!(Notification::decode(&bytes[4..]), Ok(notification));
        }
    }

    /// Java servers wrote their platform's character set once (ZOOKEEPER-4787).
    #[test]
    fn texts_are_utf_8() {
        let sent = vote(Some("server.1=z\u{fc}rich:1:2"));
        let bytes = sent.to_message();
        assert!(bytes.ends_with(b"server.1=z\xc3\xbcrich:1:2"));
        assert_eq!(Notification::decode(&bytes[4..]), Ok(sent));
        // Whatever it is, it harms no vote.
        let mut other = vote(Some("server.1=z?rich:1:2")).to_message();
        let at = other.iter().position(|byte| *byte == b'?').unwrap();
        other[at] = 0xfc;
        let read = Notification::decode(&other[4..]).map(|read| read.leader);
        assert_eq!(read, Ok(ServerId(2)));
    }

    #[test]
    fn what_is_no_notification() {
        for size in [0, 27, 29, 39, 41, 43] {
            let error = Notification::decode(&[0; 50][..size]);
            assert_eq!(error, Err(NotificationError::Size(size)));
        }
        let mut unknown = FIELDS;
        unknown[3] = 4;
        assert_eq!(
            Notification::decode(&message(&[&unknown, &[0; 8]])),
            Err(NotificationError::UnknownState(4))
        );
        let with_length = |length: i32| {
            let length = length.to_be_bytes();
            Notification::decode(&message(&[&FIELDS, &[0, 0, 0, 2], &length, b"ab"]))
        };
        let field = |error| Err(NotificationError::Field(error));
        assert_eq!(
            with_length(3),
            field(DecodeError::Truncated { needed: 3, left: 2 })
        );
        assert_eq!(with_length(-2), field(DecodeError::NegativeLength(-2)));
        assert_eq!(with_length(1).unwrap().config.as_deref(), Some("a"));
    }
}
