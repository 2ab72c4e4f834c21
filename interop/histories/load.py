"""Load on an ensemble, recorded, and the judgement of what became of it."""

import re
import threading

from harness.waiting import wait_until

from . import checker, clients
from .checker import Verdict
from .committed import check_disks, committed
from .disk import Archive, read_disk
from .history import Finding, History

JAVA_MAY = {"P8", "P15"}
"""A Java leader that was deposed answers a sync without knowing it; a Java server may send a reply after an event that
is newer.
"""


class Load:
    """Clients at work on an ensemble, as a context; `judge` afterwards.

    Each uses any of the servers; a server that is not there is passed over.
    """

    def __init__(self, ensemble, count=6, seed=0, **options):
        self.ensemble, self.history = ensemble, History()
        self.servers = {sid: (ensemble.port(sid), ensemble.kind(sid)) for sid in ensemble.ids}
        self.clients = [
            clients.Client(f"c{number}", self.servers, self.history, seed * 1000 + number, **options)
            for number in range(count)
        ]

        self._archives = {
            sid: Archive(server.data, server.folder / "archive") for sid, server in ensemble.servers.items()
        }
        self._ended = threading.Event()
        self._keeper = threading.Thread(target=self._keep_files, daemon=True)

    def __enter__(self):
        self._keeper.start()
        clients.prepare(self.ensemble.port(self.ensemble.await_leader()))
        for client in self.clients:
            client.start()
        return self

    def __exit__(self, *_):
        for client in self.clients:
            client.finish()
        for client in self.clients:
            client.join(30)
        self._ended.set()
        self._keeper.join()

    @property
    def acknowledged(self) -> int:
        return sum(client.acknowledged for client in self.clients)

    def progress(self, count: int = 150, seconds: float = 30):
        """Waits until so many more requests have been answered."""
        self._replaced()
        enough = self.acknowledged + count
        wait_until(lambda: self.acknowledged >= enough or self._failure(), f"{count} more answers", seconds=seconds)
        assert not self._failure(), self._failure()

    def judge(self, least: dict[str, int] | None = None, java_may=frozenset()) -> Verdict:
        """Waits until all servers have the same, and fails unless all is in order and enough has happened."""
        excused = JAVA_MAY | set(java_may)
        assert not self._failure(), self._failure()
        self.ensemble.await_serving()
        last = self.ensemble.await_same()
        disks = {
            sid: read_disk(server.data, server.kind, self._archives[sid])
            for sid, server in self.ensemble.servers.items()
        }
        whole = committed(disks, last)
        verdict = checker.check(self.history, whole.txns)
        verdict.findings += [*whole.wrong, *check_disks(disks, whole.txns)]
        verdict.findings += [Finding("P29", line) for line in self.ensemble.tree_differences()]
        java_led = {epoch for server in self.ensemble.servers.values() for epoch in _epochs_led(server)}
        for sid, server in self.ensemble.servers.items():
            lines = _digest_mismatches(server, java_led)
            verdict.findings += [Finding("P29", f"server {sid} says: {line}") for line in lines]
        assert not verdict.wrong(excused), verdict.report(excused)
        for what, count in {"writes": 300, "reads": 100, "sessions": len(self.clients), **(least or {})}.items():
            assert verdict.counts[what] >= count, f"too little has happened: {verdict.counts}"
        print(dict(verdict.counts), len(whole.dropped), "never committed")
        return verdict

    def _keep_files(self):
        while not self._ended.wait(0.2):
            for archive in self._archives.values():
                archive.keep()

    def _failure(self):
        return next((client.failure for client in self.clients if client.failure), None)

    def _replaced(self):
        """Notes which kinds of servers there are by now."""
        for sid in self.ensemble.ids:
            self.servers[sid] = (self.ensemble.port(sid), self.ensemble.kind(sid))


def _epochs_led(server) -> list[int]:
    """The epochs that a Java server has led."""
    log = server.log.read_text(errors="replace")
    return [int(zxid, 16) >> 32 for zxid in re.findall(r"setting last processed zxid: 0x([0-9a-f]+)", log)]


def _digest_mismatches(server, java_led: set[int]) -> list[str]:
    """What a Java server, from 3.6 on, says of a tree that is not as the leader says.

    What its main thread says is of a snapshot of its own, which it wrote while it went on, and which the digest in it
    may not fit. And Java servers that are killed under load say it to one another now and then, while their trees are
    the same in the end.
    """
    lines = server.log.read_text(errors="replace").splitlines() if server.kind == "java" else []
    found = []
    for line in lines:
        said = re.search(r"digest mismatch on txn: -?\d+,-?\d+,(\d+),", line)
        if said and not line.startswith("[main]") and int(said[1]) >> 32 not in java_led:
            found.append(line)
    return found
