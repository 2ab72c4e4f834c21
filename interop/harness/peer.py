"""What servers say to each other, written by hand: for a peer that is a stranger, old, or mad."""

import socket

from .fourletter import read_all
from .jute import buffer, int32, int64

REQUEST, PROPOSAL, ACK, COMMIT, PING, NEW_LEADER, FOLLOWER_INFO, OBSERVER_INFO, LEADER_INFO, ACK_EPOCH = (
    *range(1, 6),
    10,
    11,
    16,
    17,
    18,
)
PROTOCOL = 0x10000
LOOKING, FOLLOWING, LEADING = 0, 1, 2


def packet(kind: int, zxid: int, data: bytes | None = None) -> bytes:
    """A packet of the quorum port, without identities."""
    return int32(kind) + int64(zxid) + buffer(data) + int32(-1)


def learner_info(sid: int, config_version: int = 0) -> bytes:
    return int64(sid) + int32(PROTOCOL) + int64(config_version)


def hello(sid: int, address: bytes) -> bytes:
    """What the dialler of an election port says first."""
    return int64(-65536) + int64(sid) + buffer(address)


def notification(state: int, leader: int, zxid: int, round_: int, epoch: int, config: bytes = b"") -> bytes:
    """A message of the election port, framed."""
    message = int32(state) + int64(leader) + int64(zxid) + int64(round_) + int64(epoch) + int32(2) + buffer(config)
    return buffer(message)


def say(port: int, data: bytes, timeout: float = 15) -> bytes:
    """Says something at a port, and returns all that comes until the server closes, which it must in time."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as sock:
        try:
            sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return b""
        return read_all(sock)
