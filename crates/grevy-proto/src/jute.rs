//! Jute, ZooKeeper's serialisation: big-endian numbers, length-prefixed strings, buffers and
//! vectors, where a length of -1 stands for null. Source: `BinaryInputArchive`,
//! `BinaryOutputArchive`.
//!
//! Each primitive is implemented once, here; records are declared with [`record!`].

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Why bytes could not be read as a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeError {
    /// The input ends inside a field.
    Truncated {
        /// Bytes that the field still needs.
        needed: usize,
        /// Bytes that were left.
        left: usize,
    },
    /// A length field holds a negative number other than -1.
    NegativeLength(i32),
    /// A string or vector is null where the record needs one.
    Null,
    /// A field holds a number that its type does not know.
    UnknownValue(i32),
    /// Bytes are left after the last field of a record that must fill its input.
    TrailingBytes(usize),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { needed, left } => {
                write!(f, "a field needs {needed} bytes but only {left} are left")
            }
            Self::NegativeLength(len) => write!(f, "a length is {len}"),
            Self::Null => f.write_str("a string or vector is null where one is required"),
            Self::UnknownValue(value) => write!(f, "{value} is not a known value of its field"),
            Self::TrailingBytes(n) => write!(f, "{n} bytes are left after the record"),
        }
    }
}

impl core::error::Error for DecodeError {}

/// A bounded cursor over received bytes. Nothing is allocated for a length that the input
/// cannot back.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether everything has been read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Fails unless everything has been read.
    pub fn finish(&self) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            n => Err(DecodeError::TrailingBytes(n)),
        }
    }

    /// Takes the next `n` bytes.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], DecodeError> {
        match self.rest.split_at_checked(n) {
            Some((head, rest)) => {
                self.rest = rest;
                Ok(head)
            }
            None => Err(DecodeError::Truncated {
                needed: n,
                left: self.rest.len(),
            }),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        match self.rest.split_first_chunk::<N>() {
            Some((head, rest)) => {
                self.rest = rest;
                Ok(*head)
            }
            None => Err(DecodeError::Truncated {
                needed: N,
                left: self.rest.len(),
            }),
        }
    }

    /// A 32-bit number.
    pub fn int(&mut self) -> Result<i32, DecodeError> {
        self.array().map(i32::from_be_bytes)
    }

    /// A 64-bit number.
    pub fn long(&mut self) -> Result<i64, DecodeError> {
        self.array().map(i64::from_be_bytes)
    }

    /// One byte; anything but 0 is true.
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        self.array::<1>().map(|[b]| b != 0)
    }

    /// A buffer; `None` for null.
    pub fn buffer(&mut self) -> Result<Option<&'a [u8]>, DecodeError> {
        match self.int()? {
            -1 => Ok(None),
            len => {
                let len = usize::try_from(len).map_err(|_| DecodeError::NegativeLength(len))?;
                self.take(len).map(Some)
            }
        }
    }

    /// A string; `None` for null. Malformed UTF-8 is replaced, as the Java decoder does.
    pub fn string(&mut self) -> Result<Option<Cow<'a, str>>, DecodeError> {
        Ok(self.buffer()?.map(text))
    }

    /// The number of items of a vector; `None` for null. Numbers below -1 read as an empty
    /// vector, as the Java reader treats them.
    pub fn vector_len(&mut self) -> Result<Option<usize>, DecodeError> {
        match self.int()? {
            -1 => Ok(None),
            len => Ok(Some(usize::try_from(len).unwrap_or(0))),
        }
    }
}

/// Looking whether all is well first is faster than looking for what is not.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    match core::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

/// A value with a jute representation.
pub trait Encode {
    /// Appends the representation to `out`.
    fn encode(&self, out: &mut Vec<u8>);

    /// The representation as bytes of its own.
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode(&mut out);
        out
    }
}

/// A value that can be read from its jute representation.
pub trait Decode<'a>: Sized {
    /// Reads one value; what follows it stays in the reader.
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError>;

    /// Reads one value that must fill `bytes`.
    fn from_bytes(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let value = Self::decode(&mut reader)?;
        reader.finish()?;
        Ok(value)
    }
}

macro_rules! number {
    ($type:ty, $read:ident) => {
        impl Encode for $type {
            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }
        }
        impl Decode<'_> for $type {
            fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                reader.$read()
            }
        }
    };
}
number!(i32, int);
number!(i64, long);

/// A record without fields.
impl Encode for () {
    fn encode(&self, _out: &mut Vec<u8>) {}
}

impl Encode for bool {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
}
impl Decode<'_> for bool {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.bool()
    }
}

/// Writes a length; jute has no room for more than `i32::MAX`, and every length that reaches
/// this point is bounded by `jute.maxbuffer` far below that.
fn put_len(len: usize, out: &mut Vec<u8>) {
    i32::try_from(len).unwrap_or(i32::MAX).encode(out);
}

impl Encode for [u8] {
    fn encode(&self, out: &mut Vec<u8>) {
        put_len(self.len(), out);
        out.extend_from_slice(self);
    }
}
impl Encode for str {
    fn encode(&self, out: &mut Vec<u8>) {
        self.as_bytes().encode(out);
    }
}
impl Encode for Cow<'_, str> {
    fn encode(&self, out: &mut Vec<u8>) {
        (**self).encode(out);
    }
}
impl<'a> Decode<'a> for Cow<'a, str> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        reader.string()?.ok_or(DecodeError::Null)
    }
}
impl Encode for Box<str> {
    fn encode(&self, out: &mut Vec<u8>) {
        (**self).encode(out);
    }
}
impl Decode<'_> for Box<str> {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Cow::decode(reader)?.into())
    }
}
impl Encode for Option<&[u8]> {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Some(bytes) => bytes.encode(out),
            None => (-1i32).encode(out),
        }
    }
}
impl<'a> Decode<'a> for Option<&'a [u8]> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        reader.buffer()
    }
}
impl Encode for Option<Box<[u8]>> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.as_deref().encode(out);
    }
}
impl Decode<'_> for Option<Box<[u8]>> {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(reader.buffer()?.map(Box::from))
    }
}
impl Encode for Option<Cow<'_, [u8]>> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.as_deref().encode(out);
    }
}
impl<'a> Decode<'a> for Option<Cow<'a, [u8]>> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(reader.buffer()?.map(Cow::Borrowed))
    }
}
impl<T: Encode> Encode for [T] {
    fn encode(&self, out: &mut Vec<u8>) {
        put_len(self.len(), out);
        for item in self {
            item.encode(out);
        }
    }
}
impl<T: Encode> Encode for Vec<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        self[..].encode(out);
    }
}
/// A null vector reads as an empty one; ZooKeeper treats both alike wherever it reads lists.
impl<'a, T: Decode<'a>> Decode<'a> for Vec<T> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let len = reader.vector_len()?.unwrap_or(0);
        // An item takes at least one byte, so this bounds the allocation by the input.
        if len > reader.rest().len() {
            return Err(DecodeError::Truncated {
                needed: len,
                left: reader.rest().len(),
            });
        }
        let mut items = Vec::new();
        for _ in 0..len {
            items.push(T::decode(reader)?);
        }
        Ok(items)
    }
}

/// Declares a record: a struct with public fields, encoded and decoded field by field in the
/// order of declaration.
#[macro_export]
macro_rules! record {
    ($(#[$meta:meta])* pub struct $name:ident $(<$lt:lifetime>)? {
        $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)*
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name $(<$lt>)? {
            $($(#[$field_meta])* pub $field: $type,)*
        }
        impl $(<$lt>)? $crate::jute::Encode for $name $(<$lt>)? {
            fn encode(&self, out: &mut alloc::vec::Vec<u8>) {
                $($crate::jute::Encode::encode(&self.$field, out);)*
            }
        }
        $crate::record!(@decode $name $($lt)? { $($field: $type,)* });
    };
    (@decode $name:ident $lt:lifetime { $($field:ident: $type:ty,)* }) => {
        impl<$lt> $crate::jute::Decode<$lt> for $name<$lt> {
            fn decode(
                reader: &mut $crate::jute::Reader<$lt>,
            ) -> Result<Self, $crate::jute::DecodeError> {
                Ok(Self { $($field: <$type as $crate::jute::Decode>::decode(reader)?,)* })
            }
        }
    };
    (@decode $name:ident { $($field:ident: $type:ty,)* }) => {
        impl $crate::jute::Decode<'_> for $name {
            fn decode(
                reader: &mut $crate::jute::Reader<'_>,
            ) -> Result<Self, $crate::jute::DecodeError> {
                Ok(Self { $($field: <$type as $crate::jute::Decode>::decode(reader)?,)* })
            }
        }
    };
}

/// Appends a frame: a length, then what `body` appends.
pub fn frame(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    0i32.encode(out);
    body(out);
    let len = out.len() - start - 4;
    let len = i32::try_from(len).unwrap_or(i32::MAX);
    out[start..start + 4].copy_from_slice(&len.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_and_empty_stay_apart() {
        for (value, bytes) in [
            (None, &[0xff, 0xff, 0xff, 0xff][..]),
            (Some(&b""[..]), &[0, 0, 0, 0]),
            (Some(&b"ab"[..]), &[0, 0, 0, 2, b'a', b'b']),
        ] {
            assert_eq!(value.to_bytes(), bytes);
            assert_eq!(Option::<&[u8]>::from_bytes(bytes), Ok(value));
        }
    }

    #[test]
    fn lengths_are_checked_before_they_size_anything() {
        let huge = [0x7f, 0xff, 0xff, 0xff, 1];
        assert!(matches!(
            Reader::new(&huge).buffer(),
            Err(DecodeError::Truncated { left: 1, .. })
        ));
        assert!(matches!(
            Vec::<i64>::from_bytes(&huge),
            Err(DecodeError::Truncated { .. })
        ));
        assert_eq!(
            Reader::new(&[0xff, 0xff, 0xff, 0xfe]).buffer(),
            Err(DecodeError::NegativeLength(-2))
        );
        assert_eq!(
            Vec::<i64>::from_bytes(&[0xff, 0xff, 0xff, 0xfe]),
            Ok(Vec::new())
        );
    }

    #[test]
    fn malformed_utf8_is_replaced() {
        let bytes = [0, 0, 0, 2, b'/', 0xff];
        assert_eq!(Cow::from_bytes(&bytes), Ok(Cow::Borrowed("/\u{fffd}")));
    }

    #[test]
    fn a_frame_starts_with_its_length() {
        let mut out = b"x".to_vec();
        frame(&mut out, |out| out.extend_from_slice(b"abc"));
        assert_eq!(out, b"x\0\0\0\x03abc");
    }
}
