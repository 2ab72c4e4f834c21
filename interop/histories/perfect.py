"""Histories as a perfect ensemble would make them, to plant violations in."""

import random

from harness.records import Op, PartResult, Xid
from harness.wire import Session

from . import transactions as t
from .clients import BELOW, PAIR, registers
from .history import Connection, History, Notified, Replied, Sent
from .model import NO_NODE, States, Tree, outcome, parent_of
from .transactions import Txn
from .watches import CHILD, DATA, Triggers

EPOCH = 1 << 32


class World:
    """A perfect ensemble: one history, servers that have applied more or less of it, and clients."""

    def __init__(self, seed: int, steps: int = 600):
        self.random = random.Random(seed)
        self.history, self.txns = History(), []
        self.tree, self.states, self.triggers = Tree(), States(), Triggers()
        self.states.note(self.tree, 0, list(self.tree.nodes))
        self.zxid, self.time = EPOCH, 0.0
        self.applied = {1: 0, 2: 0}
        for path in ["/w", BELOW, *PAIR, *registers()]:
            self.transaction(9, 0, t.CREATE, t.Create(path, b"", tuple(self.tree.nodes["/"].acl), False, -1))
        self.clients = [Actor(self, 100 + number) for number in range(4)]
        for _ in range(steps):
            self.advance(self.random.choice([1, 2]), self.random.randrange(3))
            self.random.choice(self.clients).step()
        for client in self.clients:
            client.end()

    def now(self) -> float:
        self.time += 1
        return self.time

    def transaction(self, session: int, cxid: int, kind: int, body) -> Txn:
        self.zxid += 1
        txn = Txn(self.zxid, session, cxid, int(self.time), kind, body)
        triggers = self.tree.apply(txn)
        if kind != t.ERROR:
            txn = txn._replace(digest=self.tree.digest)
        self.states.note(self.tree, txn.zxid, {path for one in triggers for path in (one.path, parent_of(one.path))})
        self.triggers.note(txn.zxid, triggers)
        self.txns.append(txn)
        return txn

    def advance(self, server: int, count: int):
        """Lets a server apply more of the history, and tell those who watch."""
        for zxid in range(max(self.applied[server], EPOCH) + 1, min(self.applied[server] + count, self.zxid) + 1):
            self.applied[server] = zxid
            for client in self.clients:
                if client.server == server:
                    client.told(zxid)

    def catch_up(self, server: int, zxid: int):
        while self.applied[server] < zxid:
            self.applied[server] = max(self.applied[server], EPOCH)
            self.advance(server, zxid - self.applied[server])


class Actor:
    """One client of the world, with one session and one connection at a time."""

    def __init__(self, world: World, session: int):
        self.world, self.session = world, session
        self.random = world.random
        self.xid, self.seen, self.number = 0, 0, 0
        self.armed = {}
        world.transaction(session, 0, t.CREATE_SESSION, t.CreateSession(4000))
        self.connect(1)

    def connect(self, server: int):
        world = self.world
        self.server = server
        asked = self.session if self.seen else 0
        opened = world.now()
        self.connection = Connection(f"c{self.session}", server, "grevy", asked, self.seen, opened)
        self.connection.granted = Session(4000, self.session, b"", False)
        self.entries = self.connection.entries
        world.history.connections.append(self.connection)
        again, self.armed = self.armed, {}
        if hasattr(world, "clients"):
            world.catch_up(server, max(self.seen, world.applied[server]))
        if again:
            self.set_watches(again)

    def set_watches(self, again: dict):
        data = [path for table, path in again if table == DATA]
        child = [path for table, path in again if table == CHILD]
        exist = [path for path in data if self.world.states.view(path, self.seen) is None]
        data = [path for path in data if path not in exist]
        zxid = self.world.applied[self.server]
        self.entries.append(Sent(self.world.now(), Xid.SET_WATCHES, Op.SET_WATCHES, (self.seen, data, exist, child)))
        for paths, table in ((data, DATA), (exist, "exist"), (child, CHILD)):
            for path in paths:
                view = self.world.states.view(path, zxid)
                if table == "exist":
                    event = None if view is None else 1
                elif view is None:
                    event = 2
                else:
                    changed = view.stat.mzxid if table == DATA else view.stat.pzxid
                    event = (3 if table == DATA else 4) if changed > self.seen else None
                if event:
                    self.entries.append(Notified(self.world.now(), -1, event, path))
                else:
                    self.arm(CHILD if table == CHILD else DATA, path, zxid)
        self.entries.append(Replied(self.world.now(), Xid.SET_WATCHES, zxid, 0, ()))

    def arm(self, table: str, path: str, zxid: int):
        self.armed.setdefault((table, path), zxid)

    def told(self, zxid: int):
        for (table, path), since in list(self.armed.items()):
            if fires := self.world.triggers.after(table, path, since):
                if fires[0] == zxid:
                    del self.armed[table, path]
                    if not any(e.zxid == zxid and e.path == path for e in self.entries if isinstance(e, Notified)):
                        self.entries.append(Notified(self.world.now(), zxid, fires[1], path))
        self.seen = max(self.seen, zxid) if any(isinstance(e, Notified) for e in self.entries[-1:]) else self.seen

    def step(self):
        if self.server is None:
            self.connect(self.random.choice([1, 2]))
        chance = self.random.random()
        register, watch = self.random.choice(registers()), self.random.random() < 0.5
        name = f"{BELOW}/n{self.random.randrange(5)}"
        self.number += 1
        data = f"{self.session}:{self.number}".encode()
        if chance < 0.3:
            self.write(Op.SET_DATA, (register, data, self.random.choice([-1, -1, self.number])))
        elif chance < 0.4:
            self.write(Op.CREATE, (name, data, self.random.choice([0, 1])))
        elif chance < 0.45:
            self.write(Op.CREATE2, (f"{BELOW}/s-", data, self.random.choice([2, 3])))
        elif chance < 0.55:
            self.write(Op.DELETE, (name, -1))
        elif chance < 0.6:
            self.write(Op.MULTI, (tuple((Op.SET_DATA, (path, data, -1)) for path in PAIR),))
        elif chance < 0.63:
            self.write(Op.MULTI, (((Op.SET_DATA, (PAIR[0], data, -1)), (Op.CHECK, (PAIR[1], 1 << 30))),))
        elif chance < 0.75:
            self.read(Op.GET_DATA, (register, watch))
        elif chance < 0.85:
            self.read(Op.EXISTS, (name, watch))
        elif chance < 0.9:
            self.read(Op.GET_CHILDREN2, (BELOW, watch))
        elif chance < 0.97:
            self.sync(register)
        else:
            self.connection.closed = self.world.now()
            self.server = None

    def send(self, op: int, args: tuple) -> Sent:
        self.xid += 1
        sent = Sent(self.world.now(), self.xid, op, args)
        self.entries.append(sent)
        return sent

    def reply(self, sent: Sent, err: int, values: tuple = ()):
        zxid = self.world.applied[self.server]
        self.seen = max(self.seen, zxid)
        self.entries.append(Replied(self.world.now(), sent.xid, zxid, err, values))

    def write(self, op: int, args: tuple):
        world = self.world
        sent = self.send(op, args)
        txn = world.transaction(self.session, sent.xid, *outcome(world.tree, self.session, op, args))
        world.catch_up(self.server, txn.zxid)
        self.reply(sent, *self.result(op, txn))

    def result(self, op: int, txn: Txn) -> tuple:
        if txn.type == t.ERROR:
            return (txn.body.code,)
        if op == Op.MULTI:
            parts = [self.part(kind, body, txn.zxid) for kind, body in txn.body.parts]
            return 0, (parts,)
        if op in (Op.DELETE, Op.CLOSE_SESSION):
            return 0, ()
        path = txn.body.path
        stat = self.world.states.view(path, txn.zxid).stat
        return 0, {Op.CREATE: (path,), Op.CREATE2: (path, stat), Op.SET_DATA: (stat,)}[op]

    def part(self, kind: int, body, zxid: int) -> PartResult:
        return PartResult(kind, 0, self.world.states.view(body.path, zxid).stat if kind == t.SET_DATA else body.code)

    def read(self, op: int, args: tuple):
        sent = self.send(op, args)
        zxid = self.world.applied[self.server]
        view = self.world.states.view(args[0], zxid)
        if args[1] and (view or op == Op.EXISTS):
            self.arm(CHILD if op == Op.GET_CHILDREN2 else DATA, args[0], zxid)
        if view is None:
            self.reply(sent, NO_NODE)
        elif op == Op.GET_DATA:
            self.reply(sent, 0, (view.data, view.stat))
        elif op == Op.EXISTS:
            self.reply(sent, 0, (view.stat,))
        else:
            self.reply(sent, 0, (sorted(self.world.states.children(args[0], zxid)), view.stat))

    def sync(self, register: str):
        sent = self.send(Op.SYNC, (register,))
        self.world.catch_up(self.server, self.world.zxid)
        self.reply(sent, 0, (register,))
        self.read(Op.GET_DATA, (register, False))

    def end(self):
        if self.server is None:
            self.connect(1)
        self.write(Op.CLOSE_SESSION, ())
        self.connection.closed = self.world.now()
        self.server, self.armed = None, {}
