"""Files in a data directory, read and damaged by hand."""

import struct
import zlib
from pathlib import Path
from typing import NamedTuple

_HEADER, _PREFIX, _END_MARK = 16, 12, b"B"


class Record(NamedTuple):
    offset: int
    end: int
    zxid: int
    entry: bytes


def newest(data: Path) -> Path:
    """The transaction log that is being written."""
    return max((data / "version-2").glob("log.*"), key=_zxid)


def snapshots(data: Path) -> list[Path]:
    """Oldest first."""
    return sorted((data / "version-2").glob("snapshot.*"), key=_zxid)


def read(log: Path) -> list[Record]:
    """The records of a log that is whole."""
    content = log.read_bytes()
    assert content[:8] == b"ZKLG\0\0\0\2", content[:8]
    found, offset = [], _HEADER
    while len(content) >= offset + _PREFIX:
        checksum, length = struct.unpack_from(">qi", content, offset)
        if length == 0:
            break
        entry = content[offset + _PREFIX : offset + _PREFIX + length]
        end = offset + _PREFIX + length + 1
        assert (checksum, content[end - 1 : end]) == (zlib.adler32(entry), _END_MARK), f"{log} at {offset}"
        found.append(Record(offset, end, struct.unpack_from(">q", entry, 12)[0], entry))
        offset = end
    return found


def record(entry: bytes) -> bytes:
    """An entry as it stands in a log."""
    return struct.pack(">qi", zlib.adler32(entry), len(entry)) + entry + _END_MARK


def overwrite(path: Path, offset: int, data: bytes):
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def flip(path: Path, offset: int):
    """Turns all bits of one byte."""
    overwrite(path, offset, bytes([path.read_bytes()[offset] ^ 0xFF]))


def _zxid(path: Path) -> int:
    return int(path.name.split(".")[1], 16)
