"""Plays a sequence to one server and writes down, step by step, what each connection sees."""

from collections import deque
from dataclasses import dataclass, field

from harness import fourletter, records
from harness.jute import Malformed, int32
from harness.wire import Closed, Op, Wire, Xid, frame, password_of, read_header, read_session

from .steps import Burst, Drop, Open, Raw, Request, Sequence, Word
from .symbols import Symbols

PATIENCE = 10.0
"""Seconds to wait for an answer that must come. A server that takes longer hangs."""

_AUTH_FAILED, _UNIMPLEMENTED = -115, -6
_PING = Request(Op.PING, b"", "ping", Xid.PING)


class Stuck(Exception):
    """The server did not answer in PATIENCE seconds, or refuses connections."""


@dataclass
class Seen:
    """What the server has said so far, for requests that build on it."""

    zxids: list = field(default_factory=lambda: [0])

    def note(self, zxid: int):
        if zxid > self.zxids[-1]:
            self.zxids.append(zxid)


@dataclass
class _Link:
    """A connection, its session, and the requests whose replies are still to come."""

    wire: Wire
    session: object = None
    pending: deque = field(default_factory=deque)
    closed: bool = False
    last_xid: int = 0


class Player:
    """One server's side of a sequence. `lines` is its transcript, a list of lines for each step."""

    def __init__(self, port: int, base_zxid: int):
        self.port = port
        self.symbols = Symbols(base_zxid)
        self.seen = Seen()
        self.links = {}
        self.lines = []

    def play(self, sequence: Sequence) -> list[list]:
        """The transcript; on Stuck, what there is of it stays in `lines`."""
        try:
            for number, step in enumerate(sequence.steps):
                self.lines.append([])
                self._step(step)
                self._settle()
                if any(request.op == Op.CLOSE_SESSION for request in getattr(step, "requests", ())):
                    self.lines[-1] = sorted_events(self.lines[-1])
            self.lines.append([])
            self._close_sessions()
            self.lines[-1] = sorted_events(self.lines[-1])
            return self.lines
        except (TimeoutError, ConnectionRefusedError) as error:
            raise Stuck(f"at step {len(self.lines)}: {error}") from error
        finally:
            for link in self.links.values():
                link.wire.close()

    def _step(self, step):
        match step:
            case Open():
                self._open(step)
            case Burst():
                self._send(step.connection, step.requests)
            case Raw():
                self._raw(step)
            case Word():
                answer = fourletter.ask(self.port, step.word, PATIENCE)
                self._write(f"{step.word} says {self.symbols.word(step.word, answer)!r}")
            case Drop():
                self._drop(step.connection)

    def _open(self, step: Open):
        session, password = 0, bytes(16)
        if step.resumes is not None:
            # A link whose own connect was refused has no session: an id that nobody has will do.
            other = self.links.get(step.resumes)
            known = other is not None and other.session is not None and other.session.id != 0
            session = other.session.id if known else 0x1234_5678_9ABC
            password = {"right": password_of(session), "wrong": bytes(range(16)), "null": None}[step.password]
        zxid = {"zero": 0, "seen": self.seen.zxids[-1], "ahead": self.seen.zxids[-1] + 1_000_000}[step.zxid]
        self._drop(step.connection)
        link = self.links[step.connection] = _Link(Wire(self.port, PATIENCE))
        link.wire.send_frame(
            records.connect(zxid, step.timeout, session, password, step.read_only, step.version)
        )
        try:
            link.session = read_session(link.wire.receive_frame())
            self._write(f"{step.connection} session {self.symbols.session(link.session)}")
        except Closed:
            link.closed = True
            self._write(f"{step.connection} closed")
            return
        if link.session.id == 0:
            self._read_to_end(step.connection)

    def _send(self, number: int, requests, tail: bytes = b""):
        link = self.links.get(number)
        if link is None or link.closed:
            return
        data = b""
        for request in requests:
            link.last_xid += 1
            xid = link.last_xid if request.xid is None else request.xid
            record = request.record(self.seen) if callable(request.record) else request.record
            data += frame(int32(xid) + int32(request.op) + record)
            link.pending.append(request)
        link.wire.send_raw(data + tail)

    def _raw(self, step: Raw):
        if step.fresh:
            self._drop(step.connection)
            link = self.links[step.connection] = _Link(Wire(self.port, PATIENCE))
            link.wire.send_raw(step.data)
        else:
            self._send(step.connection, step.before, step.data)
            link = self.links.get(step.connection)
            if link is None or link.closed:
                return
        if not step.ends:
            link.wire.close()
            link.closed = True
            return
        self._read_to_end(step.connection)

    def _drop(self, number: int):
        link = self.links.get(number)
        if link is not None:
            link.wire.close()
            link.closed = True

    def _settle(self):
        """Reads all that the step caused.

        First the replies to its requests. A watch event is queued on its connection before the change
        that caused it is answered, so the answer to a ping sent now comes behind the event.
        """
        for number in self.links:
            self._read_pending(number)
        for number, link in self.links.items():
            if link.session and not link.closed:
                self._send(number, [_PING])
                self._read_pending(number)

    def _read_pending(self, number: int):
        link = self.links[number]
        while link.pending and not link.closed:
            self._read_one(number)

    def _read_to_end(self, number: int):
        while not self.links[number].closed:
            self._read_one(number)

    def _read_one(self, number: int):
        link = self.links[number]
        try:
            payload = link.wire.receive_frame()
        except Closed:
            link.closed = True
            left = [request.text for request in link.pending if request is not _PING]
            self._write(f"{number} closed, unanswered: {left}")
            link.pending.clear()
            return
        if len(payload) < 16:
            self._write(f"{number} frame {payload.hex(' ')}")
            return
        reply = read_header(payload)
        if reply.xid == Xid.NOTIFICATION:
            self._write(f"{number} event {self._event(reply)}")
            return
        self.seen.note(reply.zxid)
        request = link.pending.popleft() if link.pending else None
        if request is _PING and reply.xid == Xid.PING and reply.err == 0 and not reply.body:
            return
        text = request.text if request else "nothing"
        head = f"{number} reply {reply.xid} {self.symbols.zxid(reply.zxid)} error {reply.err}"
        self._write(f"{head} to {text}: {self._body(request, reply)}")
        if request and ends_connection(request, reply):
            # A ping sent now could turn the orderly end into a reset that loses the reply.
            self._read_to_end(number)

    def _event(self, reply):
        try:
            event = records.read_event(reply.zxid, reply.body)
        except Malformed:
            return reply
        return event._replace(zxid=self.symbols.zxid(event.zxid)), reply.err

    def _body(self, request, reply):
        if request is not None and request.op == Op.MULTI_READ and reply.err != 0:
            # The Java server's reply then carries the parts so far, too, which no client looks at.
            return "…"
        if request is not None and reply.err == 0:
            try:
                return self.symbols.reply(request.op, records.read_reply(request.op, reply.body))
            except Malformed:
                pass
        return reply.body.hex(" ")

    def _close_sessions(self):
        """Closes what the sequence left open, so that no session expires under a later one."""
        for number, link in list(self.links.items()):
            if link.session is None or link.session.id == 0:
                continue
            if link.closed:
                self._open(Open(number, resumes=number))
            self._send(number, [Request(Op.CLOSE_SESSION, b"", "closeSession")])
            self._settle()

    def _write(self, line: str):
        self.lines[-1].append(line)


def sorted_events(lines: list) -> list:
    """With neighbouring events of one connection sorted.

    The ephemeral nodes of a session that ends are a set in the Java server, and go in the order of their hashes.
    """
    result, run = [], []
    for line in [*lines, None]:
        connection = line.split(" event ")[0] if line and " event " in line else None
        if run and run[0].split(" event ")[0] != connection:
            result += sorted(run)
            run = []
        if connection is not None:
            run.append(line)
        elif line is not None:
            result.append(line)
    return result


def ends_connection(request: Request, reply) -> bool:
    """Whether the server must close the connection behind this reply."""
    unknown = request.op not in set(Op) or request.op == Op.CHECK
    return (
        request.op == Op.CLOSE_SESSION
        or reply.err == _AUTH_FAILED
        or (reply.err == _UNIMPLEMENTED and unknown)
    )
