"""Whole trees, read through a bare socket, to compare what two servers hold."""

import re
from typing import NamedTuple

from . import records
from .records import Acl, Op, Stat, digest_id
from .wire import Wire

SUPER = b"super:secret"
SUPER_DIGEST = digest_id("super", "secret")
"""For zookeeper.DigestAuthenticationProvider.superDigest: who reads a whole tree must be allowed to."""

LONG = 300_000
"""A session timeout in ms that no test lives to see the end of."""


class Node(NamedTuple):
    data: bytes | None
    stat: Stat
    acl: list[Acl]


def walk(port: int) -> dict[str, Node]:
    """Every node below the root, with data, stat and access control list."""
    nodes = {}
    with Wire(port) as client:
        client.connect(timeout=LONG)
        reply, _ = client.call(Op.AUTH, records.auth("digest", SUPER), xid=records.Xid.AUTH)
        assert reply.err == 0, "the server under test was not given SUPER_DIGEST"
        todo = ["/"]
        while todo:
            # Many requests at once: one round trip for each level of the tree.
            for path in todo:
                client.send(Op.GET_CHILDREN2, records.path_and_watch(path))
                client.send(Op.GET_DATA, records.path_and_watch(path))
                client.send(Op.GET_ACL, records.path_only(path))
            below = []
            for path in todo:
                children, stat = _body(client, Op.GET_CHILDREN2)
                data, same_stat = _body(client, Op.GET_DATA)
                acl, _ = _body(client, Op.GET_ACL)
                assert stat == same_stat, path
                nodes[path] = Node(data, stat, acl)
                below += [f"{path.rstrip('/')}/{child}" for child in children]
            todo = below
        client.close_session()
    return nodes


def differences(before: dict[str, Node], after: dict[str, Node]) -> list[str]:
    """What the two trees differ in, one line a node."""
    lines = [f"{path} has gone: {before[path]}" for path in sorted(before.keys() - after.keys())]
    lines += [f"{path} is new: {after[path]}" for path in sorted(after.keys() - before.keys())]
    for path in sorted(before.keys() & after.keys()):
        was, now = _comparable(path, before[path]), _comparable(path, after[path])
        if was != now:
            lines.append(f"{path} was {was}\n{' ' * len(path)}  is {now}")
    return lines


def _body(client: Wire, op: Op) -> tuple:
    reply = client.receive()
    assert reply.err == 0, f"{op.name} failed with {reply.err}"
    return records.read_reply(op, reply.body)


def _comparable(path: str, node: Node) -> Node:
    if not path.endswith("/zookeeper_stats"):
        return node
    # Every version counts anew when it starts, and says the same in its own words.
    count, size = map(int, re.match(rb"count=(-?\d+),bytes=(-?\d+)", node.data).groups())
    return Node((count, size), node.stat._replace(data_length=0), node.acl)
