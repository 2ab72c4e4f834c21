"""ZooKeeper's client records: requests to bytes, replies to plain values."""

import base64
import hashlib
from enum import IntEnum
from typing import NamedTuple

from .jute import Malformed, Reader, boolean, buffer, int32, int64, string, strings, vector


class Op(IntEnum):
    """The operations a client can send."""

    CREATE = 1
    DELETE = 2
    EXISTS = 3
    GET_DATA = 4
    SET_DATA = 5
    GET_ACL = 6
    SET_ACL = 7
    GET_CHILDREN = 8
    SYNC = 9
    PING = 11
    GET_CHILDREN2 = 12
    CHECK = 13
    MULTI = 14
    CREATE2 = 15
    RECONFIG = 16
    CHECK_WATCHES = 17
    REMOVE_WATCHES = 18
    CREATE_CONTAINER = 19
    DELETE_CONTAINER = 20
    CREATE_TTL = 21
    MULTI_READ = 22
    AUTH = 100
    SET_WATCHES = 101
    SASL = 102
    GET_EPHEMERALS = 103
    GET_ALL_CHILDREN_NUMBER = 104
    SET_WATCHES2 = 105
    ADD_WATCH = 106
    WHO_AM_I = 107
    CREATE_SESSION = -10
    CLOSE_SESSION = -11


class Xid(IntEnum):
    """Request ids with a meaning of their own."""

    NOTIFICATION = -1
    PING = -2
    AUTH = -4
    SET_WATCHES = -8


class Acl(NamedTuple):
    perms: int
    scheme: str | None
    id: str | None


OPEN = [Acl(31, "world", "anyone")]


def digest_id(user: str, password: str) -> str:
    """The id of the digest scheme for a user with a password."""
    hashed = hashlib.sha1(f"{user}:{password}".encode()).digest()
    return f"{user}:{base64.b64encode(hashed).decode()}"


class Stat(NamedTuple):
    czxid: int
    mzxid: int
    ctime: int
    mtime: int
    version: int
    cversion: int
    aversion: int
    ephemeral_owner: int
    data_length: int
    num_children: int
    pzxid: int


class Event(NamedTuple):
    """A watch event, with the zxid of its header."""

    zxid: int
    type: int
    state: int
    path: str | None


class PartResult(NamedTuple):
    """The result of one part of a multi."""

    type: int
    err: int
    body: object


# Requests ---------------------------------------------------------------------------------------


def acls(items) -> bytes:
    return vector(items, lambda acl: int32(acl[0]) + string(acl[1]) + string(acl[2]))


def create(path, data=b"", acl=OPEN, flags=0) -> bytes:
    return string(path) + buffer(data) + acls(acl) + int32(flags)


def create_ttl(path, data=b"", acl=OPEN, flags=5, ttl=60_000) -> bytes:
    return create(path, data, acl, flags) + int64(ttl)


def path_and_version(path, version=-1) -> bytes:
    """delete and check; also removeWatches, checkWatches and addWatch, with a type or mode."""
    return string(path) + int32(version)


def path_and_watch(path, watch=False) -> bytes:
    """exists, getData, getChildren and getChildren2."""
    return string(path) + boolean(watch)


def path_only(path) -> bytes:
    """getACL, sync, getEphemerals, getAllChildrenNumber and deleteContainer."""
    return string(path)


def set_data(path, data=b"", version=-1) -> bytes:
    return string(path) + buffer(data) + int32(version)


def set_acl(path, acl=OPEN, version=-1) -> bytes:
    return string(path) + acls(acl) + int32(version)


def multi(parts) -> bytes:
    """`parts` are pairs of an operation and its record. For multi and multiRead."""
    return b"".join(multi_header(op) + record for op, record in parts) + multi_header(-1, done=True)


def multi_header(op: int, done=False, err=-1) -> bytes:
    return int32(op) + boolean(done) + int32(err)


def auth(scheme, token, kind=0) -> bytes:
    return int32(kind) + string(scheme) + buffer(token)


def set_watches(relative_zxid, *lists) -> bytes:
    """Three lists of paths (data, exist, child), or five for setWatches2 (persistent, recursive)."""
    return int64(relative_zxid) + b"".join(map(strings, lists))


def reconfig(joining, leaving, members, config_id=-1) -> bytes:
    return string(joining) + string(leaving) + string(members) + int64(config_id)


def connect(last_zxid=0, timeout=30_000, session=0, password=bytes(16), read_only=False, version=0) -> bytes:
    """The first frame of a connection; `read_only=None` leaves the byte out, as old clients do."""
    record = int32(version) + int64(last_zxid) + int32(timeout) + int64(session) + buffer(password)
    return record if read_only is None else record + boolean(read_only)


# Replies ----------------------------------------------------------------------------------------


def read_stat(reader: Reader) -> Stat:
    longs = [reader.int64() for _ in range(4)]
    ints = [reader.int32() for _ in range(3)]
    owner = reader.int64()
    return Stat(*longs, *ints, owner, reader.int32(), reader.int32(), reader.int64())


def _read_acl(reader: Reader) -> Acl:
    return Acl(reader.int32(), reader.string(), reader.string())


def _read_parts(reader: Reader) -> list:
    results = []
    while True:
        kind, done, err = reader.int32(), reader.boolean(), reader.int32()
        if done:
            if (kind, err) != (-1, -1):
                raise Malformed(f"multi ends with {kind}, {err}")
            return results
        read = _PART_BODIES.get(kind)
        if read is None:
            raise Malformed(f"multi part of type {kind}")
        results.append(PartResult(kind, err, read(reader)))


_STAT = (read_stat,)
_PATH = (Reader.string,)
_BODIES = {
    Op.CREATE: _PATH,
    Op.CREATE2: (Reader.string, read_stat),
    Op.CREATE_CONTAINER: (Reader.string, read_stat),
    Op.CREATE_TTL: (Reader.string, read_stat),
    Op.EXISTS: _STAT,
    Op.SET_DATA: _STAT,
    Op.SET_ACL: _STAT,
    Op.GET_DATA: (Reader.buffer, read_stat),
    Op.GET_ACL: (lambda reader: reader.vector(lambda: _read_acl(reader)), read_stat),
    Op.GET_CHILDREN: (Reader.strings,),
    Op.GET_CHILDREN2: (Reader.strings, read_stat),
    Op.SYNC: _PATH,
    Op.MULTI: (_read_parts,),
    Op.MULTI_READ: (_read_parts,),
    Op.RECONFIG: (Reader.buffer, read_stat),
    Op.SASL: (Reader.buffer,),
    Op.GET_EPHEMERALS: (Reader.strings,),
    Op.GET_ALL_CHILDREN_NUMBER: (Reader.int32,),
    Op.ADD_WATCH: (Reader.int32,),
    Op.WHO_AM_I: (lambda reader: reader.vector(lambda: (reader.string(), reader.string())),),
}
_PART_BODIES = {
    -1: Reader.int32,
    Op.CREATE: Reader.string,
    Op.CREATE2: lambda reader: (reader.string(), read_stat(reader)),
    Op.DELETE: lambda reader: None,
    Op.CHECK: lambda reader: None,
    Op.SET_DATA: read_stat,
    Op.GET_CHILDREN: Reader.strings,
    Op.GET_DATA: lambda reader: (reader.buffer(), read_stat(reader)),
}


def read_reply(op: int, body: bytes) -> tuple:
    """The fields of the reply to `op`, of which every byte is accounted for; else Malformed."""
    reader = Reader(body)
    values = tuple(read(reader) for read in _BODIES.get(op, ()))
    reader.end()
    return values


def read_event(zxid: int, body: bytes) -> Event:
    reader = Reader(body)
    event = Event(zxid, reader.int32(), reader.int32(), reader.string())
    reader.end()
    return event
