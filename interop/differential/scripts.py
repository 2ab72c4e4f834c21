"""Sequences written by hand, for what random ones do not come to: limits, amounts, and odd operations."""

from harness import records
from harness.records import OPEN, Acl, Op
from harness.wire import frame

from .steps import Burst, Drop, Open, Raw, Request, Sequence

FRAME_LIMIT = 1_048_575
"""What `jute.maxbuffer` is when nobody sets it."""


def create(path, data=b"", flags=0, op=Op.CREATE, acl=OPEN) -> Request:
    return Request(op, records.create(path, data, acl, flags), f"{op.name} {path[-40:]} {len(data)} flags {flags}")


def set_data(path, data, version=-1) -> Request:
    return Request(Op.SET_DATA, records.set_data(path, data, version), f"SET_DATA {path[-40:]} {len(data)} bytes")


def delete(path) -> Request:
    return Request(Op.DELETE, records.path_and_version(path), f"DELETE {path[-40:]}")


def read(op, path, watch=False) -> Request:
    return Request(op, records.path_and_watch(path, watch), f"{op.name} {path[-40:]}{' and watches' * watch}")


def multi(*parts) -> Request:
    record = records.multi([(part.op, part.record) for part in parts])
    return Request(Op.MULTI, record, f"MULTI of {len(parts)}: {parts[0].text}…")


def one_by_one(connection, requests):
    return [Burst(connection, (request,)) for request in requests]


def quota_nodes(path, limits):
    """What makes a quota of a path, ancestors included."""
    prefix = "/zookeeper/quota"
    for name in path.strip("/").split("/"):
        prefix += f"/{name}"
        yield create(prefix)
    yield create(f"{prefix}/zookeeper_limits", limits)
    yield create(f"{prefix}/zookeeper_stats", b"count=0,bytes=0")


def usage(path):
    return [read(Op.GET_DATA, f"/zookeeper/quota{path}/{name}") for name in ("zookeeper_stats", "zookeeper_limits")]


def quota_of_znodes(root):
    yield create(root)
    yield from quota_nodes(root, b"count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=3")
    yield from usage(root)
    for name in ("a", "b", "c"):
        yield create(f"{root}/{name}")
    yield from usage(root)
    yield create(f"{root}/e", flags=1)
    yield create(f"{root}/s-", flags=2)
    yield delete(f"{root}/a")
    yield create(f"{root}/c", op=Op.CREATE2)
    yield create(f"{root}/d")
    yield delete(f"{root}/b")
    # Where several operations of a multi count, Grevy adds them up, which the Java server does not.
    yield multi(create(f"{root}/m"), set_data(f"{root}/c", b"1"))
    yield multi(set_data(f"{root}/d", b"1"), create(f"{root}/n"))
    yield create(f"{root}/t", flags=4, op=Op.CREATE_CONTAINER)
    yield from usage(root)
    yield set_data(f"/zookeeper/quota{root}/zookeeper_limits", b"count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=9")
    yield create(f"{root}/u")
    yield delete(f"/zookeeper/quota{root}/zookeeper_limits")
    yield create(f"{root}/v")
    yield delete(f"{root}/v")
    yield delete(f"/zookeeper/quota{root}/zookeeper_stats")
    yield create(f"{root}/w")


def quota_of_bytes(root):
    yield create(root, b"12345")
    yield from quota_nodes(root, b"count=-1,bytes=-1=;byteHardLimit=20;countHardLimit=-1")
    yield from usage(root)
    yield create(f"{root}/a", b"x" * 15)
    yield create(f"{root}/b", b"x")
    yield create(f"{root}/b", b"")
    yield set_data(f"{root}/a", b"x" * 16)
    yield set_data(f"{root}/a", b"x" * 15)
    yield set_data(f"{root}/a", b"x" * 10)
    yield set_data(f"{root}/b", b"x" * 6)
    yield set_data(f"{root}/b", b"x" * 5)
    yield set_data(root, b"123456")
    yield from usage(root)
    yield multi(set_data(f"{root}/a", b"x" * 11))
    yield multi(set_data(f"{root}/a", b"x" * 9))
    yield delete(f"{root}/a")
    yield set_data(root, b"1" * 30)
    yield from usage(root)
    # With less than is used already.
    yield set_data(f"/zookeeper/quota{root}/zookeeper_limits", b"count=-1,bytes=-1=;byteHardLimit=3;countHardLimit=-1")
    yield set_data(f"{root}/b", b"x" * 2)
    yield set_data(f"{root}/b", b"")
    yield set_data(root, b"1" * 4)
    yield from usage(root)


def quotas_within_quotas(root):
    yield create(root)
    yield create(f"{root}/in")
    yield from quota_nodes(f"{root}/in", b"count=-1,bytes=-1=;byteHardLimit=10;countHardLimit=2")
    quota = f"/zookeeper/quota{root}"
    yield create(f"{quota}/zookeeper_limits", b"count=-1,bytes=-1=;byteHardLimit=15;countHardLimit=4")
    yield create(f"{quota}/zookeeper_stats", b"count=0,bytes=0")
    for name in ("in/a", "in/b", "c", "d", "e"):
        yield create(f"{root}/{name}", b"xxxx")
    yield from usage(root)
    yield from usage(f"{root}/in")
    yield set_data(f"{root}/in/a", b"x" * 10)
    yield set_data(f"{root}/c", b"x" * 10)
    yield delete(f"{root}/in/a")
    yield delete(f"{root}/in")
    yield from usage(root)
    yield from usage(f"{root}/in")


def sized(root, op, size) -> Request:
    """A create or setData that makes a frame of `size` bytes with its header."""
    make = {Op.CREATE: lambda data: create(f"{root}/big", data), Op.SET_DATA: lambda data: set_data(root, data)}[op]
    return make(b"x" * (size - 8 - len(make(b"").record)))


def frames_at_the_limit(root):
    steps = [Open(0), Burst(0, (create(root),))]
    for op in (Op.CREATE, Op.SET_DATA):
        steps += one_by_one(0, [sized(root, op, FRAME_LIMIT - 1), delete(f"{root}/big")])
        steps += one_by_one(0, [sized(root, op, FRAME_LIMIT), read(Op.EXISTS, root), read(Op.EXISTS, f"{root}/big")])
    for number, size in enumerate((FRAME_LIMIT + 1, 2 * FRAME_LIMIT)):
        number += 1
        request = sized(root, Op.SET_DATA, size)
        data = frame(b"\0\0\0\1\0\0\0\5" + request.record)
        steps += [Open(number), Raw(number, data, f"a frame of {size} bytes"), Burst(0, (read(Op.EXISTS, root),))]
    return steps


def answers_above_the_limit(root):
    """The limit is one of requests: what a client asked for is sent, however long."""
    names = [f"{root}/{number:04}{'n' * 400}" for number in range(3000)]
    steps = [Open(0), Burst(0, (create(root),))]
    for start in range(0, len(names), 500):
        steps.append(Burst(0, (multi(*[create(name, b"y" * 100) for name in names[start : start + 500]]),)))
    get = [(Op.GET_DATA, records.path_and_watch(name, False)) for name in names[:2000]]
    parts = Request(Op.MULTI_READ, records.multi(get), "MULTI_READ of 2000")
    return steps + one_by_one(0, [read(Op.GET_CHILDREN, root), read(Op.GET_CHILDREN2, root), parts])


def many_watches(root):
    names = [f"{root}/{number}" for number in range(1000)]
    steps = [Open(0), Burst(0, (create(root),)), Open(1), Open(2)]
    steps.append(Burst(0, (multi(*[create(name) for name in names[:500]]),)))
    for connection in (1, 2):
        steps.append(Burst(connection, tuple(read(Op.EXISTS, name, True) for name in names)))
        steps.append(Burst(connection, tuple(read(Op.GET_CHILDREN, name, True) for name in names[:500])))
    for connection, mode in ((1, 0), (2, 1)):
        record = records.path_and_version(root, mode)
        steps.append(Burst(connection, (Request(Op.ADD_WATCH, record, f"ADD_WATCH mode {mode}"),)))
    steps.append(Burst(0, (multi(*[create(name) for name in names[500:]]),)))
    steps.append(Burst(0, (multi(*[set_data(name, b"1") for name in names]),)))
    steps.append(Burst(0, (multi(*[delete(name) for name in names]),)))
    again = [names[:300], names[300:600], names[600:], [root], [f"{root}/5"]]
    for op, lists in ((Op.SET_WATCHES, again[:3]), (Op.SET_WATCHES2, again)):
        set_again = Request(op, records.set_watches(0, *lists), f"{op.name} of many", -8)
        steps.append(Burst(1, (set_again,)))
    return steps


def odd_operations(root):
    """Operations that servers send to one another, or keep for others, from a client."""
    steps = [Open(0), Burst(0, (create(root),))]
    for number, (op, record) in enumerate(
        [
            (Op.SASL, records.path_only(b"token")),
            (Op.SASL, b""),
            (Op.CHECK, records.path_and_version(root)),
            (-1, b"\0\0\0\0"),
        ]
    ):
        number += 1
        text = f"operation {op} {record.hex(' ')}"
        steps += [Open(number), Burst(number, (Request(op, record, text),)), Drop(number)]
        steps.append(Burst(0, (read(Op.EXISTS, root),)))
    return steps


def timeouts(root):
    for number, timeout in enumerate([0, -1, 1, -(2**31), 299_999, 300_000, 600_000, 600_001]):
        yield Open(number, timeout=timeout)
        yield Drop(number)
        yield Open(number, timeout=timeout, resumes=number)


def many_lists(root):
    """Long lists of identities, and the same one on many znodes."""
    long = [Acl(31, "ip", f"10.{number // 256}.{number % 256}.1") for number in range(2000)] + OPEN
    steps = [create(root), create(f"{root}/long", acl=long), create(f"{root}/short", acl=long[-3:])]
    for number in range(50):
        steps.append(create(f"{root}/long/{number}", acl=long[number:]))
    steps += [Request(Op.GET_ACL, records.path_only(f"{root}/long/{number}"), "GET_ACL") for number in (0, 49)]
    return steps


def _sequence(make):
    def sequence(number: int) -> Sequence:
        root = f"/script-{number:06}-{make.__name__}"
        steps = list(make(root))
        if isinstance(steps[0], Request):
            steps = [Open(0), *one_by_one(0, steps)]
        return Sequence(number, root, tuple(steps))

    return sequence


SCRIPTS = {
    make.__name__: _sequence(make)
    for make in [
        quota_of_znodes,
        quota_of_bytes,
        quotas_within_quotas,
        frames_at_the_limit,
        answers_above_the_limit,
        many_watches,
        odd_operations,
        timeouts,
        many_lists,
    ]
}
