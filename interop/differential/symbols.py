"""What two right servers may answer differently, replaced by symbols. Each mask says why it is there."""

import re
import time

from harness.records import Acl, Op, PartResult, Stat
from harness.wire import Session, password_of

_DAY = 86_400_000


class Symbols:
    """The masks of one sequence on one server. Session ids become S1, S2… in the order they were granted."""

    def __init__(self, base_zxid: int):
        self.base_zxid = base_zxid
        self.sessions = {}

    def session(self, session: Session) -> tuple:
        """A session's id and password differ; that the password belongs to the id does not."""
        if session.id == 0:
            return ("refused", *session)
        name = self.sessions.setdefault(session.id, f"S{len(self.sessions) + 1}")
        password = "its password" if session.password == password_of(session.id) else session.password
        return (name, session.timeout, password, session.read_only, session.version)

    def zxid(self, zxid: int) -> str:
        """Relative to the start of the sequence, to compare servers that have run other sequences before."""
        return f"z{zxid - self.base_zxid:+d}" if zxid > 0 else f"zxid {zxid}"

    def owner(self, owner: int):
        return self.sessions.get(owner, owner)

    def time(self, millis: int):
        """The servers' clocks read different times; only that it is a time of today is the same."""
        return "now" if abs(millis - time.time() * 1000) < _DAY else millis

    def stat(self, stat: Stat) -> tuple:
        return stat._replace(
            czxid=self.zxid(stat.czxid),
            mzxid=self.zxid(stat.mzxid),
            pzxid=self.zxid(stat.pzxid),
            ctime=self.time(stat.ctime),
            mtime=self.time(stat.mtime),
            ephemeral_owner=self.owner(stat.ephemeral_owner),
        )

    def reply(self, op: int, values: tuple) -> tuple:
        """The fields of the reply to an operation."""
        match op:
            case Op.GET_CHILDREN | Op.GET_CHILDREN2 | Op.GET_EPHEMERALS | Op.WHO_AM_I:
                # Sets, iterated in the order of their hashes.
                values = (_sorted(values[0]), *values[1:])
            case Op.GET_ACL:
                values = (_expanded_sorted(values[0]), *values[1:])
            case Op.MULTI | Op.MULTI_READ:
                values = ([self._part(part) for part in values[0]],)
        return tuple(self.stat(value) if isinstance(value, Stat) else value for value in values)

    def word(self, word: str, answer: str) -> str:
        """Versions, counters of traffic and latencies are each server's own."""
        if word in ("srvr", "stat"):
            # Java counts what is outstanding in two threads, and may be off by some for a moment.
            own = "Zookeeper version|Latency [^:]*|Received|Sent|Connections|Outstanding"
            answer = re.sub(rf"(?m)^({own}): .*$", r"\1: …", answer)
            answer = re.sub(r"(?m)^ /.*$\n", "", answer)
            answer = re.sub(r"Zxid: 0x(\w+)", lambda match: f"Zxid: {self.zxid(int(match[1], 16))}", answer)
            # Other sequences may have left nodes behind on one of the servers only.
            answer = re.sub(r"Node count: \d+", "Node count: …", answer)
        return answer

    def _part(self, part: PartResult):
        body = part.body
        if part.type == Op.GET_CHILDREN:
            body = _sorted(body)
        elif isinstance(body, Stat):
            body = self.stat(body)
        elif isinstance(body, tuple):
            body = tuple(self.stat(value) if isinstance(value, Stat) else value for value in body)
        return part._replace(body=body)


def _sorted(items):
    return items if items is None else sorted(items, key=repr)


def _expanded_sorted(acls: list[Acl]):
    """`auth` expands to the identities in the order of their hashes: neighbours of that kind are sorted."""
    if acls is None:
        return None
    result, run = [], []
    for acl in [*acls, None]:
        if run and (acl is None or acl.scheme not in ("digest", "super") or acl.perms != run[0].perms):
            result += sorted(run, key=repr)
            run = []
        if acl is not None:
            if acl.scheme in ("digest", "super"):
                run.append(acl)
            else:
                result.append(acl)
    return result
