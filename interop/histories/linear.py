"""A search for an order of the operations on each register that explains all results, whatever the zxids say.

Writes, and reads after a sync, must each have taken effect at some moment between request and reply. A write whose
reply was lost may have taken effect at any moment after its request, or never (Wing and Gong's search, with what was
tried before remembered, as Lowe describes).
"""

import math
from typing import NamedTuple

from harness.records import Op

from .history import History, Replied
from .model import BAD_VERSION

INITIAL = (b"", 0)
"""Data and version of a register at first."""

LIMIT = 2_000_000
"""More steps than this for one register mean that the search gives up, which is told."""


class Operation(NamedTuple):
    start: float
    end: float
    """Infinite for an unknown outcome."""
    write: bytes | None
    """What it writes; None for a read."""
    expected: int
    """The version that a write asks for, or -1."""
    result: tuple | int | None
    """(data, version) afterwards, BAD_VERSION, or None if it is not known."""

    def apply(self, state: tuple):
        """The state afterwards, or None if the operation cannot have had its result in this state."""
        if self.write is None:
            return state if state == self.result else None
        if self.expected not in (-1, state[1]):
            return state if self.result in (BAD_VERSION, None) else None
        after = (self.write, state[1] + 1)
        return after if self.result in (after, None) else None


def check(history: History) -> list[str]:
    """What cannot be explained, one sentence for a register."""
    wrong = []
    for path, operations in operations_of(history).items():
        if not explained(operations):
            last = max((one.end for one in operations if one.result is not None), default=0)
            wrong.append(f"no order explains the {len(operations)} operations on {path}, up to {last:.3f}")
    return wrong


def operations_of(history: History) -> dict[str, list[Operation]]:
    """Of all registers: what only setData changes, and reads after a sync."""
    found = {}
    for connection in history.connections:
        replies = {entry.xid: entry for entry in connection.entries if isinstance(entry, Replied)}
        before = None
        for sent in connection.sent():
            reply = replies.get(sent.xid)
            if sent.op == Op.SET_DATA:
                found.setdefault(sent.args[0], []).append(_write(sent, reply))
            elif sent.op == Op.GET_DATA and before and before.op == Op.SYNC and reply and reply.err == 0:
                if (synced := replies.get(before.xid)) and synced.err == 0:
                    data, stat = reply.values
                    read = Operation(before.time, reply.time, None, -1, (data, stat.version))
                    found.setdefault(sent.args[0], []).append(read)
            before = sent
    return found


def _write(sent, reply) -> Operation:
    _, data, expected = sent.args
    if reply is None or reply.err not in (0, BAD_VERSION):
        return Operation(sent.time, math.inf, data, expected, None)
    result = (data, reply.values[0].version) if reply.err == 0 else BAD_VERSION
    return Operation(sent.time, reply.time, data, expected, result)


def explained(operations: list[Operation], initial=INITIAL) -> bool:
    in_order = sorted(operations, key=lambda one: (one.start, one.end))
    known = [one for one in in_order if one.end < math.inf]
    unknown = [one for one in in_order if one.end == math.inf]
    # Each version is made by one write, and data are written once: this leaves little to choose.
    made = {one.result[1] for one in known if one.write is not None and one.result != BAD_VERSION}
    seen = dict(one.result for one in known if one.write is None)
    tried = set()
    # Where to go on: the known operations that are done (all before a position, and some after), the unknown ones that
    # were used, and the state.
    todo = [(0, frozenset(), frozenset(), initial)]
    for _ in range(LIMIT):
        if not todo:
            return False
        position, ahead, used, state = todo.pop()
        while position in ahead:
            ahead -= {position}
            position += 1
        if position == len(known):
            return True
        if (position, ahead, used, state) in tried:
            continue
        tried.add((position, ahead, used, state))
        window, first_end = [], math.inf
        for index in range(position, len(known)):
            if known[index].start > first_end:
                break
            if index not in ahead:
                window.append(index)
                first_end = min(first_end, known[index].end)
        # The last one pushed is tried first: a known one.
        unseen = False
        for index, one in enumerate(unknown):
            if one.start > first_end:
                break
            if index in used or (after := one.apply(state)) in (None, state) or after[1] in made:
                continue
            if one.write in seen:
                if seen[one.write] != after[1]:
                    continue
            elif unseen and one.expected == -1:
                # Of those that nobody saw, one is as good as another.
                continue
            else:
                unseen = unseen or one.expected == -1
            todo.append((position, ahead, used | {index}, after))
        for index in reversed(window):
            if known[index].start <= first_end and (after := known[index].apply(state)) is not None:
                todo.append((position, ahead | {index}, used, after))
    raise RuntimeError(f"gave up on {len(operations)} operations after {LIMIT} steps")
