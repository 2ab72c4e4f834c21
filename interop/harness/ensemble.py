"""Ensembles of servers of mixed kinds, each a process with files and ports of its own."""

import signal

from . import fourletter
from .network import Network
from .ports import free_port
from .trees import SUPER_DIGEST, differences, walk
from .waiting import wait_until
from .wire import Wire

CONFIG = {
    "tickTime": "500",
    "initLimit": "20",
    "syncLimit": "8",
    "maxSessionTimeout": "600000",
    "snapCount": "1000",
    "preAllocSize": "256",
    # What is purged could not be judged.
    "autopurge.purgeInterval": "0",
}
"""What is in every member's zoo.cfg unless the test says otherwise."""

PROPERTIES = {
    "zookeeper.DigestAuthenticationProvider.superDigest": SUPER_DIGEST,
    "zookeeper.extendedTypesEnabled": "true",
}


class Ensemble:
    """Servers with the ids 1, 2, …, one for each of `kinds`: "grevy", "java", "java VERSION", or "own", the kind under
    test.

    `launcher` makes the servers (see conftest.py). Ids in `observers` do not vote. With a network, servers reach each
    other over its links, and clients reach a server over the link from "client". A server that is replaced keeps its
    files, ports and log. `data` names the data directories of those servers that have them elsewhere. With `hosts`,
    each server has a loopback address of its own for the others, as ports that are the same for all need it.
    """

    def __init__(
        self, launcher, kinds, *, observers=(), config=None, properties=None, network=None, data=None, hosts=False
    ):
        self._launcher = launcher
        self.config = CONFIG | (config or {})
        self.properties = PROPERTIES | (properties or {})
        self.observers = set(observers)
        self.network: Network | None = network
        self._data = data or {}
        self._hosts = hosts
        ids = range(1, len(kinds) + 1)
        self._ports = {sid: (free_port(), free_port()) for sid in ids}
        self._views = {sid: self._view(sid) for sid in ids}
        self._client_ports = {}
        self.servers = {}
        for sid, kind in zip(ids, kinds):
            self._make(sid, kind)

    @property
    def ids(self) -> list[int]:
        return list(self.servers)

    def __getitem__(self, sid: int):
        return self.servers[sid]

    def port(self, sid: int) -> int:
        """Where clients reach a server."""
        return self._client_ports[sid]

    def kind(self, sid: int) -> str:
        return self.servers[sid].kind

    def election_port(self, sid: int) -> int:
        return self._ports[sid][1]

    def quorum_port(self, sid: int) -> int:
        return self._ports[sid][0]

    # Starting and ending

    def start(self, *ids: int) -> "Ensemble":
        """Starts servers (all that do not run, if none is named), and returns once they serve."""
        ids = self.spawn(*ids)
        for sid in ids:
            self.servers[sid].wait()
        return self

    def spawn(self, *ids: int) -> list[int]:
        """The same without waiting; returns whom it has started."""
        ids = list(ids) or [sid for sid in self.ids if not self.servers[sid].alive()]
        for sid in ids:
            (self.servers[sid].data / "myid").write_text(f"{sid}\n")
            self.servers[sid].spawn()
        return ids

    def start_led_by(self, leader: int) -> "Ensemble":
        """Starts a new ensemble whose first leader is the one named: it must have the greatest id of some majority."""
        lower = [sid for sid in self.ids if sid < leader and sid not in self.observers]
        first = [leader, *lower[: self.majority() - 1]]
        assert len(first) == self.majority(), f"{leader} has too few voters below it"
        self.start(*first)
        assert self.leader() == leader
        return self.start()

    def stop(self, sid: int):
        """Ends a server in an orderly way: on a stuck disk it has several syncs to wait for."""
        self.servers[sid].stop(timeout=60)

    def kill(self, *ids: int):
        for sid in ids:
            self.servers[sid].kill()

    def pause(self, sid: int):
        """The process stands still, and so do its clocks' effects; its sockets stay."""
        self.servers[sid].process.send_signal(signal.SIGSTOP)

    def resume(self, sid: int):
        self.servers[sid].process.send_signal(signal.SIGCONT)

    def replace(self, sid: int, kind: str):
        """Ends a server, and puts one of another kind on its files. The new one is not started."""
        if self.servers[sid].alive():
            self.stop(sid)
        self._make(sid, kind)

    # What they are

    def majority(self) -> int:
        return (len(self.ids) - len(self.observers)) // 2 + 1

    def mode(self, sid: int) -> str | None:
        """leader, follower or observer; None for who does not serve, or does not answer."""
        try:
            return self.fields(sid).get("Mode")
        except OSError:
            return None

    def fields(self, sid: int) -> dict[str, str]:
        """The lines of a server's `srvr`."""
        return fourletter.fields(fourletter.ask(self.servers[sid].port, "srvr", timeout=1), ": ")

    def leader(self) -> int | None:
        """The one that says it leads; None if there is none, or more than one."""
        leaders = [sid for sid in self.ids if self.mode(sid) == "leader"]
        return leaders[0] if len(leaders) == 1 else None

    def await_leader(self, seconds: float = 30, among=None) -> int:
        """Waits until there is a leader (`among` these) and returns it."""

        def found():
            leader = self.leader()
            return leader if among is None or leader in among else None

        return wait_until(found, f"{self} has a leader", seconds=seconds)

    def await_serving(self, *ids: int, seconds: float = 30):
        """Waits until servers (all, if none is named) serve, one of the ensemble as the leader."""
        ids = ids or self.ids
        wait_until(lambda: all(self.mode(sid) for sid in ids), f"{list(ids)} of {self} serve", seconds=seconds)
        self.await_leader(seconds)

    def await_same(self, *ids: int, seconds: float = 30) -> int:
        """Waits until servers (all, if none is named) have applied the same transactions; returns the last's zxid.

        A new leader counts from the beginning of its epoch, its followers from the first transaction in it: so
        there is one.
        """
        ids = ids or self.ids

        def transaction():
            # A reconfiguration has a Java server close its client port and open it again.
            try:
                with Wire(self.servers[ids[0]].port) as client:
                    client.connect()
                    client.close_session()
                    return True
            except OSError:
                return False

        wait_until(transaction, f"{ids[0]} of {self} opens a session", seconds=seconds)

        def same():
            try:
                zxids = {int(self.fields(sid)["Zxid"], 16) for sid in ids}
            except (OSError, KeyError):
                return None
            return zxids if len(zxids) == 1 else None

        (zxid,) = wait_until(same, f"{list(ids)} of {self} have the same zxid", seconds=seconds)
        return zxid

    def tree_differences(self) -> list[str]:
        """What the servers show differently, all walked through by a client.

        Not at the same moment, and a session may end in between: what was so only once does not count.
        """
        for _ in range(3):
            if not (lines := self._tree_differences()):
                break
            self.await_same()
        return lines

    def _tree_differences(self) -> list[str]:
        trees = {sid: walk(server.port) for sid, server in self.servers.items()}
        for tree in trees.values():
            # Each server may know the others by addresses of its own.
            tree.pop("/zookeeper/config")
        first, *others = self.ids
        return [f"{sid} and {first}: {line}" for sid in others for line in differences(trees[first], trees[sid])]

    def log_says(self, sid: int, text: str) -> bool:
        return text in self.servers[sid].log.read_text(errors="replace")

    def __repr__(self) -> str:
        return "ensemble of " + ", ".join(f"{sid} {server.kind}" for sid, server in self.servers.items())

    # Making them

    def _view(self, sid: int) -> dict[str, str]:
        """The lines about all servers in the zoo.cfg of one: it knows the others by the links that lead to them."""
        lines = {}
        for other, (quorum, election) in self._ports.items():
            if self.network is not None and other != sid:
                quorum = self.network.route(sid, other, quorum)
                election = self.network.route(sid, other, election, election=True)
            role = "observer" if other in self.observers else "participant"
            host = f"127.0.0.{10 + other if self._hosts else 1}"
            lines[f"server.{other}"] = f"{host}:{quorum}:{election}:{role}"
        if sid in self.observers:
            lines["peerType"] = "observer"
        return lines

    def _make(self, sid: int, kind: str):
        kind, _, version = (self._launcher.kind if kind == "own" else kind).partition(" ")
        more = {"version": version} if version else {}
        more |= {"data": self._data[sid]} if sid in self._data else {}
        server = self._launcher(self.config | self._views[sid], self.properties, kind=kind, name=str(sid), **more)
        before = self.servers.get(sid)
        if before is not None:
            server.port = before.port
            server.config["clientPort"] = str(server.port)
        elif self.network is not None:
            self._client_ports[sid] = self.network.route("client", sid, server.port)
        else:
            self._client_ports[sid] = server.port
        server.data.mkdir(parents=True, exist_ok=True)
        self.servers[sid] = server
