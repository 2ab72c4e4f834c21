"""Bytes that are nearly right."""

import random
import struct

from harness import records
from harness.jute import int32
from harness.records import Op
from harness.wire import frame

from .steps import Request


def request(rng: random.Random, draw) -> Request:
    """A request drawn by `draw`, its record damaged."""
    good = draw()
    while good.op == Op.GET_ALL_CHILDREN_NUMBER:
        # Of the empty path the Java server says one more than of the root, which is the same znode.
        good = draw()
    record = good.record if isinstance(good.record, bytes) else b"\0" * 30
    match rng.randrange(5):
        case 0:
            record, how = record[: rng.randrange(len(record) + 1)], "cut"
        case 1:
            record, how = record + rng.randbytes(rng.randint(1, 20)), "with bytes left over"
        case 2:
            record, how = _replace_int(rng, record), "with another number"
        case 3:
            record, how = _flip(rng, record), "with a flipped bit"
        case _:
            record, how = rng.randbytes(rng.choice([0, 1, 4, 8, 30])), "of random bytes"
    return Request(good.op, record, f"{good.text} {how}: {record.hex(' ')}", good.xid)


def _replace_int(rng: random.Random, record: bytes) -> bytes:
    # Most numbers of a short record are lengths, and most of those lie near its start.
    if len(record) < 4:
        return record
    position = rng.choice([0, 0, rng.randrange(len(record) - 3)])
    # A path, which comes first, that is null is an exception somewhere in the Java server.
    value = rng.choice([-1 if position else -3, -2, 0, 1, 2**31 - 1, -(2**31), 1_048_575, 1_048_576, len(record), 3_000_000])
    return record[:position] + int32(value) + record[position + 4 :]


def _flip(rng: random.Random, record: bytes) -> bytes:
    if not record:
        return record
    position = rng.randrange(len(record))
    flipped = record[position] ^ (1 << rng.randrange(8))
    return record[:position] + bytes([flipped]) + record[position + 1 :]


def frames(rng: random.Random):
    """Bytes for a connection with a session: the data, a text, and whether the server must close by itself."""
    choices = [
        (int32(-1), "length -1", True),
        (int32(-(2**31)), "the least length", True),
        (int32(2**31 - 1), "the greatest length", True),
        (int32(1_048_576), "a length one over the limit", True),
        (b"ruok", "a four-letter word", True),
        (b"GET / HTTP/1.1\r\n\r\n", "a web request", True),
        (b"\x16\x03\x01\x02\x00\x01\x00", "a TLS greeting", False),
        (int32(0), "an empty frame", True),
        (frame(b"\0"), "a frame of one byte", True),
        (frame(b"\0" * 7), "half a header", True),
        (int32(1_048_575), "a frame of the full size that never comes", False),
        (int32(100) + rng.randbytes(50), "half a frame", False),
        (b"\0\0", "half a length", False),
    ]
    return rng.choice(choices)


def connect(rng: random.Random):
    """First bytes of a connection: the data, a text, and whether the server must close by itself."""
    good = records.connect(timeout=400_000)
    cut = rng.choice([0, 1, 4, 8, 12, 20, 24, 27, 30])
    choices = [
        (frame(good[:cut]), f"a connect request of {cut} bytes", True),
        (frame(good[:24] + int32(-2) + good[28:]), "a password of length -2", True),
        (frame(good[:24] + int32(1_000_000) + good[28:]), "a password longer than the frame", True),
        (int32(-1), "length -1", True),
        (int32(2**31 - 1), "the greatest length", True),
        (int32(1_048_576), "a length one over the limit", True),
        (struct.pack(">i", 44), "a length alone", False),
        (frame(good)[:20], "half a connect request", False),
        (b"ru", "half a four-letter word", False),
        (b"abcd", "an unknown four-letter word", True),
        (b"GET / HTTP/1.1\r\n\r\n", "a web request", True),
        (b"\xff\xf4\xff\xfd", "the interrupt of telnet", True),
    ]
    return rng.choice(choices)
