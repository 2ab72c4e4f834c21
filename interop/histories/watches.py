"""Watches: every event was earned, none is missing, and each comes before what it tells of (P13 to P16)."""

import heapq
from bisect import bisect_right

from harness.records import Op, Xid

from .history import CHANGED, CHILDREN, CREATED, DELETED, EVENTS, Connection, Finding, Notified, Replied, Sent
from .model import NO_NODE, States, parent_of
from .transactions import text

DATA, CHILD = "data", "child"


class Triggers:
    """For each path and table of watches the transactions that fire a watch there, and the event they give."""

    def __init__(self):
        self._zxids = {}
        self._events = {}

    def note(self, zxid: int, triggers):
        for one in triggers:
            if one.kind == "changed":
                self._add(zxid, one.path, DATA, CHANGED)
                continue
            self._add(zxid, one.path, DATA, CREATED if one.kind == "created" else DELETED)
            if one.kind == "deleted":
                self._add(zxid, one.path, CHILD, DELETED)
            if one.path != "/":
                self._add(zxid, parent_of(one.path), CHILD, CHILDREN)

    def after(self, table: str, path: str, zxid: int):
        """The first (zxid, event type) after a zxid, if there is one."""
        zxids = self._zxids.get((table, path), [])
        index = bisect_right(zxids, zxid)
        return (zxids[index], self._events[table, path][index]) if index < len(zxids) else None

    def _add(self, zxid: int, path: str, table: str, event: int):
        zxids = self._zxids.setdefault((table, path), [])
        # A multi can do several things to one znode: the first that fires a watch spends it.
        if not zxids or zxids[-1] != zxid:
            zxids.append(zxid)
            self._events.setdefault((table, path), []).append(event)


def check_watches(connection: Connection, states: States, triggers: Triggers) -> tuple[list[Finding], int]:
    """What is wrong on one connection, and how many events came."""
    return _Watches(connection, states, triggers).run()


class _Watches:
    def __init__(self, connection: Connection, states: States, triggers: Triggers):
        self.connection, self.states, self.triggers = connection, states, triggers
        self.findings = []
        self.armed = {}
        """For (table, path) the (zxid, event type) that fires it, or None if nothing ever does."""
        self.due = []
        """(zxid, table, path) of the armed watches that something fires."""
        self.last_event = 0
        self.setting = None
        """While setWatches has no reply: the request, and the events that came meanwhile."""

    def run(self):
        sent = {entry.xid: entry for entry in self.connection.entries if isinstance(entry, Sent)}
        events = 0
        for entry in self.connection.entries:
            if isinstance(entry, Sent):
                if entry.op == Op.SET_WATCHES:
                    self.setting = (entry, set())
            elif isinstance(entry, Notified):
                events += 1
                self._event(entry)
            elif isinstance(entry, Replied):
                if entry.xid == Xid.SET_WATCHES:
                    self._set_again(entry)
                elif entry.xid > 0:
                    if entry.zxid < self.last_event:
                        self._found("P15", f"{entry} comes after an event of {text(self.last_event)}")
                    self._told_in_time(entry)
                    self._register(sent.get(entry.xid), entry)
        return self.findings, events

    def _found(self, property_: str, sentence: str):
        self.findings.append(Finding(property_, sentence, self.connection.kind))

    def _register(self, sent: Sent | None, reply: Replied):
        if sent is None or sent.op not in (Op.GET_DATA, Op.EXISTS, Op.GET_CHILDREN2) or not sent.args[1]:
            return
        if reply.err == 0 or (sent.op == Op.EXISTS and reply.err == NO_NODE):
            self._arm(CHILD if sent.op == Op.GET_CHILDREN2 else DATA, sent.args[0], reply.zxid)

    def _arm(self, table: str, path: str, zxid: int):
        if (table, path) in self.armed:
            return
        fires = self.armed[table, path] = self.triggers.after(table, path, zxid)
        if fires:
            heapq.heappush(self.due, (fires[0], table, path))

    def _told_in_time(self, reply: Replied):
        """All that fired up to the state of a reply has been told before it."""
        while self.due and self.due[0][0] <= reply.zxid:
            zxid, table, path = heapq.heappop(self.due)
            if (fires := self.armed.get((table, path))) and fires[0] == zxid:
                del self.armed[table, path]
                what = f"{EVENTS[fires[1]]} {path} of {text(zxid)} had not come when {reply} came"
                self._found("P13", what)

    def _event(self, event: Notified):
        if event.zxid > 0:
            if event.zxid < self.last_event:
                self._found("P15", f"{event} comes after an event of {text(self.last_event)}")
            self.last_event = max(self.last_event, event.zxid)
        if self.setting is not None and self._fired_when_set(event):
            return
        tables = [table for table in (DATA, CHILD) if (self.armed.get((table, event.path)) or (0, 0))[1] == event.type]
        if not tables:
            name = EVENTS.get(event.type, event.type)
            self._found("P14", f"{event}, {name}, is of no watch that waited for it")
            return
        zxid = self.armed[tables[0], event.path][0]
        if event.zxid > 0 and event.zxid != zxid:
            self._found("P14", f"{event} should be of {text(zxid)}, which fires the watch")
        for table in tables:
            # One deletion is told once to a session that watches both the znode and its children.
            if self.armed[table, event.path][0] == zxid:
                del self.armed[table, event.path]

    # setWatches

    def _fired_when_set(self, event: Notified) -> bool:
        entry, fired = self.setting
        _, data, exist, child = entry.args
        fitting = {DELETED: data + child, CHANGED: data, CREATED: exist, CHILDREN: child}.get(event.type, [])
        if event.path not in fitting or (event.path, event.type) in fired:
            return False
        fired.add((event.path, event.type))
        return True

    def _set_again(self, reply: Replied):
        """Judges which watches had to fire at once, by the state that the reply tells, and arms the rest."""
        if self.setting is None:
            return
        entry, fired = self.setting
        self.setting = None
        relative, data, exist, child = entry.args
        expected = set()
        for table, paths, judge in (
            (DATA, data, lambda view: DELETED if view is None else CHANGED if view.stat.mzxid > relative else None),
            (DATA, exist, lambda view: None if view is None else CREATED),
            (CHILD, child, lambda view: DELETED if view is None else CHILDREN if view.stat.pzxid > relative else None),
        ):
            for path in paths:
                event = judge(self.states.view(path, reply.zxid))
                if event is None:
                    self._arm(table, path, reply.zxid)
                else:
                    expected.add((path, event))
        for what, property_, events in (("did not give", "P16", expected - fired), ("gave", "P14", fired - expected)):
            for path, event in sorted(events):
                sentence = f"setting the watches again after {text(relative)} {what} {EVENTS[event]} {path}"
                self._found(property_, sentence)
