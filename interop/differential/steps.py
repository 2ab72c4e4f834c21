"""What a sequence is made of."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Request:
    """One request. The record may depend on what the server has said: then it is made from the player's Seen.

    `unsettled`: what later requests find depends, in the Java server, on whether this one has been applied
    or is still under way. Nothing follows it in a burst.
    """

    op: int
    record: bytes | Callable
    text: str
    xid: int | None = None
    unsettled: bool = False


@dataclass(frozen=True)
class Open:
    """A new connection with a connect request.

    `resumes` names the connection whose session is presented; `password` says whether with its own
    ("right"), another ("wrong"), or null ("null"); `zxid` is the last zxid the client claims to have seen:
    "zero", "seen" or "ahead".
    """

    connection: int
    timeout: int = 500_000
    resumes: int | None = None
    password: str = "right"
    zxid: str = "zero"
    read_only: bool | None = False
    version: int = 0


@dataclass(frozen=True)
class Burst:
    """Requests sent in one piece, so that the server has them all at hand."""

    connection: int
    requests: tuple[Request, ...]


@dataclass(frozen=True)
class Raw:
    """Bytes that are no proper frames.

    With `fresh` on a connection of its own without a session. If `ends` the server is to close the
    connection by itself; else it waits for more and the client closes. Replies to `before`, which is sent
    in the same piece, may be lost with the connection: of them only a prefix is compared.
    """

    connection: int
    data: bytes
    text: str
    fresh: bool = False
    ends: bool = True
    before: tuple[Request, ...] = ()


@dataclass(frozen=True)
class Word:
    """A four-letter word on a connection of its own."""

    word: str


@dataclass(frozen=True)
class Drop:
    """The client closes the socket; the session lives on."""

    connection: int


@dataclass(frozen=True)
class Sequence:
    """The steps of one seed. All paths lie below `root`, or `root` below /zookeeper/quota."""

    seed: int
    root: str
    steps: tuple = field(default_factory=tuple)


def describe(step) -> str:
    """One line for a person."""
    match step:
        case Open():
            what = "opens a session" if step.resumes is None else f"resumes the session of {step.resumes}"
            return f"connection {step.connection} {what}: {step}"
        case Burst():
            return f"connection {step.connection} sends " + "; ".join(request.text for request in step.requests)
        case Raw():
            before = "".join(f"{request.text}; " for request in step.before)
            return f"connection {step.connection} sends {before}raw {step.text} ({step.data[:60].hex(' ')})"
        case Word():
            return f"four-letter word {step.word!r}"
        case Drop():
            return f"connection {step.connection} is dropped"
