//! What servers of an ensemble tell each other on the quorum port. Source: `QuorumPacket`,
//! `Leader` (the types), `LearnerHandler`, `Learner`.
//!
//! A packet has no outer length: [`Packet::parse`] finds its end. What a field of it holds
//! depends on the type; [`Packet`] has one variant for each, so that no other code knows.

use crate::acl::Id;
use crate::ids::{Epoch, ServerId, SessionId, Xid, Zxid};
use crate::jute::{DecodeError, Encode, Reader};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

/// The protocol version that servers since 3.4 state.
pub const PROTOCOL_VERSION: i32 = 0x10000;
/// What stands behind a snapshot that was sent.
pub const SNAPSHOT_SIGNATURE: &str = "BenWasHere";
/// The identities that one forwarded request may carry.
const MAX_IDS: usize = 4096;

/// One packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// Learner to leader: a client's request.
    Request(Box<Forwarded>),
    /// Leader to follower: a transaction, to be made durable and acknowledged.
    Proposal {
        /// The transaction's number.
        zxid: Zxid,
        /// The transaction as it stands in the log.
        entry: Arc<[u8]>,
    },
    /// Learner to leader: everything up to this is durable. With the counter 0: what NEWLEADER
    /// asked for is.
    Ack(Zxid),
    /// Leader to follower: everything up to this is committed.
    Commit(Zxid),
    /// Leader to learner: its newest proposal. The answer has the sessions that were heard.
    Ping {
        /// The leader's newest proposal.
        zxid: Zxid,
        /// In an answer: sessions heard since the last one, with their timeouts in ms.
        heard: Option<Vec<(SessionId, i32)>>,
    },
    /// Learner to leader: a client wants to resume a session.
    Revalidate {
        /// Which one.
        session: SessionId,
        /// The timeout that was negotiated, in ms.
        timeout: i32,
    },
    /// The answer.
    Revalidated {
        /// Which one.
        session: SessionId,
        /// Whether it is open.
        valid: bool,
    },
    /// Leader to learner: what had been proposed before the oldest unanswered sync is committed.
    Sync,
    /// Leader to observer: a committed transaction.
    Inform {
        /// The transaction's number.
        zxid: Zxid,
        /// The transaction as it stands in the log.
        entry: Arc<[u8]>,
    },
    /// Leader to follower: COMMIT of a reconfiguration.
    CommitAndActivate {
        /// The transaction's number.
        zxid: Zxid,
        /// Who leads from here on.
        leader: ServerId,
    },
    /// Leader to observer: INFORM of a reconfiguration.
    InformAndActivate {
        /// The transaction's number.
        zxid: Zxid,
        /// Who leads from here on.
        leader: ServerId,
        /// The transaction as it stands in the log.
        entry: Arc<[u8]>,
    },
    /// Leader to learner: what came before is the history of the new epoch.
    NewLeader {
        /// The first zxid of the epoch, with the counter 0.
        zxid: Zxid,
        /// The leader's last seen configuration.
        config: Box<str>,
    },
    /// Learner to leader, first of all.
    LearnerInfo(LearnerInfo),
    /// Leader to learner: serve.
    UpToDate,
    /// Leader to learner: what you miss follows.
    Diff(Zxid),
    /// Leader to learner: take back everything above this.
    Trunc(Zxid),
    /// Leader to learner: a snapshot follows, outside of any packet.
    Snap(Zxid),
    /// Leader to learner: the new epoch.
    LeaderInfo(Epoch),
    /// Learner to leader: the epoch is accepted.
    AckEpoch {
        /// The end of the learner's durable history.
        last_zxid: Zxid,
        /// The epoch of the last leader that the learner followed; `None`: it had promised
        /// itself to this epoch before, and does not count again.
        current_epoch: Option<Epoch>,
    },
    /// A type that this version does not know.
    Unknown(i32),
}

/// How a learner introduces itself (FOLLOWERINFO, OBSERVERINFO).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LearnerInfo {
    /// Whether it observes.
    pub observer: bool,
    /// The newest epoch that it promised itself to.
    pub accepted_epoch: Epoch,
    /// Who it is; `None`: it does not say, and takes no part in any vote.
    pub server: Option<ServerId>,
    /// The version of its committed configuration.
    pub config_version: i64,
}

/// A client's request on its way to the leader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forwarded {
    /// Whose it is.
    pub session: SessionId,
    /// The client's number for it.
    pub cxid: Xid,
    /// The operation's code.
    pub op: i32,
    /// The request's record.
    pub record: Box<[u8]>,
    /// Who the client is.
    pub ids: Arc<[Id]>,
}

/// Why received bytes are no packet. The connection has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketError {
    /// A field announces more than the limit (`jute.maxbuffer`, with its extra).
    TooLong {
        /// The packet's type.
        kind: i32,
        /// Bytes that the field announces.
        len: i32,
        /// How many are allowed.
        limit: usize,
    },
    /// It announces more identities than any client has.
    TooManyIds {
        /// The packet's type.
        kind: i32,
        /// How many.
        count: usize,
    },
    /// A field of the packet cannot be read.
    Field {
        /// The packet's type.
        kind: i32,
        /// What is wrong.
        error: DecodeError,
    },
}

impl fmt::Display for PacketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { kind, len, limit } => write!(
                f,
                "a packet of type {kind} announces a field of {len} bytes, where jute.maxbuffer \
                 and jute.maxbuffer.extrasize together allow {limit}; set them as on the other \
                 servers, if the other end is one of them"
            ),
            Self::TooManyIds { kind, count } => write!(
                f,
                "a packet of type {kind} announces {count} identities; is the other end a \
                 ZooKeeper server?"
            ),
            Self::Field { kind, error } => {
                write!(f, "a packet of type {kind} cannot be read: {error}")
            }
        }
    }
}

impl core::error::Error for PacketError {}

mod kind {
    pub const REQUEST: i32 = 1;
    pub const PROPOSAL: i32 = 2;
    pub const ACK: i32 = 3;
    pub const COMMIT: i32 = 4;
    pub const PING: i32 = 5;
    pub const REVALIDATE: i32 = 6;
    pub const SYNC: i32 = 7;
    pub const INFORM: i32 = 8;
    pub const COMMIT_AND_ACTIVATE: i32 = 9;
    pub const NEW_LEADER: i32 = 10;
    pub const FOLLOWER_INFO: i32 = 11;
    pub const UP_TO_DATE: i32 = 12;
    pub const DIFF: i32 = 13;
    pub const TRUNC: i32 = 14;
    pub const SNAP: i32 = 15;
    pub const OBSERVER_INFO: i32 = 16;
    pub const LEADER_INFO: i32 = 17;
    pub const ACK_EPOCH: i32 = 18;
    pub const INFORM_AND_ACTIVATE: i32 = 19;
}

impl Packet {
    /// Whether a connection whose first eight bytes are this number begins with a learner's
    /// introduction.
    pub fn begins_introduction(first: i64) -> bool {
        let kinds = [kind::FOLLOWER_INFO, kind::OBSERVER_INFO];
        kinds.map(i64::from).contains(&(first >> 32))
    }

    /// Reads the packet at the start of `bytes`, with the number of bytes that it takes. `None`:
    /// its end has not come yet. No field may be longer than `limit` bytes.
    pub fn parse(bytes: &[u8], limit: usize) -> Result<Option<(Self, usize)>, PacketError> {
        let mut reader = Reader::new(bytes);
        let Ok(kind) = reader.int() else {
            return Ok(None);
        };
        let fields = match Fields::read(&mut reader, kind, limit) {
            Ok(fields) => fields,
            Err(PacketError::Field {
                error: DecodeError::Truncated { .. },
                ..
            }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let packet = fields
            .interpret(kind)
            .map_err(|error| PacketError::Field { kind, error })?;
        Ok(Some((packet, bytes.len() - reader.rest().len())))
    }

    /// What log lines call it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Request(_) => "REQUEST",
            Self::Proposal { .. } => "PROPOSAL",
            Self::Ack(_) => "ACK",
            Self::Commit(_) => "COMMIT",
            Self::Ping { .. } => "PING",
            Self::Revalidate { .. } | Self::Revalidated { .. } => "REVALIDATE",
            Self::Sync => "SYNC",
            Self::Inform { .. } => "INFORM",
            Self::CommitAndActivate { .. } => "COMMITANDACTIVATE",
            Self::InformAndActivate { .. } => "INFORMANDACTIVATE",
            Self::NewLeader { .. } => "NEWLEADER",
            Self::LearnerInfo(info) if info.observer => "OBSERVERINFO",
            Self::LearnerInfo(_) => "FOLLOWERINFO",
            Self::UpToDate => "UPTODATE",
            Self::Diff(_) => "DIFF",
            Self::Trunc(_) => "TRUNC",
            Self::Snap(_) => "SNAP",
            Self::LeaderInfo(_) => "LEADERINFO",
            Self::AckEpoch { .. } => "ACKEPOCH",
            Self::Unknown(_) => "a packet of unknown type",
        }
    }
}

/// A packet's fields after its type, not yet understood.
struct Fields<'a> {
    zxid: Zxid,
    data: Option<&'a [u8]>,
    ids: Vec<Id>,
}

impl<'a> Fields<'a> {
    fn read(reader: &mut Reader<'a>, kind: i32, limit: usize) -> Result<Self, PacketError> {
        let field = |error| PacketError::Field { kind, error };
        let zxid = Zxid(reader.long().map_err(field)?);
        let data = bounded(reader, kind, limit)?;
        let count = reader.vector_len().map_err(field)?.unwrap_or(0);
        if count > MAX_IDS {
            return Err(PacketError::TooManyIds { kind, count });
        }
        let mut ids = Vec::new();
        for _ in 0..count {
            let mut text = || {
                let text = bounded(reader, kind, limit)?.unwrap_or_default();
                Ok(alloc::string::String::from_utf8_lossy(text).into_owned())
            };
            ids.push(Id::new(text()?, text()?));
        }
        Ok(Self { zxid, data, ids })
    }

    fn interpret(self, kind: i32) -> Result<Packet, DecodeError> {
        let Self { zxid, data, ids } = self;
        let bytes = data.unwrap_or_default();
        let mut reader = Reader::new(bytes);
        Ok(match kind {
            kind::REQUEST => Packet::Request(Box::new(Forwarded {
                session: SessionId(reader.long()?),
                cxid: Xid(reader.int()?),
                op: reader.int()?,
                record: reader.rest().into(),
                ids: ids.into(),
            })),
            kind::PROPOSAL => Packet::Proposal {
                zxid,
                entry: bytes.into(),
            },
            kind::ACK => Packet::Ack(zxid),
            kind::COMMIT => Packet::Commit(zxid),
            kind::PING => Packet::Ping {
                zxid,
                heard: data.map(heard).transpose()?,
            },
            // 8 bytes and a boolean, or 8 bytes and a number.
            kind::REVALIDATE if bytes.len() < 12 => Packet::Revalidated {
                session: SessionId(reader.long()?),
                valid: reader.bool()?,
            },
            kind::REVALIDATE => Packet::Revalidate {
                session: SessionId(reader.long()?),
                timeout: reader.int()?,
            },
            kind::SYNC => Packet::Sync,
            kind::INFORM => Packet::Inform {
                zxid,
                entry: bytes.into(),
            },
            kind::COMMIT_AND_ACTIVATE => Packet::CommitAndActivate {
                zxid,
                leader: ServerId(reader.long()?),
            },
            kind::INFORM_AND_ACTIVATE => Packet::InformAndActivate {
                zxid,
                leader: ServerId(reader.long()?),
                entry: reader.rest().into(),
            },
            kind::NEW_LEADER => Packet::NewLeader {
                zxid,
                config: alloc::string::String::from_utf8_lossy(bytes).into(),
            },
            kind::FOLLOWER_INFO | kind::OBSERVER_INFO => {
                let server = reader.long().ok().map(ServerId);
                // Older servers say less.
                let _ = reader.int();
                Packet::LearnerInfo(LearnerInfo {
                    observer: kind == kind::OBSERVER_INFO,
                    // Java servers that were never in an ensemble have accepted -1.
                    accepted_epoch: match zxid.0 {
                        ..0 => Epoch(0),
                        _ => zxid.epoch(),
                    },
                    server,
                    config_version: reader.long().unwrap_or(0),
                })
            }
            kind::UP_TO_DATE => Packet::UpToDate,
            kind::DIFF => Packet::Diff(zxid),
            kind::TRUNC => Packet::Trunc(zxid),
            kind::SNAP => Packet::Snap(zxid),
            kind::LEADER_INFO => Packet::LeaderInfo(zxid.epoch()),
            kind::ACK_EPOCH => Packet::AckEpoch {
                last_zxid: zxid,
                current_epoch: match reader.int()? {
                    -1 => None,
                    epoch => Some(Epoch(epoch.cast_unsigned())),
                },
            },
            other => Packet::Unknown(other),
        })
    }
}

fn bounded<'a>(
    reader: &mut Reader<'a>,
    kind: i32,
    limit: usize,
) -> Result<Option<&'a [u8]>, PacketError> {
    let field = |error| PacketError::Field { kind, error };
    let len = reader.clone().int().map_err(field)?;
    match usize::try_from(len) {
        Ok(bytes) if bytes > limit => Err(PacketError::TooLong { kind, len, limit }),
        _ => reader.buffer().map_err(field),
    }
}

fn heard(bytes: &[u8]) -> Result<Vec<(SessionId, i32)>, DecodeError> {
    let mut reader = Reader::new(bytes);
    let mut sessions = Vec::with_capacity(bytes.len() / 12);
    while !reader.is_empty() {
        sessions.push((SessionId(reader.long()?), reader.int()?));
    }
    Ok(sessions)
}

impl Encode for Packet {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Request(request) => {
                head(kind::REQUEST, Zxid(-1), out);
                crate::jute::frame(out, |out| {
                    request.session.encode(out);
                    request.cxid.encode(out);
                    request.op.encode(out);
                    out.extend_from_slice(&request.record);
                });
                request.ids.encode(out);
            }
            Self::Proposal { zxid, entry } => with_data(kind::PROPOSAL, *zxid, entry, out),
            Self::Ack(zxid) => bare(kind::ACK, *zxid, out),
            Self::Commit(zxid) => bare(kind::COMMIT, *zxid, out),
            Self::Ping { zxid, heard: None } => bare(kind::PING, *zxid, out),
            Self::Ping {
                zxid,
                heard: Some(heard),
            } => framed(kind::PING, *zxid, out, |out| {
                for (session, timeout) in heard {
                    session.encode(out);
                    timeout.encode(out);
                }
            }),
            Self::Revalidate { session, timeout } => {
                framed(kind::REVALIDATE, Zxid(-1), out, |out| {
                    session.encode(out);
                    timeout.encode(out);
                });
            }
            Self::Revalidated { session, valid } => {
                framed(kind::REVALIDATE, Zxid(-1), out, |out| {
                    session.encode(out);
                    valid.encode(out);
                });
            }
            Self::Sync => bare(kind::SYNC, Zxid::ZERO, out),
            Self::Inform { zxid, entry } => with_data(kind::INFORM, *zxid, entry, out),
            Self::CommitAndActivate { zxid, leader } => {
                framed(kind::COMMIT_AND_ACTIVATE, *zxid, out, |out| {
                    leader.encode(out);
                });
            }
            Self::InformAndActivate {
                zxid,
                leader,
                entry,
            } => framed(kind::INFORM_AND_ACTIVATE, *zxid, out, |out| {
                leader.encode(out);
                out.extend_from_slice(entry);
            }),
            Self::NewLeader { zxid, config } => {
                with_data(kind::NEW_LEADER, *zxid, config.as_bytes(), out);
            }
            Self::LearnerInfo(info) => info.encode(out),
            Self::UpToDate => bare(kind::UP_TO_DATE, Zxid(-1), out),
            Self::Diff(zxid) => bare(kind::DIFF, *zxid, out),
            Self::Trunc(zxid) => bare(kind::TRUNC, *zxid, out),
            Self::Snap(zxid) => bare(kind::SNAP, *zxid, out),
            Self::LeaderInfo(epoch) => {
                let zxid = Zxid::new(*epoch, 0);
                framed(kind::LEADER_INFO, zxid, out, |out| {
                    PROTOCOL_VERSION.encode(out);
                });
            }
            Self::AckEpoch {
                last_zxid,
                current_epoch,
            } => framed(kind::ACK_EPOCH, *last_zxid, out, |out| {
                let epoch = current_epoch.map_or(-1, |epoch| epoch.0.cast_signed());
                epoch.encode(out);
            }),
            Self::Unknown(kind) => bare(*kind, Zxid::ZERO, out),
        }
    }
}

impl Encode for LearnerInfo {
    fn encode(&self, out: &mut Vec<u8>) {
        let kind = match self.observer {
            true => kind::OBSERVER_INFO,
            false => kind::FOLLOWER_INFO,
        };
        let zxid = Zxid::new(self.accepted_epoch, 0);
        match self.server {
            Some(server) => framed(kind, zxid, out, |out| {
                server.encode(out);
                PROTOCOL_VERSION.encode(out);
                self.config_version.encode(out);
            }),
            None => bare(kind, zxid, out),
        }
    }
}

fn head(kind: i32, zxid: Zxid, out: &mut Vec<u8>) {
    kind.encode(out);
    zxid.encode(out);
}

/// No data, no identities.
fn bare(kind: i32, zxid: Zxid, out: &mut Vec<u8>) {
    head(kind, zxid, out);
    (-1i32).encode(out);
    (-1i32).encode(out);
}

fn with_data(kind: i32, zxid: Zxid, data: &[u8], out: &mut Vec<u8>) {
    head(kind, zxid, out);
    data.encode(out);
    (-1i32).encode(out);
}

fn framed(kind: i32, zxid: Zxid, out: &mut Vec<u8>, data: impl FnOnce(&mut Vec<u8>)) {
    head(kind, zxid, out);
    crate::jute::frame(out, data);
    (-1i32).encode(out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    const LIMIT: usize = 1 << 20;

    fn all() -> Vec<Packet> {
        let entry: Arc<[u8]> = Arc::from(&b"entry"[..]);
        let zxid = Zxid(0x2_0000_0003);
        let leader = ServerId(3);
        let session = SessionId(7);
        let info = LearnerInfo {
            observer: false,
            accepted_epoch: Epoch(4),
            server: Some(leader),
            config_version: 0x1_0000_0000,
        };
        vec![
            Packet::Request(Box::new(Forwarded {
                session,
                cxid: Xid(5),
                op: 1,
                record: Box::from(&b"record"[..]),
                ids: [Id::new("ip", "127.0.0.1")].into(),
            })),
            Packet::Proposal {
                zxid,
                entry: entry.clone(),
            },
            Packet::Ack(zxid),
            Packet::Commit(zxid),
            Packet::Ping { zxid, heard: None },
            Packet::Ping {
                zxid,
                heard: Some(vec![]),
            },
            Packet::Ping {
                zxid,
                heard: Some(vec![(session, 4000)]),
            },
            Packet::Revalidate {
                session,
                timeout: 4000,
            },
            Packet::Revalidated {
                session,
                valid: true,
            },
            Packet::Sync,
            Packet::Inform {
                zxid,
                entry: entry.clone(),
            },
            Packet::CommitAndActivate { zxid, leader },
            Packet::InformAndActivate {
                zxid,
                leader,
                entry,
            },
            Packet::NewLeader {
                zxid: Zxid(0x2_0000_0000),
                config: "version=0".into(),
            },
            Packet::LearnerInfo(info),
            Packet::LearnerInfo(LearnerInfo {
                observer: true,
                server: None,
                config_version: 0,
                ..info
            }),
            Packet::UpToDate,
            Packet::Diff(zxid),
            Packet::Trunc(zxid),
            Packet::Snap(zxid),
            Packet::LeaderInfo(Epoch(5)),
            Packet::AckEpoch {
                last_zxid: zxid,
                current_epoch: Some(Epoch(4)),
            },
            Packet::AckEpoch {
                last_zxid: zxid,
                current_epoch: None,
            },
            Packet::Unknown(99),
        ]
    }

    #[test]
    fn packets_come_back_as_they_were_and_only_when_whole() {
        for packet in all() {
            let mut bytes = packet.to_bytes();
            let len = bytes.len();
            for end in 0..len {
                assert_eq!(Packet::parse(&bytes[..end], LIMIT), Ok(None), "{packet:?}");
            }
            bytes.extend_from_slice(b"more");
            assert_eq!(Packet::parse(&bytes, LIMIT), Ok(Some((packet, len))));
        }
    }

    #[test]
    fn bytes_as_a_java_server_sends_them() {
        let packet = Packet::LeaderInfo(Epoch(1));
        let expected = b"\0\0\0\x11\0\0\0\x01\0\0\0\0\0\0\0\x04\0\x01\0\0\xff\xff\xff\xff";
        assert_eq!(packet.to_bytes(), expected);
        let packet = Packet::Ack(Zxid(0x1_0000_0000));
        let expected = b"\0\0\0\x03\0\0\0\x01\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff";
        assert_eq!(packet.to_bytes(), expected);
    }

    #[test]
    fn introductions_are_known_by_their_first_bytes() {
        for packet in all() {
            let first = packet.to_bytes()[..8].try_into().expect("eight bytes");
            let is_introduction = matches!(packet, Packet::LearnerInfo(_));
            let first = i64::from_be_bytes(first);
            assert_eq!(
                Packet::begins_introduction(first),
                is_introduction,
                "{packet:?}"
            );
        }
        assert!(!Packet::begins_introduction(11) && !Packet::begins_introduction(-65536));
    }

    #[test]
    fn lengths_meet_their_limit_before_anything_is_waited_for() {
        let mut bytes = vec![0, 0, 0, 2];
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(&[0x7f, 0xff, 0xff, 0xff]);
        assert_eq!(
            Packet::parse(&bytes, LIMIT),
            Err(PacketError::TooLong {
                kind: 2,
                len: i32::MAX,
                limit: LIMIT,
            })
        );
    }

    #[test]
    fn a_short_field_is_an_error_and_not_a_wait() {
        let mut bytes = Vec::new();
        with_data(kind::ACK_EPOCH, Zxid(0), b"\0\0", &mut bytes);
        assert!(matches!(
            Packet::parse(&bytes, LIMIT),
            Err(PacketError::Field { kind: 18, .. })
        ));
    }

    #[test]
    fn who_was_never_in_an_ensemble_has_accepted_nothing() {
        let mut bytes = Vec::new();
        // -1, shifted by 32 bits.
        let zxid = Zxid(-1 << 32);
        with_data(kind::FOLLOWER_INFO, zxid, &[0; 20], &mut bytes);
        let (packet, _) = Packet::parse(&bytes, LIMIT).unwrap().unwrap();
        let Packet::LearnerInfo(info) = packet else {
            panic!("{packet:?}");
        };
        assert_eq!(info.accepted_epoch, Epoch(0));
    }
}
