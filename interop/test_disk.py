"""Data directories: what one server wrote the other goes on with, and back again. Damage, and a full disk."""

import random
import threading

import pytest

from harness import disks, logs, records
from harness.contents import Contents, open_session, resume_session
from harness.fourletter import fields
from harness.trees import LONG, SUPER_DIGEST, differences, walk
from harness.waiting import wait_until
from harness.wire import Closed, Op, Wire

CONFIG = {"minSessionTimeout": "1000", "maxSessionTimeout": "600000", "snapCount": "100", "preAllocSize": "64"}
PROPERTIES = {
    "zookeeper.DigestAuthenticationProvider.superDigest": SUPER_DIGEST,
    "zookeeper.extendedTypesEnabled": "true",
    # Nothing may change by the passing of time, before the trees are compared.
    "znode.container.checkIntervalMs": "86400000",
}
COMPRESSION = "zookeeper.snapshot.compression.method"


@pytest.fixture
def servers(new_server):
    """Servers one after the other on the same directory; each is ended before the next one starts."""
    return Succession(new_server)


@pytest.fixture
def grevy_only(request):
    if request.config.getoption("--server") != "grevy":
        pytest.skip("says what Grevy does, and the Java server does not")


class Succession:
    def __init__(self, launcher):
        self.launcher = launcher
        self.data = launcher.folder / "data"
        self.server = None

    def start(self, kind=None, config=None, properties=None, preexec=None, **more):
        """The next server on the directory. What it starts with must be all that was there."""
        config, properties = CONFIG | (config or {}), PROPERTIES | (properties or {})
        server = self.launcher(config, properties, kind=kind, data=self.data, **more)
        server.preexec = preexec
        if self.server is not None:
            assert not self.server.alive()
            server.port = self.server.port
            server.config["clientPort"] = str(server.port)
        self.server = server.start()
        return server

    def take_over(self, how: str, kind=None, **more):
        """Ends the server (`stop` or `kill`), starts the next, and compares zxid and tree."""
        before = walk(self.server.port)
        zxid = self.server.zxid()
        assert getattr(self.server, how)() is not None
        server = self.start(kind, **more)
        assert server.zxid() == zxid
        wrong = differences(before, walk(server.port))
        assert not wrong, f"{server} holds something else:\n" + "\n".join(wrong)
        if server.kind == "java":
            assert_digests_match(server)
        return server


def assert_digests_match(java):
    """Java adds up a digest of its tree at every transaction and compares it with what the log says."""
    assert "mismatch" not in java.log.read_text()
    if not java.version.startswith("3.5"):
        assert fields(java.ask("mntr"), "\t")["zk_digest_mismatches_count"] == "0"


# Java writes, Grevy goes on, the same Java takes over again ---------------------------------------

JAVA = {
    "3.5.10": ("3.5.10", {}),
    "3.6.4": ("3.6.4", {}),
    "3.6.4 gz": ("3.6.4", {COMPRESSION: "gz"}),
    "3.8.4 snappy": ("3.8.4", {COMPRESSION: "snappy"}),
    "3.9.5": ("3.9.5", {}),
    "3.9.5 snappy": ("3.9.5", {COMPRESSION: "snappy"}),
    "3.9.5 without digests": ("3.9.5", {"zookeeper.digest.enabled": "false"}),
}


@pytest.mark.parametrize("how", ["stop", "kill"])
@pytest.mark.parametrize("java", JAVA)
def test_java_and_grevy_in_turn(servers, java, how):
    if how == "kill" and java not in ("3.5.10", "3.9.5"):
        pytest.skip("a Java server writes nothing when it stops; two of them shall do")
    version, properties = JAVA[java]
    if properties.get("zookeeper.digest.enabled") == "false" and servers.launcher.kind == "java":
        pytest.skip("a Java server with digests does not read the snapshots of one without")
    written_by_java = {"kind": "java", "version": version, "properties": properties}
    server = servers.start(**written_by_java)
    contents = Contents(server.port)
    server = servers.take_over(how)
    contents.resume(server.port)
    contents.go_on()
    server = servers.take_over(how, **written_by_java)
    contents.resume(server.port)
    contents.go_on()
    server = servers.take_over(how, properties={"znode.container.checkIntervalMs": "200"})
    contents.resume(server.port)
    check_the_end(server, contents)


@pytest.mark.parametrize("how", ["stop", "kill"])
@pytest.mark.parametrize("compression", ["", "gz", "snappy"])
def test_grevy_and_java_in_turn(servers, how, compression):
    if how == "kill" and compression == "snappy":
        pytest.skip("gz does for both")
    server = servers.start(properties={COMPRESSION: compression})
    contents = Contents(server.port)
    server = servers.take_over(how, properties={COMPRESSION: compression})
    contents.resume(server.port)
    contents.go_on()
    write_until_snapshots(contents, servers.data, 2)
    assert all(path.name.endswith(compression) for path in logs.snapshots(servers.data))
    server = servers.take_over(how, kind="java")
    contents.resume(server.port)
    contents.go_on()
    server = servers.take_over(how, properties={"znode.container.checkIntervalMs": "200"})
    contents.resume(server.port)
    check_the_end(server, contents)


def write_until_snapshots(contents, data, count):
    """One is written at a time; a slow disk is given new reasons until there are enough."""

    def enough():
        contents.many(30)
        return len(logs.snapshots(data)) >= count

    wait_until(enough, f"there are {count} snapshots")


def check_the_end(server, contents):
    """What servers do by themselves goes on as well: with sessions, containers and the time to live."""
    quiet, owner = contents.quiet, contents.owner
    quiet.ok(Op.DELETE, records.path_and_version("/kinds/container/child"))
    quiet.ok(Op.CREATE_TTL, records.create_ttl("/kinds/short", ttl=1))
    gone = ["/kinds/container", "/kinds/short"]
    wait_until(lambda: not any(exists(quiet, path) for path in gone), "the server has deleted them")
    ephemeral = ["/e/first", "/e/numbered-0000000001", "/multi/e"]
    assert all(exists(quiet, path) for path in ephemeral)
    owner.close_session()
    assert not any(exists(quiet, path) for path in ephemeral)
    assert exists(quiet, "/kinds/ttl") and exists(quiet, "/multi/a")


def exists(client: Wire, path: str) -> bool:
    reply, _ = client.call(Op.EXISTS, records.path_and_watch(path))
    assert reply.err in (0, -101)
    return reply.err == 0


# kill -9 in the middle of writes ------------------------------------------------------------------


def test_kill_at_any_moment(servers):
    """Nothing acknowledged is missing, in Grevy and then in Java, whose digests agree."""
    acknowledged = {}
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    server = servers.start()
    setup = open_session(server.port)
    setup.ok(Op.CREATE, records.create("/d"))
    setup.close_session()
    for round_ in range(8):
        if round_:
            server = servers.start()
            assert_nothing_missing(server, acknowledged)
        writers = [Writer(server.port, f"/d/{round_}-{number}", acknowledged) for number in range(4)]
        wanted = chance.randrange(50, 1500)
        wait_until(lambda: sum(writer.done for writer in writers) > wanted, "the writers write", interval=0.001)
        server.kill()
        for writer in writers:
            writer.thread.join(20)
    server = servers.start(kind="java")
    assert_nothing_missing(server, acknowledged)
    assert_digests_match(server)
    server = servers.take_over("kill")
    assert_nothing_missing(server, acknowledged)


class Writer:
    """Creates and changes nodes one by one, until the connection ends, and notes what was acknowledged."""

    def __init__(self, port: int, prefix: str, acknowledged: dict):
        self.client = open_session(port)
        self.prefix = prefix
        self.acknowledged = acknowledged
        self.done = 0
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            while True:
                path = f"{self.prefix}-{self.done}"
                data = path.encode() * 3
                self.client.ok(Op.CREATE, records.create(path, data))
                self.acknowledged[path] = data
                self.done += 1
        except (Closed, OSError):
            pass


def assert_nothing_missing(server, acknowledged):
    client = open_session(server.port)
    for path in acknowledged:
        client.send(Op.GET_DATA, records.path_and_watch(path))
    missing = []
    for path, data in acknowledged.items():
        reply = client.receive()
        if reply.err != 0 or records.read_reply(Op.GET_DATA, reply.body)[0] != data:
            missing.append((path, reply.err))
    client.close_session()
    assert not missing, f"{len(missing)} of {len(acknowledged)}: {missing[:10]}"


# Damage -------------------------------------------------------------------------------------------


def some_data(server, count=50):
    client = open_session(server.port)
    for number in range(count):
        client.ok(Op.CREATE, records.create(f"/n{number}", b"some data"))
    client.close()
    return client.session


def refusal(server) -> str:
    """What a server says that must not start."""
    before = server.log.stat().st_size if server.log.exists() else 0
    server.spawn()
    assert server.process.wait(20) not in (0, None)
    with server.log.open("rb") as log:
        log.seek(before)
        return log.read().decode()


def test_a_torn_tail_is_repaired_and_told(servers, grevy_only):
    server = servers.start(config={"snapCount": "100000"})
    session = some_data(server)
    zxid = server.zxid()
    server.kill()
    newest = logs.newest(servers.data)
    end = logs.read(newest)[-1].end
    # The beginning of a record that a crash kept from being written whole.
    logs.overwrite(newest, end, logs.record(logs.read(newest)[-1].entry)[:30])
    server.start()
    assert server.zxid() == zxid
    told = [line for line in server.log.read_text().splitlines() if str(newest) in line and f"offset {end}" in line]
    assert told and "cut" in told[0], server.log_tail()
    client = resume_session(server.port, session)
    client.ok(Op.CREATE, records.create("/after", b""))
    assert exists(client, "/n49")
    client.close()
    # Java finds nothing wrong with what was repaired.
    servers.take_over("kill", kind="java")


@pytest.mark.parametrize("which", ["the middle", "the last"])
def test_damage_to_what_was_acknowledged_is_refused(servers, grevy_only, which):
    server = servers.start(config={"snapCount": "100000"})
    some_data(server)
    server.kill()
    newest = logs.newest(servers.data)
    read = logs.read(newest)
    damaged = read[len(read) // 2 if which == "the middle" else -1]
    before = newest.read_bytes()
    logs.flip(newest, damaged.offset + 20)
    for _ in range(2):
        said = refusal(server)
        for part in [str(newest), f"offset {damaged.offset}", "checksum", "put an intact copy back"]:
            assert part in said, said
    newest.write_bytes(before)
    assert exists(open_session(server.start().port), "/n49")


def test_a_missing_log_is_refused(servers, grevy_only):
    server = servers.start(config={"snapCount": "100000"})
    some_data(server)
    server.kill()
    newest = logs.newest(servers.data)
    aside = servers.data / "aside"
    newest.rename(aside)
    said = refusal(server)
    assert str(newest) in said and "missing" in said, said
    aside.rename(newest)
    assert exists(open_session(server.start().port), "/n49")


def test_a_damaged_snapshot_is_passed_over_for_an_older_one(servers):
    server = servers.start(config={"autopurge.purgeInterval": "0"})
    contents = Contents(server.port)
    write_until_snapshots(contents, servers.data, 3)
    contents.owner.close()
    server.stop()
    newest = logs.snapshots(servers.data)[-1]
    logs.flip(newest, newest.stat().st_size // 2)
    server.start()
    contents.resume(server.port)
    contents.go_on()
    if server.kind == "grevy":
        assert f"passed over {newest}" in server.log.read_text()


def test_a_second_process_on_the_directory_is_refused(servers, grevy_only):
    server = servers.start()
    second = servers.launcher(CONFIG, data=servers.data)
    said = refusal(second)
    assert f"process {server.process.pid} is using this directory" in said, said
    assert str(servers.data) in said
    assert server.serves()
    server.kill()
    second.start()


def test_without_force_sync(servers, grevy_only):
    server = servers.start(config={"forceSync": "no"})
    assert "forceSync" in server.log.read_text()
    assert "power" in server.log.read_text()
    contents = Contents(server.port)
    server = servers.take_over("kill", config={"forceSync": "no"})
    contents.resume(server.port)
    contents.go_on()
    # Back to syncing, and on in Java.
    server = servers.take_over("kill")
    assert "forceSync" not in server.log.read_text()
    server = servers.take_over("kill", kind="java")
    contents.resume(server.port)


# Full disks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("disk", [disks.Tmpfs, disks.Limit], ids=["tmpfs", "limit"])
def test_a_full_disk_ends_all_acknowledging(servers, grevy_only, disk):
    with disk(servers.launcher.folder / "disk") as full:
        servers.data = full.folder / "data"
        server = servers.start(config={"snapCount": "100000"}, preexec=full.preexec)
        acknowledged = {}
        setup = open_session(server.port)
        setup.ok(Op.CREATE, records.create("/d"))
        writers = [Writer(server.port, f"/d/{'long' * 100}-{number}", acknowledged) for number in range(4)]
        for writer in writers:
            writer.thread.join(60)
            assert not writer.thread.is_alive(), "nobody told the writers"
        assert acknowledged
        # Nothing more is acknowledged, the reason is told, and the health checks know.
        assert server.alive()
        wait_until(lambda: full.reason in server.log.read_text(), f"the log says {full.reason}")
        assert "make room" in server.log.read_text()
        with Wire(server.port) as client:
            client.send_frame(records.connect(timeout=LONG))
            assert client.receive_end() == []
        health = server.ask("ruok")
        assert "imok" not in health and full.reason in health, health
        assert not server.serves()
        server.stop()
        full.make_room()
        server = servers.start()
        assert_nothing_missing(server, acknowledged)
        client = resume_session(server.port, setup.session)
        client.ok(Op.CREATE, records.create("/after"))
