"""From a seed to a sequence: a handful of clients that do all a client can do, rightly and wrongly.

The steps follow no model of the tree; they are drawn so that most requests meet the nodes of earlier ones.
"""

import random

from harness import records
from harness.records import Op

from . import malformed, pools
from .requests import Requests
from .steps import Burst, Drop, Open, Raw, Request, Sequence, Word


def generate(seed: int, root: str | None = None, length: int = 40) -> Sequence:
    """The sequence of a seed; its root is named after the seed unless given."""
    return _Generator(seed, root or f"/s{seed:06}-000", length).sequence()


class _Generator:
    def __init__(self, seed: int, root: str, length: int):
        self.rng = random.Random(seed)
        self.seed = seed
        self.root = root
        self.length = length
        self.open = []
        # A quota is checked against what has been applied, not against what is under way. Where there is
        # one, the outcome of writes sent in one piece is a matter of time in the Java server.
        self.quota = self.rng.random() < 0.3
        self.requests = Requests(self.rng, root, self.quota)
        # What a sequence dwells on: each has its own few favourites.
        self.favourites = self.rng.sample(self.requests.kinds, 4)

    def sequence(self) -> Sequence:
        steps = [Open(0)]
        self.open.append(0)
        steps.append(Burst(0, tuple(self._first_nodes())))
        for number in range(1, self.rng.randint(1, 4)):
            steps.append(Open(number, timeout=self.rng.choice([400_000, 500_000, 2**31 - 1])))
            self.open.append(number)
        while len(steps) < self.length:
            steps += self._next()
        return Sequence(self.seed, self.root, tuple(steps))

    def _first_nodes(self):
        make = self.requests
        yield make.create_at(self.root, b"root", 0)
        for name in "abc":
            yield make.create_at(f"{self.root}/{name}", name.encode(), 0)
        if self.quota:
            yield from make.quota_nodes()

    def _next(self) -> list:
        roll = self.rng.random()
        if not self.open:
            return [self._new_connection()]
        if roll < 0.86:
            return [self._burst()]
        if roll < 0.89:
            return [self._authenticate()]
        if roll < 0.93:
            return [self._change_of_connections()]
        if roll < 0.97:
            return [self._malformed_request()]
        if roll < 0.985:
            return [Word(self.rng.choice(pools.WORDS))]
        return [self._broken_frames()]

    def _burst(self) -> Burst:
        count = 1 if self.quota else self.rng.choice([1, 1, 1, 2, 3, 5, 12])
        requests = []
        while len(requests) < count:
            requests.append(self._request())
            if requests[-1].unsettled:
                break
        return Burst(self.rng.choice(self.open), tuple(requests))

    def _request(self) -> Request:
        kinds = self.favourites if self.rng.random() < 0.4 else self.requests.kinds
        return self.rng.choice(kinds)()

    def _authenticate(self) -> Burst:
        # Alone: the answer to an auth packet does not wait for those of the requests before it.
        rng = self.rng
        scheme, token = rng.choice(pools.IDENTITIES if rng.random() < 0.8 else pools.BAD_IDENTITIES)
        record = records.auth(scheme, token, rng.choice([0, 0, 0, 100]))
        request = Request(Op.AUTH, record, f"auth {scheme!r} {token!r}", rng.choice([-4, -4, -4, 77]))
        return Burst(rng.choice(self.open), (request,))

    def _change_of_connections(self):
        rng = self.rng
        number = rng.choice(self.open)
        match rng.randrange(6):
            case 0:
                return self._new_connection()
            case 1:
                # It may come back later with its session.
                return Drop(number)
            case 2:
                close = Request(Op.CLOSE_SESSION, b"", "closeSession")
                return Burst(number, (close,) if self.quota else (self.requests.create(), close))
            case 3:
                return self._odd_connect()
            case 4:
                op = rng.choice(pools.UNKNOWN_OPS)
                return Burst(number, (Request(op, rng.randbytes(rng.choice([0, 4, 40])), f"operation {op}"),))
            case _:
                return self._resume(number)

    def _new_connection(self) -> Open:
        number = max(self.open, default=-1) + 1
        self.open.append(number)
        return Open(number, timeout=self.rng.choice([400_000, 600_000, 10_000_000]))

    def _resume(self, number: int) -> Open:
        rng = self.rng
        # Its own session on a new socket, or another connection's, which is cut off by that.
        other = rng.choice([number, rng.choice(self.open)])
        password = rng.choice(["right"] * 6 + ["wrong", "null"])
        return Open(number, resumes=other, password=password, zxid=rng.choice(["zero", "seen", "seen", "ahead"]))

    def _odd_connect(self):
        rng = self.rng
        number = max(self.open) + 1
        self.open.append(number)
        if rng.random() < 0.5:
            return Open(
                number,
                timeout=rng.choice([300_000, 2**31 - 1]),
                read_only=rng.choice([None, True, False]),
                version=rng.choice([0, 0, 1, -1, 2**31 - 1]),
                zxid=rng.choice(["zero", "seen", "ahead"]),
            )
        data, text, ends = malformed.connect(rng)
        return Raw(number, data, text, fresh=True, ends=ends)

    def _malformed_request(self) -> Burst:
        request = malformed.request(self.rng, self._request)
        return Burst(self.rng.choice(self.open), (request,))

    def _broken_frames(self) -> Raw:
        rng = self.rng
        # Reads only: whether a write still takes effect when its connection ends at once is a matter of time.
        before = tuple(self.requests.read() for _ in range(rng.choice([0, 0, 1, 4])))
        data, text, ends = malformed.frames(rng)
        return Raw(rng.choice(self.open), data, text, ends=ends, before=before)
