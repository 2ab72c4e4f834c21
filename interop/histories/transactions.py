"""Transactions as they stand in logs, decoded to plain values."""

import struct
from typing import NamedTuple

from harness.jute import Malformed, Reader
from harness.records import Acl

CREATE, DELETE, SET_DATA, SET_ACL, CHECK, MULTI, CREATE2, RECONFIG = 1, 2, 5, 7, 13, 14, 15, 16
CREATE_CONTAINER, DELETE_CONTAINER, CREATE_TTL = 19, 20, 21
ERROR, CREATE_SESSION, CLOSE_SESSION = -1, -10, -11

CREATES = {CREATE, CREATE2, CREATE_CONTAINER, CREATE_TTL}
DELETES = {DELETE, DELETE_CONTAINER}

_HEADER, _DIGEST, _DIGEST_VERSION = 32, 12, 2


class Create(NamedTuple):
    path: str
    data: bytes | None
    acl: tuple
    ephemeral: bool
    parent_cversion: int
    """The parent's cversion afterwards; -1 for one more than before."""
    ttl: int = 0


class Delete(NamedTuple):
    path: str


class SetData(NamedTuple):
    path: str
    data: bytes | None
    version: int
    """The version afterwards."""


class SetAcl(NamedTuple):
    path: str
    acl: tuple
    version: int


class Check(NamedTuple):
    path: str
    version: int


class Multi(NamedTuple):
    parts: tuple
    """Pairs of a type and a body."""


class Error(NamedTuple):
    code: int


class CreateSession(NamedTuple):
    timeout: int


class CloseSession(NamedTuple):
    paths: tuple | None
    """The ephemeral nodes that go; None where the log does not say (before 3.6)."""


class Txn(NamedTuple):
    zxid: int
    session: int
    cxid: int
    time: int
    type: int
    body: object
    digest: int | None = None
    """The tree's digest afterwards, as the leader computed it."""


def decode(entry: bytes) -> Txn:
    """A whole log entry or the data of a proposal; Malformed if it is none."""
    session, cxid, zxid, time, kind = struct.unpack_from(">qiqqi", entry)
    reader = Reader(entry[_HEADER:])
    if kind == CLOSE_SESSION and len(reader.data) in (0, _DIGEST):
        body = _close_session_without_body(reader)
    else:
        body = _body(kind, reader)
    digest = None
    if len(reader.data) - reader.position == _DIGEST and reader.int32() == _DIGEST_VERSION:
        digest = reader.int64() % (1 << 64)
    reader.end()
    return Txn(zxid, session, cxid, time, kind, body, digest)


def text(zxid: int) -> str:
    return f"{zxid >> 32:x}:{zxid & 0xFFFFFFFF:x}"


def _body(kind: int, reader: Reader):
    if kind in CREATES:
        path, data, acl = reader.string(), reader.buffer(), _acl(reader)
        ephemeral = reader.boolean() if kind in (CREATE, CREATE2) else False
        parent_cversion = reader.int32()
        return Create(path, data, acl, ephemeral, parent_cversion, reader.int64() if kind == CREATE_TTL else 0)
    if kind in DELETES:
        return Delete(reader.string())
    if kind in (SET_DATA, RECONFIG):
        return SetData(reader.string(), reader.buffer(), reader.int32())
    if kind == SET_ACL:
        return SetAcl(reader.string(), _acl(reader), reader.int32())
    if kind == CHECK:
        return Check(reader.string(), reader.int32())
    if kind == MULTI:
        parts = tuple(reader.vector(lambda: _part(reader)))
        return Multi(failed(parts) if any(part == ERROR for part, _ in parts) else parts)
    if kind == ERROR:
        return Error(reader.int32())
    if kind == CREATE_SESSION:
        return CreateSession(reader.int32())
    if kind == CLOSE_SESSION:
        return CloseSession(tuple(reader.strings()))
    raise Malformed(f"transaction of type {kind}")


def failed(parts: tuple) -> tuple:
    """The parts of a multi that failed: those before the failing one are errors of code 0, whatever they were.

    Java makes them that when it applies the transaction, which may be before it writes it to its log.
    """
    return tuple((ERROR, body if kind == ERROR else Error(0)) for kind, body in parts)


def _part(reader: Reader) -> tuple:
    kind, body = reader.int32(), Reader(reader.buffer())
    if kind == ERROR and len(body.data) > 4:
        # Java has called it an error, and left the bytes of what it was.
        return ERROR, Error(0)
    decoded = _body(kind, body)
    body.end()
    return kind, decoded


def _close_session_without_body(reader: Reader) -> CloseSession:
    """Twelve bytes can be a digest, or a list of two paths so short that there is no such list."""
    if reader.data[:4] in (b"", struct.pack(">i", _DIGEST_VERSION)):
        return CloseSession(None)
    return _body(CLOSE_SESSION, reader)


def _acl(reader: Reader) -> tuple:
    return tuple(reader.vector(lambda: Acl(reader.int32(), reader.string(), reader.string())) or ())
