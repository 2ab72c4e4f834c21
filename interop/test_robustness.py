"""What a server must bear: kill -9 in the middle of work, thousands of clients at once, clients that vanish."""

import os
import random
import resource
import selectors
import socket
import subprocess
import threading
import time
import urllib.request

import pytest

from harness import records
from harness.jute import int32
from harness.ports import free_port
from harness.waiting import wait_until
from harness.wire import Closed, Op, Wire, frame, read_header, read_session

WRITERS = 6
DEPTH = 20
"""Requests that a writer has under way."""


class Writer(threading.Thread):
    """Creates znodes, always several at once, and remembers which of them were acknowledged."""

    def __init__(self, port: int, name: str):
        super().__init__()
        self.name = name
        self.sent = 0
        self.acknowledged = 0
        self._wire = Wire(port)
        self._wire.connect()

    def run(self):
        try:
            while True:
                while self.sent - self.acknowledged < DEPTH:
                    self._wire.send(Op.CREATE, records.create(self.path(self.sent), self.data(self.sent)))
                    self.sent += 1
                reply = self._wire.receive()
                assert reply.err == 0, reply
                self.acknowledged += 1
        except Closed:
            self._wire.close()

    def path(self, number: int) -> str:
        return f"/load/{self.name}-{number}"

    def data(self, number: int) -> bytes:
        return f"{self.name} {number} ".encode() * (1 + number % 50)


@pytest.mark.parametrize("seed", range(3))
def test_acknowledged_writes_survive_kill_under_load(new_server, seed):
    server = new_server(properties={"zookeeper.snapCount": "700"}).start()
    rng = random.Random(seed)
    with Wire(server.port) as wire:
        wire.connect()
        wire.ok(Op.CREATE, records.create("/load"))
    writers = []
    for round_ in range(4):
        begun = [Writer(server.port, f"{round_}-{number}") for number in range(WRITERS)]
        enough = rng.randrange(1500)
        for writer in begun:
            writer.start()
        wait_until(lambda: sum(writer.acknowledged for writer in begun) >= enough, "some writes are acknowledged")
        server.kill()
        for writer in begun:
            writer.join()
        writers += begun
        server.start()
        with Wire(server.port) as wire:
            wire.connect()
            (names,) = wire.ok(Op.GET_CHILDREN, records.path_and_watch("/load"))
            for writer in writers:
                there = sorted(int(name.rsplit("-", 1)[1]) for name in names if name.startswith(f"{writer.name}-"))
                # A client's requests take effect in their order: what is there has no gaps.
                assert there == list(range(len(there)))
                assert writer.acknowledged <= len(there) <= writer.sent
                for number in there[-2:]:
                    data, _ = wire.ok(Op.GET_DATA, records.path_and_watch(writer.path(number)))
                    assert data == writer.data(number)


OTHER_USER = 64321
"""Nobody's id."""

THREADS = 40

CROWD = {"grevy": 10_000, "java": 2000}
"""How many clients; with 10,000 the Java server takes minutes, and their sessions expire meanwhile."""


@pytest.mark.timeout(300)
def test_a_crowd_comes_and_goes(new_server):
    server = new_server(config={"tickTime": "1000", "clientPortListenBacklog": "4096"})
    count = CROWD[server.kind]
    raise_file_limit(count + 300)
    server.start()
    crowd = Crowd(server.port)
    for number in range(count):
        crowd.add(number, frame(records.connect(timeout=20_000)))
    sessions = {read_session(payload).id for payload in crowd.receive_all()}
    assert len(sessions) == count and 0 not in sessions
    create = records.create("/crowd")
    with Wire(server.port) as wire:
        wire.connect()
        wire.ok(Op.CREATE, create)
        # All of them watch one znode, and write.
        watch = records.path_and_watch("/crowd", True)
        crowd.send_all(lambda number: frame(int32(1) + int32(Op.GET_CHILDREN) + watch))
        assert all(read_header(payload).err == 0 for payload in crowd.receive_all())
        wire.ok(Op.CREATE, records.create("/crowd/first"))
        assert all(read_header(payload).xid == -1 for payload in crowd.receive_all())
        crowd.send_all(
            lambda number: frame(int32(2) + int32(Op.CREATE) + records.create(f"/crowd/{number}", flags=1))
        )
        assert all(read_header(payload).err == 0 for payload in crowd.receive_all())
        (names,) = wire.ok(Op.GET_CHILDREN, records.path_and_watch("/crowd"))
        assert len(names) == count + 1
        # Half of them say good-bye, the others just go; their sessions expire.
        half = count // 2
        crowd.send_all(lambda number: frame(int32(3) + int32(Op.CLOSE_SESSION)) if number < half else None)
        crowd.close()

        def left():
            return len(wire.ok(Op.GET_CHILDREN, records.path_and_watch("/crowd"))[0])

        wait_until(lambda: left() <= count + 1 - half, "those who said good-bye are gone", seconds=60)
        wait_until(lambda: left() == 1, "the sessions of the others have expired", seconds=60)
    wait_until(lambda: connections(server) == 1, "no connection is left")


def test_a_crowd_leaves_files_for_the_log(new_server):
    server = new_server(properties={"zookeeper.snapCount": "10"})
    server.preexec = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
    if server.kind == "java":
        pytest.skip("a Java server has more files than that open, and lets clients have the rest")
    server.start()
    with Wire(server.port) as wire:
        wire.connect()
        crowd = [socket.create_connection(("127.0.0.1", server.port), timeout=60) for _ in range(150)]
        # The log begins several files meanwhile.
        for number in range(50):
            wire.ok(Op.CREATE, records.create(f"/a{number}"))
        # Whoever is too many is told, and can try elsewhere.
        assert crowd[-1].recv(1) == b""
        for sock in crowd:
            sock.close()
        wait_until(lambda: connections(server) == 2, "the others are gone")
        wire.ok(Op.CREATE, records.create("/b"))
    with Wire(server.port) as wire:
        wire.connect()


@pytest.mark.skipif(os.getuid() != 0, reason="takes another user, who has no other threads")
def test_no_thread_is_left(new_server):
    server = new_server(config={"admin.enableServer": "true", "admin.serverPort": str(free_port())})
    if server.kind == "java":
        pytest.skip("a Java server has many more threads")
    server.data.mkdir(parents=True)
    for path in (server.folder, server.data):
        os.chown(path, OTHER_USER, -1)

    def become():
        resource.setrlimit(resource.RLIMIT_NPROC, (THREADS, THREADS))
        os.setuid(OTHER_USER)

    server.preexec = become
    server.start()
    url = f"http://127.0.0.1:{server.config['admin.serverPort']}/commands/monitor"
    # Longer than an idle thread is usually kept.
    time.sleep(11)
    used = len(os.listdir(f"/proc/{server.process.pid}/task"))
    others = [subprocess.Popen(["sleep", "60"], preexec_fn=become) for _ in range(THREADS - used)]
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            assert answer.status == 200
        with Wire(server.port) as wire:
            wire.connect()
            wire.ok(Op.CREATE, records.create("/a"))
    finally:
        for other in others:
            other.kill()
            other.wait()


def connections(server) -> int:
    text = server.ask("srvr")
    return int(text.split("Connections: ")[1].split("\n")[0])


def raise_file_limit(count: int):
    """For this process and the servers that it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        pytest.skip(f"only {hard} files can be open at once")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))


class Crowd:
    """Many connections, all used at once."""

    def __init__(self, port: int):
        self._port = port
        self._socks = {}
        self._received = {}

    def add(self, number: int, first: bytes):
        sock = socket.create_connection(("127.0.0.1", self._port), timeout=60)
        sock.sendall(first)
        self._socks[number] = sock
        self._received[number] = b""

    def send_all(self, make):
        for number, sock in self._socks.items():
            data = make(number)
            if data is not None:
                sock.sendall(data)

    def receive_all(self, seconds: float = 120) -> list[bytes]:
        """The next frame of each."""
        end = time.monotonic() + seconds
        frames = {}
        with selectors.DefaultSelector() as selector:
            for number, sock in self._socks.items():
                if not self._take(number, frames):
                    selector.register(sock, selectors.EVENT_READ, number)
            while selector.get_map():
                assert time.monotonic() < end, f"{len(selector.get_map())} are still without an answer"
                for key, _ in selector.select(1):
                    piece = key.fileobj.recv(65536)
                    assert piece, "the server has closed a connection"
                    self._received[key.data] += piece
                    if self._take(key.data, frames):
                        selector.unregister(key.fileobj)
        return list(frames.values())

    def close(self):
        for sock in self._socks.values():
            sock.close()
        self._socks = {}

    def _take(self, number: int, frames: dict) -> bool:
        data = self._received[number]
        size = int.from_bytes(data[:4], "big")
        if len(data) < 4 or len(data) < 4 + size:
            return False
        frames[number], self._received[number] = data[4 : 4 + size], data[4 + size :]
        return True
