"""Plays sequences to two servers and says where they part."""

import json
from dataclasses import dataclass, replace

from harness.paths import WORK
from harness.server import Server

from .player import Player, Stuck
from .steps import Raw, Sequence, describe

SKIPPED = WORK / "differential-skipped.jsonl"


@dataclass
class Difference:
    """Where the transcripts of a sequence part: the step, and the lines there of either server."""

    sequence: Sequence
    step: int
    reference: list
    tested: list

    def report(self) -> str:
        steps = [f"  {number:3} {describe(step)}" for number, step in enumerate(self.sequence.steps)]
        only_reference = [line for line in self.reference if line not in self.tested]
        only_tested = [line for line in self.tested if line not in self.reference]
        lines = [f"seed {self.sequence.seed}: the servers differ at step {self.step}", *steps[: self.step + 1]]
        if self.step >= len(steps):
            lines.append("  (while closing the sessions left open)")
        if not only_reference and not only_tested:
            only_reference, only_tested = self.reference, self.tested
        lines += ["only the reference says", *indent(only_reference)]
        lines += ["only the tested server says", *indent(only_tested)]
        return "\n".join(lines)


def indent(lines):
    return [f"    {line}" for line in lines]


class Pair:
    """The reference and the tested server, both new; sequences change them alike."""

    def __init__(self, make_reference, make_tested):
        self._make = (make_reference, make_tested)
        self._servers = None
        self.skipped = []

    def compare(self, sequence: Sequence) -> Difference | None:
        """The first difference, or None.

        A sequence that the reference does not survive says nothing about the tested server: it is set
        aside in a local file, and the next one finds new servers.
        """
        reference, tested = self._started()
        try:
            expected = play(reference, sequence)
            # The server may be about to end and yet have answered all.
            if not reference.serves():
                raise Stuck("the server has ended after the last step")
        except Stuck as error:
            self._skip(sequence, error)
            self.renew()
            return None
        player = Player(tested.port, tested.zxid())
        try:
            got = player.play(sequence)
        except Stuck as error:
            got = [*player.lines[:-1], [*player.lines[-1], f"no answer: {error}"]]
        difference = first_difference(sequence, expected, got)
        if difference or not tested.alive():
            self.renew()
        return difference

    def renew(self):
        """Ends both servers; the next sequence starts on new ones."""
        for server in self._servers or ():
            server.kill()
        self._servers = None

    def _started(self) -> tuple[Server, Server]:
        if self._servers is None:
            self._servers = tuple(make() for make in self._make)
            for server in self._servers:
                server.spawn()
            for server in self._servers:
                server.wait()
        return self._servers

    def _skip(self, sequence: Sequence, error: Stuck):
        self.skipped.append(sequence.seed)
        SKIPPED.parent.mkdir(exist_ok=True)
        with SKIPPED.open("a") as file:
            record = {"seed": sequence.seed, "why": str(error), "steps": list(map(describe, sequence.steps))}
            file.write(json.dumps(record) + "\n")


def play(server: Server, sequence: Sequence) -> list[list]:
    return Player(server.port, server.zxid()).play(sequence)


def first_difference(sequence: Sequence, expected: list, got: list) -> Difference | None:
    for number in range(max(len(expected), len(got))):
        reference = expected[number] if number < len(expected) else ["(not reached)"]
        tested = got[number] if number < len(got) else ["(not reached)"]
        step = sequence.steps[number] if number < len(sequence.steps) else None
        if not same(step, reference, tested):
            return Difference(sequence, number, reference, tested)
    return None


def same(step, reference: list, tested: list) -> bool:
    if not (isinstance(step, Raw) and step.before):
        return reference == tested
    # The replies to what preceded the breaking bytes may be lost with the connection: one server's must
    # be the beginning of the other's, and what other connections saw must be equal.
    (own_a, rest_a), (own_b, rest_b) = (_split(step.connection, lines) for lines in (reference, tested))
    shorter = min(len(own_a), len(own_b))
    return rest_a == rest_b and own_a[:shorter] == own_b[:shorter]


def _split(connection: int, lines: list) -> tuple[list, list]:
    own = [line for line in lines if line.startswith(f"{connection} ")]
    replies = [line for line in own if not line.startswith(f"{connection} closed")]
    return replies, [line for line in lines if line not in own]


def shrink(pair: Pair, difference: Difference, generate, rounds: int = 60) -> Difference:
    """A shorter sequence of the same seed that still parts, by leaving out steps one after another.

    `generate(seed, root)` must make the same steps below another root: a sequence is not played twice
    below the same one.
    """
    sequence = difference.sequence
    keep = list(range(min(difference.step + 1, len(sequence.steps))))
    best = difference
    for number, candidate in enumerate(reversed(keep[:-1])):
        if number >= rounds:
            break
        fewer = [index for index in keep if index != candidate]
        root = f"{sequence.root[:-3]}{number:03}"
        steps = generate(sequence.seed, root).steps
        shorter = replace(sequence, root=root, steps=tuple(steps[index] for index in fewer))
        found = pair.compare(shorter)
        if found is not None:
            keep, best = fewer, found
    return best
