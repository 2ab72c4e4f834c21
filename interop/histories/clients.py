"""Clients that write, read and watch at random, through whatever happens to the servers, and record all of it."""

import random
import socket
import threading
import time
from collections import deque

from harness import records
from harness.jute import Malformed
from harness.records import Op, Xid
from harness.wire import Closed, Wire, read_header

from .history import CHILDREN, CREATED, Connection, History, Notified, Replied, Sent

EPHEMERAL, SEQUENTIAL = 1, 2
REGISTERS = 6
ROOT, BELOW, PAIR = "/w", "/w/c", ("/w/p0", "/w/p1")

ENCODERS = {
    Op.CREATE: lambda path, data, flags: records.create(path, data, flags=flags),
    Op.CREATE2: lambda path, data, flags: records.create(path, data, flags=flags),
    Op.DELETE: records.path_and_version,
    Op.SET_DATA: records.set_data,
    Op.CHECK: records.path_and_version,
    Op.GET_DATA: records.path_and_watch,
    Op.EXISTS: records.path_and_watch,
    Op.GET_CHILDREN2: records.path_and_watch,
    Op.SYNC: records.path_only,
    Op.MULTI: lambda parts: records.multi([(op, ENCODERS[op](*args)) for op, args in parts]),
    Op.MULTI_READ: lambda parts: records.multi([(op, ENCODERS[op](*args)) for op, args in parts]),
    Op.SET_WATCHES: lambda zxid, data, exist, child: records.set_watches(zxid, data, exist, child),
    Op.CLOSE_SESSION: lambda: b"",
}
"""How the arguments of `Sent` become a request."""


def registers() -> list[str]:
    return [f"{ROOT}/r{number}" for number in range(REGISTERS)]


def prepare(port: int):
    """Makes the znodes that all clients need."""
    with Wire(port) as wire:
        wire.connect()
        for path in [ROOT, BELOW, *PAIR, *registers()]:
            wire.ok(Op.CREATE, records.create(path))
        wire.close_session()


class Client(threading.Thread):
    """One client. `servers` maps the ids of the servers it may use to (port, kind); it may be changed meanwhile.

    It makes about `rate` requests a second, up to `depth` at once, until it is told to `finish()`. With `old`, Java
    servers before 3.6 understand it: they do not know multiRead.
    """

    def __init__(self, name: str, servers, history: History, seed, *, rate=100, depth=3, timeout=4000, old=False):
        super().__init__(name=name, daemon=True)
        self.servers, self.history = servers, history
        self.acknowledged = 0
        self.failure = None
        self._old = old
        self._random = random.Random(seed)
        self._pause, self._depth, self._timeout = 1 / rate, depth, timeout
        self._finishing = threading.Event()
        self._session = None
        self._last_zxid = 0
        self._xid = 0
        self._number = 0
        self._versions = {}
        self._mine = []
        self._watches = {"data": set(), "exist": set(), "child": set()}

    def finish(self):
        """Lets it answer for what is under way, and end. Join it then."""
        self._finishing.set()

    def run(self):
        try:
            while not self._finishing.is_set():
                self._one_connection()
        except Exception as failure:  # Shown by whoever joins the thread.
            self.failure = failure

    # One connection after the other

    def _one_connection(self):
        sid = self._random.choice(list(self.servers))
        port, kind = self.servers[sid]
        asked = self._session.id if self._session else 0
        connection = Connection(self.name, sid, kind, asked, self._last_zxid, time.monotonic())
        try:
            wire = Wire(port, timeout=2)
        except OSError:
            time.sleep(0.05)
            return
        self.history.connections.append(connection)
        try:
            with wire:
                self._use(wire, connection)
        except (Closed, OSError):
            # Do not come back at once to one that closes at once.
            time.sleep(0.05)
        finally:
            connection.closed = time.monotonic()

    def _use(self, wire: Wire, connection: Connection):
        ask = {"session": self._session.id, "password": self._session.password} if self._session else {}
        granted = wire.connect(last_zxid=self._last_zxid, timeout=self._timeout, **ask)
        connection.granted = granted
        if granted.id == 0:
            self._forget()
            return
        if self._session is None:
            self._xid = 0
        self._session = granted
        talk = _Talk(self, wire, connection)
        if any(self._watches.values()):
            lists = [sorted(self._watches[name]) for name in ("data", "exist", "child")]
            self._watches = {name: set() for name in self._watches}
            talk.lists = lists
            talk.send(Op.SET_WATCHES, (self._last_zxid, *lists), xid=Xid.SET_WATCHES)
            talk.until(0)
        while not self._finishing.is_set():
            for op, args in self._next():
                talk.send(op, args)
            talk.until(self._depth)
            if self._random.random() < 0.002:
                talk.until(0)
                if self._random.random() < 0.5:
                    talk.send(Op.CLOSE_SESSION, ())
                    talk.until(0)
                    self._forget()
                return
            talk.idle(self._random.expovariate(1 / self._pause))
        talk.send(Op.CLOSE_SESSION, ())
        talk.until(0)

    def _forget(self):
        self._session, self._last_zxid, self._mine = None, 0, []
        self._watches = {name: set() for name in self._watches}

    # What it does

    def _next(self) -> list:
        chance = self._random.random()
        register = self._random.choice(registers())
        watch = self._random.random() < 0.2
        if chance < 0.30:
            return [(Op.SET_DATA, (register, self._unique(), -1))]
        if chance < 0.36:
            return [(Op.SET_DATA, (register, self._unique(), self._versions.get(register, 0)))]
        if chance < 0.52:
            return [(Op.GET_DATA, (register, watch))]
        if chance < 0.62:
            return [(Op.SYNC, (register,)), (Op.GET_DATA, (register, False))]
        if chance < 0.67:
            data = self._unique()
            return [(Op.MULTI, (tuple((Op.SET_DATA, (path, data, -1)) for path in PAIR),))]
        if chance < 0.69:
            parts = ((Op.SET_DATA, (PAIR[0], b"never", -1)), (Op.CHECK, (PAIR[1], 1 << 30)))
            return [(Op.MULTI, (parts,))]
        if chance < 0.73 and not self._old:
            return [(Op.MULTI_READ, (tuple((Op.GET_DATA, (path, False)) for path in PAIR),))]
        if chance < 0.83:
            flags = self._random.choice([0, EPHEMERAL, SEQUENTIAL, EPHEMERAL | SEQUENTIAL])
            path = f"{BELOW}/s-" if flags & SEQUENTIAL else f"{BELOW}/n{self._random.randrange(20)}"
            return [(self._random.choice([Op.CREATE, Op.CREATE2]), (path, self._unique(), flags))]
        if chance < 0.90:
            path = self._mine.pop(0) if self._mine else f"{BELOW}/n{self._random.randrange(20)}"
            return [(Op.DELETE, (path, -1))]
        if chance < 0.95:
            return [(Op.EXISTS, (f"{BELOW}/n{self._random.randrange(20)}", watch))]
        return [(Op.GET_CHILDREN2, (BELOW, watch))]

    def _unique(self) -> bytes:
        self._number += 1
        return f"{self.name}:{self._number}".encode()

    def noticed(self, sent: Sent, reply: Replied):
        """Keeps what the client itself needs of a reply."""
        self.acknowledged += 1
        if sent.xid > 0:
            self._last_zxid = max(self._last_zxid, reply.zxid)
        if sent.op in (Op.GET_DATA, Op.EXISTS, Op.GET_CHILDREN2) and sent.args[1]:
            if reply.err == 0:
                self._watches["child" if sent.op == Op.GET_CHILDREN2 else "data"].add(sent.args[0])
            elif sent.op == Op.EXISTS:
                self._watches["exist"].add(sent.args[0])
        if reply.err != 0:
            return
        if sent.op in (Op.GET_DATA, Op.SET_DATA):
            self._versions[sent.args[0]] = reply.values[-1].version
        if sent.op in (Op.CREATE, Op.CREATE2):
            self._mine.append(reply.values[0])

    def event(self, event: Notified):
        self._last_zxid = max(self._last_zxid, event.zxid)
        hit = ["child"] if event.type == CHILDREN else ["data", "exist"]
        hit += ["child"] if event.type not in (CHILDREN, CREATED) else []
        for name in hit:
            self._watches[name].discard(event.path)

    def rearm(self, lists):
        """The watches that setWatches set again, less those that have fired by then."""
        for name, paths in zip(("data", "exist", "child"), lists):
            self._watches[name] |= set(paths)

    def next_xid(self) -> int:
        self._xid += 1
        return self._xid


class _Talk:
    """Requests and replies on one connection, every one recorded."""

    def __init__(self, client: Client, wire: Wire, connection: Connection):
        self._client, self._wire, self._entries = client, wire, connection.entries
        self._waiting = deque()
        self._timeout = connection.granted.timeout / 1000
        self._heard = self._said = time.monotonic()
        self.lists = None
        wire.sock.settimeout(0.05)

    def send(self, op: int, args: tuple, xid: int | None = None):
        xid = self._client.next_xid() if xid is None else xid
        sent = Sent(time.monotonic(), xid, op, args)
        self._entries.append(sent)
        self._waiting.append(sent)
        self._said = sent.time
        self._wire.send(op, ENCODERS[op](*args), xid)

    def until(self, left: int):
        """Receives until no more than so many replies are outstanding."""
        while len(self._waiting) > left:
            self._receive()

    def idle(self, seconds: float):
        """Receives for a while."""
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            self._receive(end - now)

    def _receive(self, patience: float = 0.2):
        self._keep_alive()
        self._wire.sock.settimeout(min(patience, 0.2))
        try:
            first = self._wire.sock.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            return
        if not first:
            raise Closed("end of stream")
        self._wire.sock.settimeout(2)
        header = read_header(self._wire.receive_frame())
        now = self._heard = time.monotonic()
        if header.xid == Xid.PING:
            return
        if header.xid == Xid.NOTIFICATION:
            event = records.read_event(header.zxid, header.body)
            self._entries.append(Notified(now, event.zxid, event.type, event.path))
            self._client.event(self._entries[-1])
            if self.lists is not None:
                self._fired(event.path)
            return
        if not self._waiting:
            self._entries.append(Replied(now, *header[:3], ()))
            return
        sent = self._waiting.popleft()
        try:
            values = records.read_reply(sent.op, header.body) if header.err == 0 else ()
        except Malformed:
            # The checker is told that it is not the reply to this request.
            values = (header.body,)
        reply = Replied(now, *header[:3], values)
        self._entries.append(reply)
        if sent.op == Op.SET_WATCHES:
            self._client.rearm(self.lists)
            self.lists = None
        self._client.noticed(sent, reply)

    def _fired(self, path: str):
        self.lists = [[other for other in paths if other != path] for paths in self.lists]

    def _keep_alive(self):
        now = time.monotonic()
        if now - self._heard > self._timeout * 2 / 3:
            raise Closed("the server is silent")
        if now - self._said > self._timeout / 3:
            self._said = now
            self._wire.send(Op.PING, xid=Xid.PING)
