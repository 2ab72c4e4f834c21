"""A client that is nothing but a socket: it sends what it is told and shows what comes, byte for byte."""

import socket
import struct
from typing import NamedTuple

from . import records
from .jute import Reader, int32
from .records import Op, Xid


class Closed(Exception):
    """The server has closed the connection."""


class Session(NamedTuple):
    """What a connect response granted; id 0 when it granted none."""

    timeout: int
    id: int
    password: bytes | None
    read_only: bool | None
    version: int = 0


class Reply(NamedTuple):
    xid: int
    zxid: int
    err: int
    body: bytes


class Wire:
    """A connection to a server's client port."""

    def __init__(self, port: int, timeout: float = 20.0):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.session = None
        self.events = []
        self._xid = 0

    # Bytes and frames

    def send_raw(self, data: bytes):
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # What the server did say before it closed is still to be read.

    def send_frame(self, payload: bytes):
        self.send_raw(frame(payload))

    def receive_frame(self) -> bytes:
        """The payload of the next frame; Closed at the end of the stream."""
        (length,) = struct.unpack(">i", self._receive(4))
        return self._receive(length)

    def receive_end(self) -> list[bytes]:
        """The frames up to the end of the stream."""
        frames = []
        try:
            while True:
                frames.append(self.receive_frame())
        except Closed:
            return frames

    def close(self):
        """Closes the socket, and leaves the session to live on."""
        self.sock.close()

    def _receive(self, count: int) -> bytes:
        received = bytearray()
        while len(received) < count:
            try:
                piece = self.sock.recv(count - len(received))
            except (ConnectionResetError, BrokenPipeError) as error:
                raise Closed("reset") from error
            if not piece:
                raise Closed("end of stream")
            received += piece
        return bytes(received)

    # Sessions and requests

    def connect(self, **fields) -> Session:
        """Opens a session, or resumes one (`session=`, `password=`); fields as of `records.connect`."""
        self.send_frame(records.connect(**fields))
        self.session = read_session(self.receive_frame())
        return self.session

    def send(self, op: int, record: bytes = b"", xid: int | None = None) -> int:
        """Sends one request and returns its xid."""
        if xid is None:
            self._xid += 1
            xid = self._xid
        self.send_frame(int32(xid) + int32(op) + record)
        return xid

    def receive(self) -> Reply:
        """The next reply; events on the way are kept in `events`."""
        while True:
            reply = read_header(self.receive_frame())
            if reply.xid != Xid.NOTIFICATION:
                return reply
            self.events.append(records.read_event(reply.zxid, reply.body))

    def call(self, op: int, record: bytes = b"", xid: int | None = None) -> tuple[Reply, tuple]:
        """Sends one request; returns its reply and, if it succeeded, the fields of the reply's record."""
        sent = self.send(op, record, xid)
        reply = self.receive()
        assert reply.xid == sent, f"reply {reply.xid} to request {sent}"
        return reply, records.read_reply(op, reply.body) if reply.err == 0 else ()

    def ok(self, op: int, record: bytes = b"") -> tuple:
        """The fields of the reply to a request that must succeed."""
        reply, values = self.call(op, record)
        assert reply.err == 0, f"{Op(op).name} failed with {reply.err}"
        return values

    def close_session(self) -> Reply:
        reply, _ = self.call(Op.CLOSE_SESSION)
        self.sock.close()
        return reply

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()


def frame(payload: bytes) -> bytes:
    return int32(len(payload)) + payload


def read_header(payload: bytes) -> Reply:
    reader = Reader(payload)
    return Reply(reader.int32(), reader.int64(), reader.int32(), payload[16:])


def read_session(payload: bytes) -> Session:
    reader = Reader(payload)
    version, timeout, session, password = reader.int32(), reader.int32(), reader.int64(), reader.buffer()
    read_only = reader.boolean() if reader.position < len(payload) else None
    reader.end()
    return Session(timeout, session, password, read_only, version)


def password_of(session: int) -> bytes:
    """The password of a session, as every ZooKeeper server computes it: java.util.Random, seeded with the id."""
    seed = ((session ^ 0xB3415C00) ^ 0x5DEECE66D) & ((1 << 48) - 1)
    password = b""
    for _ in range(4):
        seed = (seed * 0x5DEECE66D + 0xB) & ((1 << 48) - 1)
        password += struct.pack("<I", seed >> 16)
    return password
