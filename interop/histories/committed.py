"""One committed history made of what several servers have on their disks (P22, P23, P29).

A server's log holds what was committed, and may hold what never was: the end of an epoch that nobody else got, left
in the log when a snapshot of the leader's made good for it. So for each epoch somebody must tell how far it went:
whoever has its last transaction and the next epoch's first side by side in the log, with no snapshot between.
"""

from itertools import chain
from typing import NamedTuple

from .disk import Disk
from .history import Finding
from .model import Tree
from .transactions import CloseSession, Txn, text


class Committed(NamedTuple):
    txns: list[Txn]
    wrong: list[Finding]
    """What the disks have against each other, or against the rules."""
    dropped: list[Txn]
    """Found in some log, and never committed."""


def committed(disks: dict[int, Disk], last: int) -> Committed:
    """The history up to `last`, the zxid that all servers had applied in the end."""
    wrong = []
    found = _gather(disks, wrong)
    ends = _ends_of_epochs(disks, wrong)
    txns, dropped = [], []
    for zxid in sorted(found):
        end = ends.get(zxid >> 32, last)
        (txns if zxid <= min(end, last) else dropped).append(found[zxid])
    before = 0
    for txn in txns:
        expected = before + 1 if txn.zxid >> 32 == before >> 32 else (txn.zxid >> 32 << 32) + 1
        if txn.zxid != expected:
            wrong.append(Finding("P22", f"after {text(before)} comes {text(txn.zxid)}; in between some are missing everywhere"))
        before = txn.zxid
    for epoch, end in ends.items():
        if end not in found and end & 0xFFFFFFFF:
            wrong.append(Finding("P22", f"epoch {epoch:x} ends with {text(end)}, which is in no log"))
    return Committed(txns, wrong, dropped)


def check_disks(disks: dict[int, Disk], history: list[Txn]) -> list[Finding]:
    """Whether every server, started from its disk, would have the state that the history makes (P25, P26, P29).

    What came after the history's end, such as the end of a session, is left out.
    """
    wrong = []
    reference = Tree()
    for txn in history:
        reference.apply(txn)
        if txn.digest is not None and txn.digest != reference.digest:
            wrong.append(Finding("P29", f"the digest logged with {text(txn.zxid)} is not that of the tree"))
            break
    for sid, disk in disks.items():

        def found(property_, what, sid=sid, kind=disk.kind):
            wrong.append(Finding(property_, f"server {sid}: {what}", kind))

        if (disk.current_epoch or 0) > (disk.accepted_epoch or 0):
            found("P25", f"is in epoch {disk.current_epoch}, promised {disk.accepted_epoch}")
        tree = _recovered(disk, reference.zxid)
        if tree.zxid != reference.zxid:
            found("P26", f"has {text(tree.zxid)} as its last, not {text(reference.zxid)}")
            continue
        for line in tree_differences(reference, tree):
            found("P29", line)
        if tree.sessions != reference.sessions:
            found("P29", f"differs in the sessions {tree.sessions.items() ^ reference.sessions.items()}")
    return wrong


def tree_differences(expected: Tree, actual: Tree) -> list[str]:
    """What lies below /zookeeper is each server's own business."""
    lines = []
    for path in sorted(expected.nodes.keys() | actual.nodes.keys()):
        if path.startswith("/zookeeper/"):
            continue
        one, other = expected.nodes.get(path), actual.nodes.get(path)
        if one is None or other is None:
            lines.append(f"{path} is {'missing' if other is None else 'there and should not be'}")
        elif one.fields() != other.fields():
            names = [name for name in one.__slots__ if getattr(one, name) != getattr(other, name)]
            lines.append(f"{path} differs in {', '.join(names)}")
    return lines


def _gather(disks, wrong) -> dict[int, Txn]:
    found = {}
    for sid, disk in disks.items():
        before = 0
        for txn in disk.txns:
            if txn.zxid <= before:
                what = f"in the log of server {sid} {text(txn.zxid)} follows {text(before)}"
                wrong.append(Finding("P22", what, disk.kind))
            elif txn.zxid != before + 1 and not _starts_epoch(txn.zxid, before) and not _bridged(disk, txn.zxid - 1):
                what = f"in the log of server {sid} {text(before)} is followed by {text(txn.zxid)}"
                wrong.append(Finding("P22", what, disk.kind))
            before = txn.zxid
        for txn in [*chain(*disk.former), *disk.txns]:
            known = found.setdefault(txn.zxid, txn)
            if txn.body == CloseSession(None):
                # Java servers before 3.6 do not write what is deleted.
                continue
            if known.body == CloseSession(None):
                found[txn.zxid] = txn
            elif known._replace(digest=None) != txn._replace(digest=None):
                wrong.append(Finding("P23", f"{text(txn.zxid)} is {txn} on server {sid}, elsewhere {known}"))
    return found


def _ends_of_epochs(disks, wrong) -> dict[int, int]:
    """For each epoch but the last its last committed zxid, as somebody's log shows it."""
    ends = {}
    for sid, disk in disks.items():
        for before, after in disk.neighbours():
            if after.zxid >> 32 <= before.zxid >> 32 or _jumped(disk, before.zxid, after.zxid):
                continue
            known = ends.setdefault(before.zxid >> 32, before.zxid)
            if known != before.zxid:
                what = f"an epoch ends with {text(before.zxid)} on server {sid}, elsewhere with {text(known)}"
                wrong.append(Finding("P23", what))
    return ends


def _starts_epoch(zxid: int, before: int) -> bool:
    return zxid & 0xFFFFFFFF == 1 and zxid >> 32 > before >> 32


def _bridged(disk, zxid: int) -> bool:
    """Whether a snapshot makes good for whatever the log lacks up to `zxid`."""
    return any(snapshot.zxid >= zxid for snapshot in disk.snapshots)


def _jumped(disk, before: int, after: int) -> bool:
    """Whether a snapshot may have been put between two records that follow one another in a log."""
    return any(before < zxid < after for zxid in disk.jumps)


def _recovered(disk: Disk, last: int) -> Tree:
    """The state that a server makes of its disk: the newest snapshot, and what the log has after it, up to `last`."""
    tree = Tree()
    if usable := [snapshot for snapshot in disk.snapshots if snapshot.zxid <= last]:
        newest = usable[-1]
        tree = Tree.of(newest.zxid, newest.nodes, newest.sessions)
    after = tree.zxid
    for txn in disk.ordered():
        if after < txn.zxid <= last:
            tree.apply(txn)
    return tree
