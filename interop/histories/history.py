"""What clients saw: every request, reply and event on every connection, with the time of one clock."""

from dataclasses import dataclass, field
from typing import NamedTuple

from harness.records import Op
from harness.wire import Session

WRITES = {
    Op.CREATE,
    Op.CREATE2,
    Op.DELETE,
    Op.SET_DATA,
    Op.MULTI,
    Op.CLOSE_SESSION,
}
"""The operations that become transactions, of those that the recording clients use."""


class Sent(NamedTuple):
    time: float
    xid: int
    op: int
    args: tuple
    """As `clients.ENCODERS` takes them."""


class Replied(NamedTuple):
    time: float
    xid: int
    zxid: int
    err: int
    values: tuple
    """Empty for an error."""


class Notified(NamedTuple):
    time: float
    zxid: int
    """-1 where the server does not tell."""
    type: int
    path: str


@dataclass
class Connection:
    """One connection, from the connect request to the end."""

    client: str
    server: int
    kind: str
    """The server's: "grevy" or "java"."""
    asked: int
    """The session that was to go on; 0 for a new one."""
    seen: int
    """The last zxid that the client had seen and said so."""
    opened: float
    granted: Session | None = None
    """None if the server closed the connection without an answer; id 0 if the session had expired."""
    entries: list = field(default_factory=list)
    closed: float | None = None

    @property
    def session(self) -> int:
        return self.granted.id if self.granted else 0

    def sent(self) -> list[Sent]:
        return [entry for entry in self.entries if isinstance(entry, Sent)]


@dataclass
class History:
    """All connections of all clients, each client's in their order."""

    connections: list[Connection] = field(default_factory=list)

    def sessions(self) -> dict[int, list[Connection]]:
        """The connections of each session, in their order."""
        found = {}
        for connection in self.connections:
            if connection.session:
                found.setdefault(connection.session, []).append(connection)
        return found


class Finding(NamedTuple):
    """Something that is not in order."""

    property: str
    """Which of the guarantees it breaks: "P13"."""
    text: str
    kind: str = "grevy"
    """Of the server that showed it; a Java server may show some."""


EVENTS = {1: "NodeCreated", 2: "NodeDeleted", 3: "NodeDataChanged", 4: "NodeChildrenChanged"}
CREATED, DELETED, CHANGED, CHILDREN = 1, 2, 3, 4
