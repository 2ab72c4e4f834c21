"""Compares what clients saw with the committed history. The properties are named as P1 to P29; see README.md.

Zxids give the order, so one pass over each session is enough: every reply says at which states it can have been
true, and the session never goes back. `linear.py` does not trust zxids and searches.
"""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

from harness.records import Op, Xid

from . import linear
from . import transactions as t
from .history import WRITES, Connection, Finding, History, Replied, Sent
from .model import CONNECTION_LOSS, SESSION_EXPIRED, SESSION_MOVED, States, Tree, outcome, parent_of
from .transactions import Txn, text
from .watches import Triggers, check_watches

_SPECIAL = {Xid.SET_WATCHES, Xid.PING, Xid.AUTH, Xid.NOTIFICATION}


@dataclass
class Verdict:
    findings: list[Finding] = field(default_factory=list)
    counts: Counter = field(default_factory=Counter)

    def wrong(self, excuse_java=()) -> list[Finding]:
        """What is not in order, without what a Java server may do: these properties, where one of its kind showed it."""
        return [one for one in self.findings if not (one.kind == "java" and one.property in excuse_java)]

    def report(self, excuse_java=()) -> str:
        lines = [f"{one.property}: {one.text} ({one.kind})" for one in self.wrong(excuse_java)]
        return "\n".join([*lines[:40], *([f"and {len(lines) - 40} more"] if len(lines) > 40 else [])])


def check(history: History, txns: list[Txn]) -> Verdict:
    return _Check(history, txns).run()


class _Check:
    def __init__(self, history: History, txns: list[Txn]):
        self.history, self.txns = history, txns
        self.verdict = Verdict()
        self.states, self.triggers = States(), Triggers()
        self.sessions = history.sessions()
        self.requests = {}
        self.replies = {}
        self.by_request = {}
        self.acknowledged = []
        """(time of the request, time of the reply, zxid) of every write that was answered."""
        self.closed_at = {}

    def run(self) -> Verdict:
        self._index()
        self._replay()
        for session, connections in self.sessions.items():
            self._client_order(session, connections)
        self._real_time()
        for session, connections in self.sessions.items():
            self._reads(session, connections)
            for connection in connections:
                self._reply_order(connection)
                found, events = check_watches(connection, self.states, self.triggers)
                self.verdict.findings += found
                self.verdict.counts["events"] += events
        for what in linear.check(self.history):
            self.verdict.findings.append(Finding("P8", what, self._worst_kind()))
        self._count()
        return self.verdict

    def found(self, property_: str, sentence: str, connection: Connection | None = None):
        self.verdict.findings.append(Finding(property_, sentence, connection.kind if connection else "any"))

    def _worst_kind(self) -> str:
        """What one Java server may do, all together may show."""
        return "java" if any(one.kind == "java" for one in self.history.connections) else "grevy"

    # What is there

    def _index(self):
        for session, connections in self.sessions.items():
            for connection in connections:
                for sent in connection.sent():
                    if sent.xid > 0:
                        self.requests[session, sent.xid] = (sent, connection)
                for reply in connection.entries:
                    if isinstance(reply, Replied) and reply.xid > 0:
                        self.replies[session, reply.xid] = reply

    def _replay(self):
        """Applies the history; each transaction must be what its request makes of the state before (P9, P12, P18…)."""
        tree = Tree()
        self.states.note(tree, 0, list(tree.nodes))
        for txn in self.txns:
            self._origin(txn, tree)
            if txn.type == t.CLOSE_SESSION:
                self._closing(txn, tree)
            triggers = tree.apply(txn)
            touched = {path for one in triggers for path in (one.path, parent_of(one.path))}
            self.states.note(tree, txn.zxid, touched)
            self.triggers.note(txn.zxid, triggers)

    def _origin(self, txn: Txn, tree: Tree):
        if txn.session in self.closed_at and txn.type != t.ERROR:
            what = f"{text(txn.zxid)} belongs to session {txn.session:x}, closed by {text(self.closed_at[txn.session])}"
            self.found("P18", what)
        if txn.session not in self.sessions or txn.cxid == 0:
            return
        key = (txn.session, txn.cxid)
        if key not in self.requests:
            self.found("P12", f"nobody has asked for {txn}")
            return
        sent, connection = self.requests[key]
        if key in self.by_request:
            self.found("P12", f"{sent} was done twice, by {text(self.by_request[key].zxid)} and {text(txn.zxid)}")
        self.by_request[key] = txn
        if _refused(txn):
            return
        if txn.type != t.ERROR and txn.session not in tree.sessions:
            self.found("P19", f"{txn} is of a session that is not open")
        if sent.op not in WRITES:
            self.found("P12", f"{sent} has become {txn}")
            return
        kind, body = outcome(tree, txn.session, sent.op, sent.args)
        same = txn.type == kind and (txn.body == body or kind == t.CLOSE_SESSION)
        if not same and not _differs_in_effect(kind, body, txn):
            self.found("P9", f"{sent} has become {txn}, and not {(kind, body)}", connection)

    def _closing(self, txn: Txn, tree: Tree):
        self.closed_at.setdefault(txn.session, txn.zxid)
        held = tree.ephemerals.get(txn.session, set())
        if txn.body.paths is not None and set(txn.body.paths) != held:
            self.found("P19", f"{text(txn.zxid)} deletes {set(txn.body.paths)} with the session that owns {held}")

    # Writes

    def _client_order(self, session: int, connections: list[Connection]):
        highest = 0
        for connection in connections:
            lost = None
            for sent in connection.sent():
                if sent.op not in WRITES:
                    continue
                reply, txn = self.replies.get((session, sent.xid)), self.by_request.get((session, sent.xid))
                if reply is not None:
                    self._answered(sent, reply, txn, connection)
                if txn is None:
                    if reply is None:
                        lost = lost or sent
                    continue
                if _refused(txn):
                    continue
                if lost:
                    self.found("P1", f"{sent} was done, and {lost}, sent before it, was not", connection)
                if txn.zxid < highest:
                    what = f"{sent} took effect as {text(txn.zxid)}, before what was sent before it ({text(highest)})"
                    self.found("P1", what, connection)
                highest = max(highest, txn.zxid)

    def _answered(self, sent: Sent, reply: Replied, txn: Txn | None, connection: Connection):
        if txn is None:
            if reply.err == 0:
                self.found("P10", f"{sent} was answered with {reply}, and is not in the history", connection)
            return
        self.verdict.counts["writes"] += 1
        self.acknowledged.append((sent.time, reply.time, txn.zxid))
        if reply.zxid < txn.zxid:
            self.found("P3", f"the reply to {sent} says {text(reply.zxid)}, and it was {text(txn.zxid)}", connection)
        code = txn.body.code if txn.type == t.ERROR else 0
        if reply.err != code:
            self.found("P10", f"{sent} was answered with {reply.err}, and the history says {code}", connection)
        elif code == 0 and (wrong := self._wrong_result(sent, reply, txn)):
            self.found(wrong, f"{sent} was answered with {reply}, and it was {txn}", connection)

    def _wrong_result(self, sent: Sent, reply: Replied, txn: Txn) -> str | None:
        """The property that a reply to a successful write offends, if any."""
        if sent.op in (Op.CREATE, Op.CREATE2) and reply.values[0] != txn.body.path:
            return "P21"
        if sent.op in (Op.CREATE2, Op.SET_DATA):
            view = self.states.view(txn.body.path, txn.zxid)
            return None if view and view.stat == reply.values[-1] else "P9"
        if sent.op == Op.MULTI:
            results = [(one.type, one.body) for one in reply.values[0]]
            parts = txn.body.parts
            if parts[0][0] == t.ERROR:
                return None if results == [(-1, body.code) for _, body in parts] else "P6"
            for (kind, body), (_, result) in zip(parts, results, strict=True):
                if kind == t.SET_DATA and (result.version, result.mzxid) != (body.version, txn.zxid):
                    return "P6"
        return None

    def _real_time(self):
        """A write that was sent when another one had been answered comes after it (P7)."""
        by_reply = sorted(self.acknowledged, key=lambda write: write[1])
        self.reply_times = [reply for _, reply, _ in by_reply]
        self.highest_by_then = []
        highest = 0
        for _, _, zxid in by_reply:
            highest = max(highest, zxid)
            self.highest_by_then.append(highest)
        for sent, _, zxid in self.acknowledged:
            if zxid < self._acknowledged_before(sent):
                what = f"{text(zxid)} was sent when {text(self._acknowledged_before(sent))} had been answered"
                self.found("P7", what)

    def _acknowledged_before(self, time: float) -> int:
        """The greatest zxid of the writes that anybody had the reply to by then."""
        index = bisect_left(self.reply_times, time)
        return self.highest_by_then[index - 1] if index else 0

    # Replies and reads

    def _reply_order(self, connection: Connection):
        waiting = connection.sent()
        for reply in connection.entries:
            if not isinstance(reply, Replied):
                continue
            if not waiting or waiting[0].xid != reply.xid:
                self.found("P2", f"{reply} is the reply to nothing, or comes out of turn", connection)
                return
            waiting.pop(0)

    def _reads(self, session: int, connections: list[Connection]):
        last_header, least = 0, 0
        synced = 0
        for connection in connections:
            synced = 0
            for entry in connection.entries:
                if not isinstance(entry, Replied) or entry.xid <= 0:
                    continue
                sent, _ = self.requests.get((session, entry.xid), (None, None))
                if sent is None:
                    continue
                if entry.zxid < max(last_header, connection.seen):
                    what = f"{entry} follows a reply that says {text(max(last_header, connection.seen))}"
                    self.found("P3", what, connection)
                last_header = max(last_header, entry.zxid)
                if (end := self.closed_at.get(session)) and entry.zxid >= end and sent.op != Op.CLOSE_SESSION:
                    if entry.err == 0:
                        self.found("P18", f"{sent} was served to a session that {text(end)} had ended", connection)
                if sent.op == Op.SYNC:
                    # Who has lost the leader may say so instead of closing the connection.
                    if entry.err == 0:
                        synced = max(synced, self._acknowledged_before(sent.time))
                    elif entry.err != CONNECTION_LOSS:
                        self.found("P8", f"{sent} was answered with {entry}", connection)
                elif sent.op in WRITES:
                    if txn := self.by_request.get((session, sent.xid)):
                        least = max(least, txn.zxid)
                else:
                    least = self._read(sent, entry, connection, least, synced)

    def _read(self, sent: Sent, reply: Replied, connection: Connection, least: int, synced: int) -> int:
        """Checks one read; returns the zxid behind which this session may not go back any more."""
        self.verdict.counts["reads"] += 1
        reads = [(sent.op, sent.args, reply.err, reply.values)]
        if sent.op == Op.MULTI_READ and reply.err == 0:
            results = reply.values[0]
            reads = [
                (op, args, one.body if one.type == -1 else 0, () if one.type == -1 else one.body)
                for (op, args), one in zip(sent.args[0], results, strict=True)
            ]
        starts = [least]
        for op, args, err, values in reads:
            fits = _fits(op, err, values)
            interval = fits and self.states.interval(args[0], fits, max(least, reply.zxid))
            if not interval or (op == Op.GET_CHILDREN2 and err == 0 and not self._has_children(args[0], values, interval)):
                self.found("P4", f"{sent} was answered with {reply}, which is no state that ever was", connection)
                continue
            start, end = interval
            latest = end - 1 if end else reply.zxid
            # A Java server may tell an older zxid than that of the state it reads.
            too_new = start > reply.zxid and connection.kind != "java"
            if too_new or (end and end <= reply.zxid):
                span = f"from {text(start)} to {text(end) if end else 'the end'}"
                self.found("P4", f"{sent} was answered with {reply}, which was so {span}", connection)
            if end and end <= least:
                self.found("P5", f"{sent} was answered with {reply}: back to before {text(least)}", connection)
            if end and end <= synced:
                what = f"{sent} was answered with {reply}: a sync was sent when {text(synced)} had been answered"
                self.found("P8", what, connection)
            starts.append(start)
        return max(starts)

    def _has_children(self, path: str, values: tuple, interval: tuple) -> bool:
        return set(values[0]) == self.states.children(path, interval[0])

    def _count(self):
        counts = self.verdict.counts
        counts["sessions"] = len(self.sessions)
        counts["resumed"] = sum(1 for one in self.history.connections if one.asked and one.session)
        counts["expired"] = sum(1 for one in self.history.connections if one.granted and not one.session)
        counts["transactions"] = len(self.txns)
        counts["epochs"] = len({txn.zxid >> 32 for txn in self.txns})


def _fits(op: int, err: int, values: tuple):
    """Whether a view of a znode is what was read; None if no state can be."""
    if err == -101:
        return lambda view: view is None
    if err != 0:
        return None
    if op == Op.GET_DATA:
        return lambda view: view is not None and (view.data, view.stat) == tuple(values)
    stat = values[-1]
    return lambda view: view is not None and view.stat == stat


def _refused(txn: Txn) -> bool:
    """Whether it is the trace of a request that came when its session was over, or at another server."""
    bodies = [body for _, body in txn.body.parts] if txn.type == t.MULTI else [txn.body]
    return any(isinstance(body, t.Error) and body.code in (SESSION_EXPIRED, SESSION_MOVED) for body in bodies)


def _differs_in_effect(kind: int, body, txn: Txn) -> bool:
    """Whether the two are the same in all that counts: Java has two types of create for one effect."""
    return {kind, txn.type} <= t.CREATES and body == txn.body

