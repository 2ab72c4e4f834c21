"""The jute encoding: big-endian numbers, counted strings, buffers and vectors, -1 for null."""

import re
import struct


def int32(value: int) -> bytes:
    return struct.pack(">i", value)


def int64(value: int) -> bytes:
    return struct.pack(">q", signed64(value))


def boolean(value: bool) -> bytes:
    return b"\1" if value else b"\0"


def buffer(value: bytes | None) -> bytes:
    return int32(-1) if value is None else int32(len(value)) + value


def string(value: str | bytes | None) -> bytes:
    """A string; bytes are taken as they are, to send what is no UTF-8."""
    return buffer(value.encode() if isinstance(value, str) else value)


def vector(items, encode) -> bytes:
    return int32(-1) if items is None else int32(len(items)) + b"".join(map(encode, items))


def strings(items) -> bytes:
    return vector(items, string)


def signed64(value: int) -> int:
    """The same 64 bits as a signed number."""
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)


class Malformed(Exception):
    """The bytes are no such record."""


class Reader:
    """Reads a record strictly: what would not encode back to the same bytes is Malformed."""

    def __init__(self, data: bytes):
        self.data = data
        self.position = 0

    def take(self, count: int) -> bytes:
        end = self.position + count
        if count < 0 or end > len(self.data):
            raise Malformed(f"{count} bytes wanted at {self.position} of {len(self.data)}")
        piece = self.data[self.position : end]
        self.position = end
        return piece

    def int32(self) -> int:
        return struct.unpack(">i", self.take(4))[0]

    def int64(self) -> int:
        return struct.unpack(">q", self.take(8))[0]

    def boolean(self) -> bool:
        value = self.take(1)
        if value not in (b"\0", b"\1"):
            raise Malformed(f"boolean {value!r}")
        return value == b"\1"

    def buffer(self) -> bytes | None:
        length = self.int32()
        return None if length == -1 else self.take(length)

    def string(self) -> str | None:
        value = self.buffer()
        return None if value is None else _text(value)

    def vector(self, read) -> list | None:
        count = self.int32()
        if count == -1:
            return None
        if not 0 <= count <= len(self.data):
            raise Malformed(f"vector of {count}")
        return [read() for _ in range(count)]

    def strings(self) -> list | None:
        return self.vector(self.string)

    def end(self):
        if self.position != len(self.data):
            raise Malformed(f"{len(self.data) - self.position} bytes left over")


def _text(value: bytes) -> str:
    """What the bytes say, however they say it; what is no UTF-8 survives.

    Java writes each half of a surrogate pair by itself, which is no UTF-8, and has other habits of counting how many
    characters something else must be replaced with. Clients get such a string only where the server repeats their
    own, so servers are not told apart by it.
    """
    try:
        text = value.decode("utf-8", "surrogatepass").encode("utf-16", "surrogatepass").decode("utf-16")
        return re.sub("\ufffd+", "\ufffd", text)
    except UnicodeError:
        return value.decode("utf-8", "surrogateescape")
