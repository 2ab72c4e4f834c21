"""Single requests, drawn at random, with the text that describes them."""

import random

from harness import records
from harness.records import Op

from . import pools
from .steps import Request


class Requests:
    """Draws requests on the nodes below a root. `kinds` lists the functions that draw one, each of another kind.

    Nodes below /zookeeper/quota are met only with `quota`.
    """

    def __init__(self, rng: random.Random, root: str, quota: bool):
        self.rng = rng
        self.root = root
        self._quota = quota
        # What setWatches tells of a node, and what deleteContainer asks for, is Grevy's own decision where
        # lists forbid something; elsewhere both are as in the Java server.
        self._guarded = rng.random() < 0.5
        names = ["a", "b", "c", "a/x", "a/y", "b/x", "a/x/deep", "c/t", "e", "k"]
        self.nodes = [root] + [f"{root}/{name}" for name in names]
        self.kinds = [
            self.create,
            self.create,
            self.create_sequential,
            self.create_special,
            self.delete,
            self.set_data,
            self.read,
            self.read,
            self.read_children,
            self.set_acl,
            self.get_acl,
            self.sync,
            self.multi,
            self.multi,
            self.multi_read,
            self.add_watch,
            self.remove_watches,
            self.check_watches,
            self.ephemerals,
            self.count_children,
            self.who_am_i,
            self.reconfig,
            self.ping,
            self.odd_xid,
        ]
        if quota:
            self.kinds += [self.quota] * 3
        if not self._guarded:
            self.kinds += [self.set_watches, self.delete_container]

    # Paths

    def path(self):
        rng = self.rng
        roll = rng.random()
        if roll < 0.80:
            return rng.choice(self.nodes)
        if roll < 0.90:
            return f"{rng.choice(self.nodes)}/n{rng.randrange(5):010}"
        if roll < 0.92 and self._quota:
            inner = rng.choice(["", "/zookeeper_limits", "/zookeeper_stats"])
            return f"/zookeeper/quota{rng.choice(self.nodes)}{inner}"
        if roll < 0.94:
            return rng.choice(pools.SPECIAL_PATHS)
        return pools.bad_path(rng, self.root)

    def own_path(self):
        """As `path`, but nothing that other sequences meet again."""
        path = self.path()
        return self.root if path in pools.SPECIAL_PATHS else path

    # Writes

    def create_at(self, path, data, flags, acl=pools.OPEN, op=Op.CREATE) -> Request:
        text = f"{op.name} {show(path)} flags {flags} {_short(acl)}"
        # Whether it is a container is said twice, by the operation and by the flags. The Java server believes
        # the flags until the node is made, and the operation from then on.
        unsettled = (op == Op.CREATE_CONTAINER) != (flags == 4)
        return Request(op, records.create(path, data, acl, flags), text, unsettled=unsettled)

    def create(self) -> Request:
        rng = self.rng
        flags = rng.choice(pools.FLAGS if rng.random() < 0.95 else pools.BAD_FLAGS)
        op = rng.choice([Op.CREATE, Op.CREATE, Op.CREATE2])
        return self.create_at(self.own_path(), rng.choice(pools.DATA), flags, self.acl(), op)

    def create_sequential(self) -> Request:
        rng = self.rng
        path = f"{rng.choice(self.nodes)}/{rng.choice(['n', 'n', '', 'x-', '😀'])}"
        return self.create_at(path, b"", rng.choice([2, 2, 3]), self.acl(), rng.choice([Op.CREATE, Op.CREATE2]))

    def create_special(self) -> Request:
        """Containers and nodes with a time to live."""
        rng = self.rng
        path, data, acl = self.own_path(), rng.choice(pools.DATA), self.acl()
        if rng.random() < 0.4:
            flags = rng.choice([4, 4, 4, 0, 1])
            return self.create_at(path, data, flags, acl, Op.CREATE_CONTAINER)
        flags = rng.choice([5, 5, 5, 6, 6, 0, 1, 4])
        # That a node without a time to live is asked for by createTTL is refused by Grevy always, and by the Java
        # server unless the time to live is negative.
        bad = [ttl for ttl in pools.BAD_TTLS if ttl >= 0 or flags in (5, 6)]
        ttl = rng.choice(pools.TTLS * 3 + bad)
        record = records.create_ttl(path, data, acl, flags, ttl)
        text = f"CREATE_TTL {show(path)} flags {flags} ttl {ttl} {_short(acl)}"
        return Request(Op.CREATE_TTL, record, text, unsettled=flags not in (5, 6))

    def delete(self) -> Request:
        return self._with_version(Op.DELETE, self.own_path())

    def set_data(self) -> Request:
        path, data, version = self.own_path(), self.rng.choice(pools.DATA), self.rng.choice(pools.VERSIONS)
        text = f"SET_DATA {show(path)} {len(data or b'')} bytes version {version}"
        return Request(Op.SET_DATA, records.set_data(path, data, version), text)

    def set_acl(self) -> Request:
        path, acl, version = self.own_path(), self.acl(), self.rng.choice(pools.VERSIONS)
        # The Java server checks later requests against the old ACL until the new one has been applied.
        text = f"SET_ACL {show(path)} {_short(acl)} {version}"
        return Request(Op.SET_ACL, records.set_acl(path, acl, version), text, unsettled=True)

    def delete_container(self) -> Request:
        path = self.own_path()
        return Request(Op.DELETE_CONTAINER, records.path_only(path), f"DELETE_CONTAINER {show(path)}")

    def multi(self) -> Request:
        draw = [self.create, self.create_sequential, self.create_special, self.delete, self.set_data, self.check]
        parts = []
        for _ in range(self.rng.choice([0, 1, 2, 2, 3, 3, 6])):
            parts.append(self.rng.choice(draw)())
            if parts[-1].unsettled:
                break
        if self.rng.random() < 0.05:
            parts.append(self.rng.choice([self.read, self.set_acl, self.sync, self.delete_container])())
        return self._multi(Op.MULTI, parts)

    def check(self) -> Request:
        return self._with_version(Op.CHECK, self.path())

    def quota(self) -> Request:
        return self.rng.choice(list(self.quota_nodes()))

    def quota_nodes(self):
        """The nodes that make a quota, parents first, and a change of its limits."""
        limited = self.rng.choice([self.root, f"{self.root}/a"])
        parents = [f"/zookeeper/quota{self.root}"] + [f"/zookeeper/quota{limited}"] * (limited != self.root)
        for path in parents:
            yield self.create_at(path, b"", 0)
        limits, path = self.rng.choice(pools.LIMITS), f"/zookeeper/quota{limited}/zookeeper_limits"
        yield Request(Op.CREATE, records.create(path, limits), f"CREATE {show(path)} {limits}")
        yield self.create_at(f"/zookeeper/quota{limited}/zookeeper_stats", b"count=0,bytes=0", 0)
        limits = self.rng.choice(pools.LIMITS)
        yield Request(Op.SET_DATA, records.set_data(path, limits), f"SET_DATA {show(path)} {limits}")

    def reconfig(self) -> Request:
        record = records.reconfig(self.rng.choice([None, "server.2=h:1:2;3"]), self.rng.choice([None, "1"]), None)
        return Request(Op.RECONFIG, record, "RECONFIG")

    # Reads

    def read(self) -> Request:
        return self._with_watch(self.rng.choice([Op.EXISTS, Op.GET_DATA]), self.path())

    def read_children(self) -> Request:
        return self._with_watch(self.rng.choice([Op.GET_CHILDREN, Op.GET_CHILDREN2]), self.path())

    def get_acl(self) -> Request:
        return self._path_only(Op.GET_ACL, self.path())

    def sync(self) -> Request:
        return self._path_only(Op.SYNC, self.own_path())

    def count_children(self) -> Request:
        path = self.rng.choice(self.nodes)
        return Request(Op.GET_ALL_CHILDREN_NUMBER, records.path_only(path), f"GET_ALL_CHILDREN_NUMBER {show(path)}")

    def ephemerals(self) -> Request:
        path = self.rng.choice(["/", "", " ", None, self.root, f"{self.root}/a", f"{self.root}/a/"])
        return Request(Op.GET_EPHEMERALS, records.path_only(path), f"GET_EPHEMERALS {show(path)}")

    def who_am_i(self) -> Request:
        return Request(Op.WHO_AM_I, b"", "WHO_AM_I")

    def multi_read(self) -> Request:
        draw = [self.read, self.read_children]
        parts = [self.rng.choice(draw)() for _ in range(self.rng.choice([0, 1, 2, 4]))]
        # Only these two are read operations of a multi.
        ops = {Op.EXISTS: Op.GET_DATA, Op.GET_CHILDREN2: Op.GET_CHILDREN}
        parts = [Request(ops.get(part.op, part.op), part.record, part.text) for part in parts]
        if self.rng.random() < 0.1:
            parts.append(self.rng.choice([self.delete, self.check, self.get_acl])())
        return self._multi(Op.MULTI_READ, parts)

    def ping(self) -> Request:
        return Request(Op.PING, b"", "PING", self.rng.choice([-2, 5]))

    def odd_xid(self) -> Request:
        """An ordinary read under a request id that has a meaning elsewhere."""
        read = self.read()
        xid = self.rng.choice([0, -4, -8, -77, 2**31 - 1])
        return Request(read.op, read.record, f"{read.text} with an odd xid", xid)

    # Watches

    def add_watch(self) -> Request:
        path, mode = self.path(), self.rng.choice([0, 0, 1, 1, 1, 2, -1])
        return Request(Op.ADD_WATCH, records.path_and_version(path, mode), f"ADD_WATCH {show(path)} mode {mode}")

    def remove_watches(self) -> Request:
        return self._watcher_type(Op.REMOVE_WATCHES)

    def check_watches(self) -> Request:
        return self._watcher_type(Op.CHECK_WATCHES)

    def set_watches(self) -> Request:
        rng = self.rng
        op = rng.choice([Op.SET_WATCHES, Op.SET_WATCHES2])
        count = 3 if op == Op.SET_WATCHES else 5
        lists = [rng.sample(self.nodes, rng.choice([0, 0, 1, 2])) for _ in range(count)]
        back = rng.choice([0, 1, 2, 5, 20])

        def record(seen):
            return records.set_watches(seen.zxids[max(0, len(seen.zxids) - 1 - back)], *lists)

        return Request(op, record, f"{op.name} {lists} since {back} changes ago", rng.choice([-8, -8, 33]))

    # Shared

    def acl(self):
        good = pools.ACLS if self._guarded else pools.OPEN_TO_ALL
        return self.rng.choice(good if self.rng.random() < 0.93 else pools.BAD_ACLS)

    def _multi(self, op: Op, parts: list[Request]) -> Request:
        record = records.multi([(part.op, part.record) for part in parts])
        text = f"{op.name} [{' | '.join(part.text for part in parts)}]"
        return Request(op, record, text, unsettled=any(part.unsettled for part in parts))

    def _with_version(self, op: Op, path) -> Request:
        version = self.rng.choice(pools.VERSIONS)
        return Request(op, records.path_and_version(path, version), f"{op.name} {show(path)} version {version}")

    def _with_watch(self, op: Op, path) -> Request:
        watch = self.rng.random() < 0.4
        return Request(op, records.path_and_watch(path, watch), f"{op.name} {show(path)}{' and watches' * watch}")

    def _watcher_type(self, op: Op) -> Request:
        path, kind = self.rng.choice(self.nodes), self.rng.choice([1, 2, 3, 3, 4, 5, 0, 6, -1])
        return Request(op, records.path_and_version(path, kind), f"{op.name} {show(path)} type {kind}")

    def _path_only(self, op: Op, path) -> Request:
        return Request(op, records.path_only(path), f"{op.name} {show(path)}")


def show(path) -> str:
    """A path for a person; the end of a very long one adds nothing."""
    text = repr(path)
    return text if len(text) < 80 else f"{text[:60]}…({len(text)})"


def _short(acl) -> str:
    if acl == pools.OPEN:
        return "open"
    return repr(acl if acl is None else [tuple(entry) for entry in acl])
