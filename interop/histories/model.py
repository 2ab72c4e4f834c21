"""What transactions do to a tree of znodes, and what the leader must make of a request."""

import struct
import zlib
from bisect import bisect_right
from typing import NamedTuple

from harness.records import OPEN, Op, Stat

from . import transactions as t

CONTAINER_OWNER = -(1 << 63)
TTL_OWNER = -(1 << 56)
_DIGESTED = struct.Struct(">qqqqqiiiq")

NO_NODE, BAD_VERSION, NO_CHILDREN_FOR_EPHEMERALS, NODE_EXISTS, NOT_EMPTY = -101, -103, -108, -110, -111
RUNTIME_INCONSISTENCY, CONNECTION_LOSS, SESSION_EXPIRED, SESSION_MOVED = -2, -4, -112, -118


class Node:
    """A znode; `cversion` counts the creates below it, which is not what clients are shown."""

    __slots__ = "data acl czxid mzxid pzxid ctime mtime version cversion aversion owner children".split()

    def __init__(self, data, acl, czxid, mzxid, pzxid, ctime, mtime, version, cversion, aversion, owner):
        self.data, self.acl, self.owner = data, acl, owner
        self.czxid, self.mzxid, self.pzxid, self.ctime, self.mtime = czxid, mzxid, pzxid, ctime, mtime
        self.version, self.cversion, self.aversion = version, cversion, aversion
        self.children = set()

    def stat(self) -> Stat:
        """As clients are shown it."""
        owner = self.owner if is_session(self.owner) else 0
        shown_cversion = _signed32(2 * self.cversion - len(self.children))
        ids = (self.czxid, self.mzxid, self.ctime, self.mtime, self.version, shown_cversion, self.aversion)
        return Stat(*ids, owner, len(self.data or b""), len(self.children), self.pzxid)

    def digest(self, path: str) -> int:
        fields = (self.czxid, self.mzxid, self.pzxid, self.ctime, self.mtime)
        numbers = _DIGESTED.pack(*fields, self.version, self.cversion, self.aversion, self.owner)
        return zlib.crc32(path.encode().removesuffix(b"/") + (self.data or b"") + numbers)

    def fields(self) -> tuple:
        """Everything, to be compared."""
        return tuple(getattr(self, name) for name in self.__slots__)


def is_session(owner: int) -> bool:
    """Whether the owner of a znode is a session, and not the mark of a container or of a time to live."""
    return owner != 0 and owner != CONTAINER_OWNER and owner >> 56 != -1


def owner_of(kind: int, body: t.Create, session: int) -> int:
    if kind == t.CREATE_CONTAINER:
        return CONTAINER_OWNER
    if kind == t.CREATE_TTL:
        return TTL_OWNER | body.ttl
    return session if body.ephemeral else 0


def parent_of(path: str) -> str:
    return path.rpartition("/")[0] or "/"


class Trigger(NamedTuple):
    """What a transaction did that watches may wait for."""

    kind: str
    """"created", "deleted" or "changed"."""
    path: str


class Tree:
    """The state after a prefix of the history, starting from an empty server's."""

    def __init__(self):
        zero = (0,) * 9
        self.nodes = {path: Node(b"", tuple(OPEN), *zero) for path in ["/", "/zookeeper", "/zookeeper/quota"]}
        self.nodes["/"].children.add("zookeeper")
        self.nodes["/zookeeper"].children |= {"quota", "config"}
        self.sessions = {}
        self.ephemerals = {}
        self.digest = sum(self.nodes[path].digest(path) for path in ["/", "/zookeeper"])
        self.zxid = 0

    @classmethod
    def of(cls, zxid: int, nodes: dict, sessions: dict) -> "Tree":
        """A tree read from a snapshot."""
        tree = cls()
        tree.nodes, tree.sessions, tree.zxid = nodes, dict(sessions), zxid
        for path, node in nodes.items():
            if is_session(node.owner):
                tree.ephemerals.setdefault(node.owner, set()).add(path)
        tree.digest = sum(node.digest(path) for path, node in nodes.items() if not path.startswith("/zookeeper/"))
        return tree

    def apply(self, txn: t.Txn) -> list[Trigger]:
        """Does what the transaction says, also on a tree that holds some of its effects already."""
        triggers = []
        if txn.type == t.CREATE_SESSION:
            self.sessions[txn.session] = txn.body.timeout
        elif txn.type == t.CLOSE_SESSION:
            paths = [*(txn.body.paths or ()), *sorted(self.ephemerals.get(txn.session, ()))]
            for path in dict.fromkeys(paths):
                self._delete(path, txn, triggers)
            self.sessions.pop(txn.session, None)
        elif txn.type == t.MULTI:
            if not any(kind == t.ERROR for kind, _ in txn.body.parts):
                for kind, body in txn.body.parts:
                    self._part(kind, body, txn, triggers)
        else:
            self._part(txn.type, txn.body, txn, triggers)
        self.zxid = max(self.zxid, txn.zxid)
        return triggers

    def _part(self, kind: int, body, txn: t.Txn, triggers: list):
        if kind in t.CREATES:
            self._create(kind, body, txn, triggers)
        elif kind in t.DELETES:
            self._delete(body.path, txn, triggers)
        elif kind == t.SET_DATA and (node := self.nodes.get(body.path)):
            self._count(body.path, -1)
            node.data, node.version, node.mzxid, node.mtime = body.data, body.version, txn.zxid, txn.time
            self._count(body.path, 1)
            triggers.append(Trigger("changed", body.path))
        elif kind == t.SET_ACL and (node := self.nodes.get(body.path)):
            self._count(body.path, -1)
            node.acl, node.aversion = body.acl, body.version
            self._count(body.path, 1)

    def _create(self, kind: int, body: t.Create, txn: t.Txn, triggers: list):
        above = parent_of(body.path)
        parent = self.nodes.get(above)
        if parent is None:
            return
        self._count(above, -1)
        count = parent.cversion + 1 if body.parent_cversion == -1 else body.parent_cversion
        if count > parent.cversion:
            parent.cversion, parent.pzxid = count, txn.zxid
        existing = self.nodes.get(body.path)
        if existing is not None:
            existing.acl = body.acl
        else:
            owner = owner_of(kind, body, txn.session)
            times = (txn.zxid, txn.zxid, txn.zxid, txn.time, txn.time)
            self.nodes[body.path] = Node(body.data, body.acl, *times, 0, 0, 0, owner)
            parent.children.add(body.path.rpartition("/")[2])
            if is_session(owner):
                self.ephemerals.setdefault(owner, set()).add(body.path)
            self._count(body.path, 1)
            triggers.append(Trigger("created", body.path))
        self._count(above, 1)

    def _delete(self, path: str, txn: t.Txn, triggers: list):
        above = parent_of(path)
        if parent := self.nodes.get(above):
            self._count(above, -1)
            parent.pzxid = max(parent.pzxid, txn.zxid)
            parent.children.discard(path.rpartition("/")[2])
            self._count(above, 1)
        if path in self.nodes:
            # What is below was created later, and will be again.
            for child in list(self.nodes[path].children):
                self._delete(f"{path}/{child}", txn, [])
            self._count(path, -1)
            node = self.nodes.pop(path)
            self.ephemerals.get(node.owner, set()).discard(path)
            triggers.append(Trigger("deleted", path))

    def _count(self, path: str, sign: int):
        if not path.startswith("/zookeeper/"):
            self.digest = (self.digest + sign * self.nodes[path].digest(path)) % (1 << 64)


# What a leader makes of a request --------------------------------------------------------------


def outcome(tree: Tree, session: int, op: int, args: tuple) -> tuple:
    """Type and body of the transaction that a write request becomes on top of `tree`."""
    if op == Op.CLOSE_SESSION:
        return t.CLOSE_SESSION, t.CloseSession(tuple(sorted(tree.ephemerals.get(session, ()))))
    if op != Op.MULTI:
        kind, body = _part_outcome(_Overlay(tree), session, op, args)
        return kind, body
    overlay, parts, failed = _Overlay(tree), [], None
    for part_op, part_args in args[0]:
        kind, body = _part_outcome(overlay, session, part_op, part_args)
        if kind == t.ERROR and failed is None:
            failed = len(parts)
        parts.append((kind, body))
        if failed is None:
            overlay.apply(kind, body)
    if failed is not None:
        parts[failed + 1 :] = [(t.ERROR, t.Error(RUNTIME_INCONSISTENCY))] * (len(parts) - failed - 1)
        parts = t.failed(tuple(parts))
    return t.MULTI, t.Multi(tuple(parts))


class _Overlay:
    """What the parts of a multi see of one another: existence, version, children, creates below."""

    def __init__(self, tree: Tree):
        self._tree = tree
        self._changed = {}

    def get(self, path: str):
        """(version, number of children, creates below, ephemeral), or None."""
        if path in self._changed:
            return self._changed[path]
        node = self._tree.nodes.get(path)
        return node and (node.version, len(node.children), node.cversion, is_session(node.owner))

    def apply(self, kind: int, body):
        if kind in t.CREATES:
            version, children, creates, ephemeral = self.get(parent_of(body.path))
            self._changed[parent_of(body.path)] = (version, children + 1, creates + 1, ephemeral)
            self._changed[body.path] = (0, 0, 0, body.ephemeral)
        elif kind in t.DELETES:
            version, children, creates, ephemeral = self.get(parent_of(body.path))
            self._changed[parent_of(body.path)] = (version, children - 1, creates, ephemeral)
            self._changed[body.path] = None
        elif kind == t.SET_DATA:
            _, *rest = self.get(body.path)
            self._changed[body.path] = (body.version, *rest)


def _part_outcome(state: _Overlay, session: int, op: int, args: tuple) -> tuple:
    if op in (Op.CREATE, Op.CREATE2):
        path, data, flags = args
        parent = state.get(parent_of(path))
        if parent is None:
            return t.ERROR, t.Error(NO_NODE)
        _, _, creates, ephemeral = parent
        if flags & 2:
            path += f"{creates:010d}"
        if state.get(path) is not None:
            return t.ERROR, t.Error(NODE_EXISTS)
        if ephemeral:
            return t.ERROR, t.Error(NO_CHILDREN_FOR_EPHEMERALS)
        return int(op), t.Create(path, data, tuple(OPEN), bool(flags & 1), creates + 1)
    path, *rest = args
    node = state.get(path)
    if node is None:
        return t.ERROR, t.Error(NO_NODE)
    version, children, _, _ = node
    if rest[-1] not in (-1, version):
        return t.ERROR, t.Error(BAD_VERSION)
    if op == Op.DELETE:
        return (t.DELETE, t.Delete(path)) if children == 0 else (t.ERROR, t.Error(NOT_EMPTY))
    if op == Op.SET_DATA:
        return t.SET_DATA, t.SetData(path, rest[0], version + 1)
    assert op == Op.CHECK, op
    return t.CHECK, t.Check(path, version + 1)


# All states ------------------------------------------------------------------------------------


class View(NamedTuple):
    """What a client can read of a znode at a time."""

    data: bytes | None
    stat: Stat


class States:
    """Every state of every path, by zxid. `None` stands for a znode that is not there."""

    def __init__(self):
        self._zxids = {}
        self._views = {}
        self._names = {}

    def note(self, tree: Tree, zxid: int, paths):
        """Takes down how these paths are in `tree`, which is the state at `zxid`."""
        for path in paths:
            node = tree.nodes.get(path)
            view = node and View(node.data, node.stat())
            zxids, views = self._zxids.setdefault(path, [0]), self._views.setdefault(path, [None])
            if zxids[-1] == zxid:
                views[-1] = view
            elif views[-1] != view:
                zxids.append(zxid)
                views.append(view)
            self._note_name(path, zxid, node is not None)

    def view(self, path: str, zxid: int) -> View | None:
        index = self._index(path, zxid)
        return self._views[path][index] if index is not None else None

    def children(self, path: str, zxid: int) -> set:
        return {
            name
            for name, times in self._names.get(path, {}).items()
            if any(start <= zxid < (end or zxid + 1) for start, end in times)
        }

    def interval(self, path: str, fits, near: int):
        """The zxids from and up to (None for ever) which `fits(view)`: the first such after `near`, else the last."""
        zxids, views = self._zxids.get(path, [0]), self._views.get(path, [None])
        start = bisect_right(zxids, near) - 1
        for index in [*range(start, len(zxids)), *range(start - 1, -1, -1)]:
            if fits(views[index]):
                return zxids[index], zxids[index + 1] if index + 1 < len(zxids) else None
        return None

    def _index(self, path: str, zxid: int):
        zxids = self._zxids.get(path)
        return None if zxids is None else bisect_right(zxids, zxid) - 1

    def _note_name(self, path: str, zxid: int, present: bool):
        above, _, name = path.rpartition("/")
        if not name:
            return
        times = self._names.setdefault(above or "/", {}).setdefault(name, [])
        if present and (not times or times[-1][1] is not None):
            times.append((zxid, None))
        elif not present and times and times[-1][1] is None:
            times[-1] = (times[-1][0], zxid)


def _signed32(value: int) -> int:
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)
