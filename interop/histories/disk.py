"""Everything that a server has on its disk, read by nobody's code but this."""

import contextlib
import gzip
import os
import struct
import zlib
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from harness.jute import Malformed, Reader
from harness.records import Acl

from .model import Node
from .transactions import Txn, decode

_HEADER, _PREFIX = 16, 12
_STAT = struct.Struct(">qqqqiiiqq")


class Snapshot(NamedTuple):
    zxid: int
    """Of the file's name: all up to it is contained, and perhaps some of what comes next."""
    path: Path
    sessions: dict
    nodes: dict
    digest: tuple | None
    """A zxid and the tree's digest at it."""


class Disk(NamedTuple):
    kind: str
    """The server's: "grevy" or "java"."""
    txns: list[Txn]
    """In the order in which they stand in the logs."""
    snapshots: list[Snapshot]
    """Oldest first; those that cannot be read are left out, as a server does."""
    accepted_epoch: int | None
    current_epoch: int | None

    former: tuple = ()
    """The transactions of each log that it ever had; some it has deleted, as it may when it gets a snapshot of the
    leader's, and some were taken from it.
    """
    jumps: tuple = ()
    """The zxids of all snapshots that it ever had."""

    def ordered(self) -> list[Txn]:
        """What the server recovers: each transaction once, by zxid."""
        return _ordered(self.txns)

    def neighbours(self):
        """Pairs of transactions that follow one another in its logs, or did."""
        for log in [*self.former, self.ordered()]:
            yield from pairwise(log)


def read_disk(data: Path, kind: str, archive: "Archive | None" = None) -> Disk:
    folder = data / "version-2"
    snapshots = []
    for path in _files(folder, "snapshot."):
        try:
            snapshots.append(read_snapshot(path))
        except (Malformed, ValueError, EOFError, struct.error):
            continue
    former = archive.files("log.") if archive else []
    jumps = {_zxid(path) for path in [*(archive.files("snapshot.") if archive else []), *_files(folder, "snapshot.")]}
    return Disk(
        kind,
        _txns(_files(folder, "log.")),
        snapshots,
        _epoch(folder / "acceptedEpoch"),
        _epoch(folder / "currentEpoch"),
        tuple(_txns([log]) for log in former),
        tuple(sorted(jumps)),
    )


class Archive:
    """Keeps the files that a server deletes, for the checker of histories."""

    def __init__(self, data: Path, folder: Path):
        self._source, self._folder = data / "version-2", folder
        folder.mkdir(parents=True, exist_ok=True)

    def keep(self):
        """Gives all files that are there now a second name, under which they survive."""
        for path in [*self._source.glob("log.*"), *self._source.glob("snapshot.*")]:
            # A file may go at any moment, may have been kept before, or be on another file system.
            with contextlib.suppress(OSError):
                os.link(path, self._folder / f"{path.name}.{path.stat().st_ino}")

    def files(self, prefix: str) -> list[Path]:
        return _files(self._folder, prefix)


def read_log(path: Path) -> list[bytes]:
    """The entries of a log up to its end, or to what a crash left unfinished."""
    content = path.read_bytes()
    if len(content) < _HEADER:
        return []
    assert content[:8] == b"ZKLG\0\0\0\2", f"{path} begins with {content[:8]}"
    entries, offset = [], _HEADER
    while len(content) >= offset + _PREFIX:
        checksum, length = struct.unpack_from(">qi", content, offset)
        end = offset + _PREFIX + length + 1
        if length <= 0 or end > len(content):
            break
        entry = content[offset + _PREFIX : end - 1]
        if zlib.adler32(entry) != checksum or content[end - 1 : end] != b"B":
            break
        entries.append(entry)
        offset = end
    return entries


def read_snapshot(path: Path) -> Snapshot:
    """Malformed, ValueError or EOFError if the file is not a whole snapshot."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if content[:8] != b"ZKSN\0\0\0\2":
        raise ValueError(f"{path} begins with {content[:8]}")
    reader = _Reader(content)
    reader.take(_HEADER)
    sessions = {reader.int64(): reader.int32() for _ in range(reader.int32())}
    acls = {-1: (Acl(31, "world", "anyone"),)}
    for _ in range(reader.int32()):
        key = reader.int64()
        acls[key] = tuple(reader.vector(lambda: Acl(reader.int32(), reader.string(), reader.string())))
    nodes = {}
    while (name := reader.string()) != "/":
        data, acl = reader.buffer(), reader.int64()
        czxid, mzxid, ctime, mtime, version, cversion, aversion, owner, pzxid = _STAT.unpack(reader.take(_STAT.size))
        node = Node(data, acls.get(acl), czxid, mzxid, pzxid, ctime, mtime, version, cversion, aversion, owner)
        nodes[name or "/"] = node
        if name:
            parent, _, child = name.rpartition("/")
            nodes[parent or "/"].children.add(child)
    reader.seal()
    digest = None
    if reader.left() >= 33:
        zxid, _, value = reader.int64(), reader.int32(), reader.int64()
        digest = (zxid, value % (1 << 64)) if zxid else None
        reader.seal()
    zxid = int(path.name.split(".")[1], 16)
    return Snapshot(zxid, path, sessions, nodes, digest)


class _Reader(Reader):
    """A reader of snapshots, in which sums stand over all that came before."""

    def left(self) -> int:
        return len(self.data) - self.position

    def seal(self):
        sum_ = zlib.adler32(self.data[: self.position])
        if self.int64() != sum_ or self.string() != "/":
            raise ValueError(f"a wrong sum at {self.position}")


def _files(folder: Path, prefix: str) -> list[Path]:
    named = [path for path in folder.glob(f"{prefix}*") if path.suffix != ".tmp"]
    return sorted(named, key=_zxid)


def _zxid(path: Path) -> int:
    return int(path.name.split(".")[1], 16)


def _txns(logs: list[Path]) -> list[Txn]:
    return [decode(entry) for log in logs for entry in read_log(log)]


def _ordered(txns) -> list[Txn]:
    return [txn for _, txn in sorted({txn.zxid: txn for txn in txns}.items())]


def _epoch(path: Path) -> int | None:
    return int(path.read_text().split("\n")[0]) if path.exists() else None
