//! The first bytes on a connection between two servers, from who dialled to who listens.
//! Source: `QuorumCnxManager.InitialMessage`.

use crate::address::HostPort;
use crate::ids::ServerId;
use crate::jute::{Encode, Reader};
use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// The most bytes that a hello's addresses may take.
pub const MAX_ADDRESSES: usize = 2048;

/// In place of a server's number: a version. One address follows.
const VERSION_1: i64 = -65536;
/// Several addresses follow, joined by `|`.
const VERSION_2: i64 = -65535;

/// Who dials, and where it can be dialled back.
///
/// All of it must leave in one write: Java listeners read the addresses with a single read and
/// close the connection when it brings less.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// Who dials.
    pub server: ServerId,
    /// Its election addresses. None are left where it told only wildcards, or is so old
    /// (ZooKeeper 3.4) that it tells none.
    pub addresses: Vec<HostPort>,
}

impl Hello {
    /// The number of an observer that has none; whoever listens gives it a negative one.
    pub const ANONYMOUS: ServerId = ServerId(i64::MAX);

    /// The form that every version since 3.4 reads; it has room for the first address only.
    pub fn encode_v1(&self) -> Vec<u8> {
        let first = self.addresses.first().map(HostPort::to_string);
        self.encode(VERSION_1, &first.unwrap_or_default())
    }

    /// The form with all addresses. Only 3.6 and later read it, others close the connection
    /// (ZOOKEEPER-3720): for ensembles with `multiAddress.enabled=true`.
    pub fn encode_v2(&self) -> Vec<u8> {
        let addresses: Vec<String> = self.addresses.iter().map(HostPort::to_string).collect();
        self.encode(VERSION_2, &addresses.join("|"))
    }

    fn encode(&self, version: i64, addresses: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(20 + addresses.len());
        version.encode(&mut out);
        self.server.encode(&mut out);
        addresses.encode(&mut out);
        out
    }

    /// Whether `bytes` begin like a hello of one of the forms with addresses, and like nothing
    /// that comes on another port.
    pub fn is_begun_by(bytes: &[u8]) -> bool {
        matches!(Reader::new(bytes).long(), Ok(VERSION_1 | VERSION_2))
    }

    /// Reads a hello at the start of `bytes`, of any form, and tells how many bytes it took.
    /// `None`: it has not arrived in full.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, HelloError> {
        let mut reader = Reader::new(bytes);
        let Ok(first) = reader.long() else {
            return Ok(None);
        };
        let server = match first {
            0.. => {
                let hello = Self {
                    server: ServerId(first),
                    addresses: Vec::new(),
                };
                return Ok(Some((hello, 8)));
            }
            VERSION_1 | VERSION_2 => reader.long(),
            _ => return Err(HelloError::UnknownVersion(first)),
        };
        let Ok(server) = server else {
            return Ok(None);
        };
        if server < 0 {
            return Err(HelloError::NotAServer(server));
        }
        let Ok(length) = reader.int() else {
            return Ok(None);
        };
        let size = match usize::try_from(length) {
            Ok(size) if (1..=MAX_ADDRESSES).contains(&size) => size,
            _ => return Err(HelloError::Length(length)),
        };
        let Ok(text) = reader.take(size) else {
            return Ok(None);
        };
        let addresses = addresses(text)?;
        let hello = Self {
            server: ServerId(server),
            addresses,
        };
        Ok(Some((hello, bytes.len() - reader.rest().len())))
    }
}

fn addresses(text: &[u8]) -> Result<Vec<HostPort>, HelloError> {
    let text = String::from_utf8_lossy(text);
    let mut addresses = Vec::new();
    for address in text.split('|') {
        match address.parse::<HostPort>() {
            Ok(address) if address.is_wildcard() => {}
            Ok(address) => addresses.push(address),
            Err(_) => return Err(HelloError::Address(address.to_owned())),
        }
    }
    Ok(addresses)
}

/// Why a connection that begins so cannot be one of a server; it must be closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HelloError {
    /// A form of hello that is not known.
    UnknownVersion(i64),
    /// A negative number of a server.
    NotAServer(i64),
    /// A length of the addresses that is not 1 to [`MAX_ADDRESSES`].
    Length(i32),
    /// An address that is not `host:port`.
    Address(String),
}

impl fmt::Display for HelloError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownVersion(version) => write!(f, "a hello of the unknown form {version}"),
            Self::NotAServer(server) => write!(f, "a hello of a server numbered {server}"),
            Self::Length(length) => write!(
                f,
                "a hello with {length} bytes of addresses, where 1 to {MAX_ADDRESSES} can be"
            ),
            Self::Address(address) => {
                write!(f, "a hello with the address {address:?}, not host:port")
            }
        }
    }
}

impl core::error::Error for HelloError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(server: i64, addresses: &[&str]) -> Hello {
        Hello {
            server: ServerId(server),
            addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
        }
    }

    const V1: &[u8] = b"\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0\0\0\0\x02\0\0\0\x0e127.0.0.1:3888";
    const V2: &[u8] = b"\xff\xff\xff\xff\xff\xff\0\x01\0\0\0\0\0\0\0\x02\0\0\0\x10a:3888|[::1]:388";

    #[test]
    fn bytes() {
        assert_eq!(hello(2, &["127.0.0.1:3888"]).encode_v1(), V1);
        assert_eq!(hello(2, &["a:3888", "[::1]:388"]).encode_v2(), V2);
        let first = hello(2, &["127.0.0.1:3888", "b:1"]).encode_v1();
        assert_eq!(first, V1);
    }

    #[test]
    fn every_form_is_read_once_it_is_there() {
        let old = [0, 0, 0, 0, 0, 0, 0, 3];
        let anonymous = [0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        for (bytes, expected) in [
            (V1, hello(2, &["127.0.0.1:3888"])),
            (V2, hello(2, &["a:3888", "[::1]:388"])),
            (&old, hello(3, &[])),
            (&anonymous, hello(Hello::ANONYMOUS.0, &[])),
        ] {
            for cut in 0..bytes.len() {
                assert_eq!(Hello::parse(&bytes[..cut]), Ok(None), "{cut} bytes");
            }
            let mut more = bytes.to_vec();
            more.extend(b"more");
            assert_eq!(Hello::parse(&more), Ok(Some((expected, bytes.len()))));
        }
    }

    #[test]
    fn the_first_bytes_tell_it_from_a_packet() {
        for (bytes, is_hello) in [
            (V1, true),
            (V2, true),
            (&V1[..7], false),
            (b"\0\0\0\x0b\0\0\0\0", false),
            (b"\0\0\0\0\0\0\0\x03", false),
            (b"GET / HTTP/1.1", false),
        ] {
            assert_eq!(Hello::is_begun_by(bytes), is_hello, "{bytes:?}");
        }
    }

    #[test]
    fn wildcards_are_no_address_to_dial() {
        let bytes = hello(1, &["0.0.0.0:3888", "[::]:3888", "c:1"]).encode_v2();
        let (read, _) = Hello::parse(&bytes).unwrap().unwrap();
        assert_eq!(read, hello(1, &["c:1"]));
    }

    #[test]
    fn what_is_no_hello() {
        let with = |version: i64, server: i64, length: i32, text: &str| {
            let mut bytes = Vec::new();
            version.encode(&mut bytes);
            server.encode(&mut bytes);
            length.encode(&mut bytes);
            bytes.extend(text.as_bytes());
            Hello::parse(&bytes)
        };
        let address = |text: &str| Err(HelloError::Address(text.to_owned()));
        assert_eq!(with(-1, 1, 3, "a:1"), Err(HelloError::UnknownVersion(-1)));
        assert_eq!(
            with(VERSION_1, -7, 3, "a:1"),
            Err(HelloError::NotAServer(-7))
        );
        assert_eq!(with(VERSION_1, 1, 0, ""), Err(HelloError::Length(0)));
        assert_eq!(with(VERSION_1, 1, -1, ""), Err(HelloError::Length(-1)));
        assert_eq!(with(VERSION_1, 1, 2049, ""), Err(HelloError::Length(2049)));
        assert_eq!(with(VERSION_1, 1, 2048, ""), Ok(None));
        assert_eq!(with(VERSION_1, 1, 3, "a:x"), address("a:x"));
        assert_eq!(with(VERSION_2, 1, 4, "a:1|"), address(""));
    }
}
