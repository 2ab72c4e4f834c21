"""What operators do: configure, start, ask, stop, clean up."""

import os
import re
import shlex
import shutil
import socket
import subprocess
import time

import pytest

from harness import logs, records
from harness.contents import open_session, resume_session
from harness.java import run_java
from harness.jars import server_classpath
from harness.paths import REPOSITORY
from harness.ports import free_port
from harness.server import grevy_binary
from harness.terminal import Terminal
from harness.waiting import wait_until
from harness.wire import Op, Wire


@pytest.fixture(autouse=True)
def for_which_server(request):
    if request.config.getoption("--server") != "grevy" and "any_server" not in request.keywords:
        pytest.skip("about Grevy's own command line")


# Command line and configuration -------------------------------------------------------------------


def grevy(*arguments, **more):
    """Runs the program to its end."""
    command = [grevy_binary(), *map(str, arguments)]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, **more)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--help"], ["Usage: grevy [COMMAND]", "server", "zkcli", "purge", "(the default)"]),
        (["server", "--help"], ["grevy server zoo.cfg", "-Dname=value", "GREVY_LOG"]),
        (["purge", "--help"], ["grevy purge /var/lib/zookeeper -n 3"]),
        (["zkcli", "-help"], ["ZooKeeper -server host:port", "create [-s] [-e] [-c] [-t ttl] path [data] [acl]"]),
        (["--version"], ["grevy "]),
    ],
)
def test_help(arguments, expected):
    done = grevy(*arguments)
    assert done.returncode == 0
    for text in expected:
        assert text in done.stdout + done.stderr


GOOD = {"dataDir": "DIR/data", "clientPort": "0", "clientPortAddress": "127.0.0.1", "admin.enableServer": "false"}
WRONG = [
    # What is changed in a good configuration, and what must be said of it.
    ({"clientPort": "21x"}, ['zoo.cfg:2: clientPort: "21x" is not a whole number']),
    ({"clientPort": "70000"}, ["zoo.cfg:2: clientPort"]),
    ({"dataDir": None, "dataDirr": "x"}, ["dataDir: is not set; add a line", "is dataDir meant?"]),
    ({"tickTime": "-1"}, ["zoo.cfg:5: tickTime"]),
    ({"tickTime": "2s"}, ['zoo.cfg:5: tickTime: "2s"']),
    ({"server.1": "zoo1:2888"}, ["zoo.cfg:5: server.1"]),
    ({"minSessionTimeout": "5000", "maxSessionTimeout": "4000"}, ["minSessionTimeout"]),
    # All of them, not the first.
    ({"clientPort": "x", "tickTime": "y"}, ["zoo.cfg:2: clientPort", "zoo.cfg:5: tickTime"]),
]


@pytest.mark.parametrize(("changes", "expected"), WRONG, ids=lambda value: " ".join(value))
def test_a_wrong_configuration_is_refused(tmp_path, changes, expected):
    done = grevy("server", write_config(tmp_path, GOOD | changes))
    assert done.returncode == 2, done.stderr
    for text in expected:
        assert text in done.stderr
    assert not (tmp_path / "data").exists(), "nothing was touched"


def write_config(folder, config):
    path = folder / "zoo.cfg"
    lines = [f"{key}={value}\n" for key, value in config.items() if value is not None]
    path.write_text("".join(lines).replace("DIR", str(folder)))
    return path


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["/no/such.cfg"], "/no/such.cfg: file is missing"),
        (["2181"], "2181: write one configuration file, or port dataDir"),
        (["--bogus"], "--bogus: is no argument of the server"),
        ([2181, "/tmp", 2000, 10, "more"], "write one configuration file"),
    ],
)
def test_wrong_arguments_are_refused(tmp_path, arguments, expected):
    done = grevy("server", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert expected in done.stderr


def test_what_is_odd_is_told_and_the_server_starts(new_server):
    server = new_server({"ticktime": "3", "nobody.knows": "1", "txnLogSizeLimitInKB": "4"})
    server.properties = {"zookeeper.snapCont": "7", "foreign": "1"}
    server.start()
    log = server.log.read_text()
    for text in [
        "ticktime: is not known and has no effect; is tickTime meant?",
        "nobody.knows: is not known and has no effect",
        "is txnLogSizeLimitInKb meant?",
        "-Dzookeeper.snapCont: is not known and has no effect; is snapCount meant?",
        "-Dforeign",
    ]:
        assert any("WARN" in line and text in line for line in log.splitlines()), f"{text!r} in {log}"


def test_a_good_configuration_needs_no_warning(new_server):
    server = new_server().start()
    server.stop()
    assert "WARN" not in server.log.read_text() and "ERROR" not in server.log.read_text()


def test_arguments_set_and_java_arguments_do_no_harm(new_server):
    server = new_server({"maxSessionTimeout": "9000"}, {"maxSessionTimeout": "7000", "zookeeper.minSessionTimeout": "6500"})
    java = ["-Xmx1000m", "-XX:+UseG1GC", "-Dcom.sun.management.jmxremote", "-javaagent:/a.jar=1:2"]
    command = server.command
    server.command = lambda: [*command(), *java]
    server.start()
    for asked, granted in [(60_000, 7000), (100, 6500)]:
        with Wire(server.port) as client:
            assert client.connect(timeout=asked).timeout == granted
    warned = [line for line in server.log.read_text().splitlines() if "-Xmx1000m" in line]
    assert len(warned) == 1 and "meant for a Java program and ignored" in warned[0]


def test_port_and_directory_as_arguments(new_server):
    server = new_server()
    server.command = lambda: [str(grevy_binary()), "server", str(server.port), str(server.data), "500"]
    server.start()
    with Wire(server.port) as client:
        assert client.connect(timeout=60_000).timeout == 20 * 500
    assert (server.data / "version-2/snapshot.0").exists()


# Starting and stopping ----------------------------------------------------------------------------

READY = re.compile(r"Grevy \S+ ready in (\d+) ms\n +clients +127\.0\.0\.1:(\d+) \(standalone\)\n +connect +(.+)\n")


def test_any_port_and_several_servers(new_server):
    """With clientPort=0 the system chooses; the server says in its file and its greeting what."""
    ports = []
    for _ in range(3):
        server = new_server({"clientPort": "0", "clientPortAddress": "127.0.0.1"})
        file = server.data / "client.port"
        server.spawn()
        wait_until(lambda file=file: file.exists() and file.read_text().strip(), f"{file} is there")
        server.port = int(file.read_text())
        server.wait()
        ready = wait_until(lambda server=server: READY.search(server.log.read_text()), "the server says it is ready")
        assert int(ready[2]) == server.port
        assert ready[3] == f"grevy zkcli -server 127.0.0.1:{server.port}"
        assert str(server.data) in server.log.read_text()
        client = open_any(server.port)
        client.ok(Op.CREATE, records.create(f"/only-{len(ports)}"))
        ports.append((server, client))
    for number, (server, client) in enumerate(ports):
        assert client.ok(Op.GET_CHILDREN, records.path_and_watch("/"))[0].count(f"only-{number}") == 1
        assert server.stop() == 0
        assert not (server.data / "client.port").exists(), "nobody may take the old port for the new one"


def test_without_arguments(new_server):
    """As in the README: the default port, and data where it was started."""
    for port in (2181, 8080):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                pytest.skip(f"something listens on port {port}")
    server = new_server()
    server.port, server.data = 2181, server.folder / "grevy-data"
    server.command = lambda: [str(grevy_binary())]
    server.start()
    assert (server.data / "version-2/snapshot.0").exists()
    assert server.stop() == 0
    assert "WARN" not in server.log.read_text(), server.log.read_text()


def test_stop_and_start_on_the_same_port_at_once(new_server):
    server = new_server({"maxSessionTimeout": "300000"}).start()
    client = open_session(server.port)
    client.ok(Op.CREATE, records.create("/e", b"kept", flags=1))
    for _ in range(5):
        # The client stays connected; the server must not wait for it, nor the next one for the port.
        assert server.stop(timeout=5) == 0
        assert client.receive_end() == []
        server.start()
        client = resume_session(server.port, client.session)
        assert client.ok(Op.GET_DATA, records.path_and_watch("/e"))[0] == b"kept"


def test_a_port_that_is_taken(new_server):
    server = new_server().start()
    second = new_server()
    second.port = server.port
    second.config["clientPort"] = str(server.port)
    second.spawn()
    assert second.process.wait(20) == 1
    assert f"{server.port}: the port is taken; is a ZooKeeper or Grevy server running already?" in second.log.read_text()
    assert not (second.data / "version-2/snapshot.0").exists(), "the data was not touched"


def test_a_directory_that_cannot_be_used(new_server):
    server = new_server()
    server.folder.joinpath("data").write_text("a file")
    server.spawn()
    assert server.process.wait(20) == 3
    assert str(server.data) in server.log.read_text()


@pytest.mark.any_server
def test_a_short_tick_expires_nobody_who_is_heard(new_server):
    server = new_server({"tickTime": "100"}).start()
    silent, lively = Wire(server.port), [Wire(server.port) for _ in range(20)]
    for number, client in enumerate([silent, *lively]):
        assert client.connect(timeout=60_000).timeout == 2000
        client.ok(Op.CREATE, records.create(f"/e{number}", flags=1))
    last = time.monotonic()
    deadline = last + 4
    while time.monotonic() < deadline:
        for client in lively:
            reply, _ = client.call(Op.PING, xid=records.Xid.PING)
            assert reply.err == 0
        now = time.monotonic()
        if now - last > 1:
            pytest.skip("this machine is too busy to send a ping a second")
        last = now
        time.sleep(0.1)
    watching = open_any(server.port)
    children = watching.ok(Op.GET_CHILDREN, records.path_and_watch("/"))[0]
    assert set(children) == {"zookeeper"} | {f"e{number}" for number in range(1, 21)}
    again = Wire(server.port)
    assert again.connect(session=silent.session.id, password=silent.session.password).id == 0


# The scripts --------------------------------------------------------------------------------------


@pytest.fixture
def scripts(tmp_path):
    scripts = Scripts(tmp_path)
    yield scripts
    scripts.run("zkServer.sh", "stop")


class Scripts:
    """`bin/*.sh` with a configuration directory of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.conf = folder / "conf"
        self.conf.mkdir()
        self.data = folder / "data"
        (self.conf / "zoo.cfg").write_text(
            f"tickTime=2000\ndataDir={self.data}\nclientPort={self.port}\nadmin.enableServer=false\n"
            "snapCount=100\nautopurge.purgeInterval=0\n"
        )
        self.environment = os.environ | {
            "GREVY": str(grevy_binary()),
            "ZOOCFGDIR": str(self.conf),
            "ZOO_LOG_DIR": str(folder / "logs"),
        }

    def run(self, script, *arguments, **more):
        command = [REPOSITORY / "bin" / script, *map(str, arguments)]
        more.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run(command, capture_output=True, text=True, timeout=60, env=self.environment, **more)

    def says(self, script, *arguments, code=0) -> str:
        done = self.run(script, *arguments)
        assert done.returncode == code, (done.stdout, done.stderr)
        return done.stdout

    def pid(self) -> int:
        return int((self.data / "zookeeper_server.pid").read_text())


def test_zk_server(scripts):
    found = f"Client port found: {scripts.port}. Client address: localhost. Client SSL: false.\n"
    not_running = f"{found}Error contacting service. It is probably not running.\n"
    assert scripts.says("zkServer.sh", "status", code=1) == not_running
    assert scripts.says("zkServer.sh", "start") == "Starting zookeeper ... STARTED\n"
    first = scripts.pid()
    wait_until(lambda: scripts.run("zkServer.sh", "status").returncode == 0, "it serves")
    assert scripts.says("zkServer.sh", "status") == f"{found}Mode: standalone\n"
    assert scripts.says("zkServer.sh", "start", code=1) == (
        f"Starting zookeeper ... already running as process {first}.\n"
    )
    assert scripts.says("zkServer.sh", "restart") == (
        "Stopping zookeeper ... STOPPED\nStarting zookeeper ... STARTED\n"
    )
    assert scripts.pid() != first
    wait_until(lambda: scripts.run("zkServer.sh", "status").returncode == 0, "it serves")
    assert scripts.says("zkServer.sh", "stop") == "Stopping zookeeper ... STOPPED\n"
    assert scripts.says("zkServer.sh", "status", code=1) == not_running
    assert "no zookeeper to stop" in scripts.says("zkServer.sh", "stop")
    assert scripts.says("zkServer.sh", "version").startswith("grevy ")
    assert "Usage:" in scripts.run("zkServer.sh", "dance").stderr
    # A configuration that is refused: the script says so, and why.
    scripts.conf.joinpath("zoo.cfg").write_text("clientPort=x\n")
    done = scripts.run("zkServer.sh", "start")
    assert (done.returncode, done.stdout) == (1, "Starting zookeeper ... FAILED TO START\n")
    assert "dataDir: is not set" in done.stderr


def test_print_cmd_can_be_run(scripts):
    command = scripts.says("zkServer.sh", "print-cmd")
    (scripts.folder / "logs").mkdir()
    with subprocess.Popen(["bash", "-c", f"exec {command}"]) as process:
        wait_until(lambda: scripts.run("zkServer.sh", "status").returncode == 0, "it serves")
        process.terminate()
        assert process.wait(20) == 0
    assert shlex.split(command)[:2] == [str(grevy_binary()), "server"]


def test_zk_cli(scripts):
    scripts.says("zkServer.sh", "start")
    server = ("-server", f"127.0.0.1:{scripts.port}")
    # As with ZooKeeper's script, what was found goes to standard output, all else to standard error.
    assert "Created /a" in scripts.run("zkCli.sh", *server, "create", "/a", "two words").stderr
    assert "two words" in scripts.says("zkCli.sh", *server, "get", "/a")
    assert "Node does not exist: /b" in scripts.run("zkCli.sh", *server, "get", "/b").stderr
    scripts.says("zkCli.sh", *server, "get", "/b", code=1)
    done = scripts.run("zkCli.sh", *server, stdin=None, input="ls /\nget /a\nquit\n")
    assert done.returncode == 0
    assert "[a, zookeeper]" in done.stdout and "two words" in done.stdout


def test_zk_cleanup(scripts):
    """Deletes what Java's program deletes, beside the running server; everything is still there afterwards."""
    scripts.says("zkServer.sh", "start")
    client = wait_until(lambda: connected(scripts.port), "the server serves")
    client.ok(Op.CREATE, records.create("/d"))
    count = 0
    while len(logs.snapshots(scripts.data)) < 7:
        client.ok(Op.CREATE, records.create(f"/d/{count}", b"x" * 1000))
        count += 1
    copy = scripts.folder / "copy"
    shutil.copytree(scripts.data, copy)

    usage = "PurgeTxnLog dataLogDir [snapDir] -n count"
    for wrong in (["-n", "2"], ["-n", "x"], [], ["-n"]):
        assert usage in scripts.says("zkCleanup.sh", *wrong, code=1)
    assert "count should be greater than or equal to 3" in scripts.run("zkCleanup.sh", "-n", "2").stderr
    files = names(scripts.data)
    assert files == names(copy), "nothing was deleted"

    said = scripts.says("zkCleanup.sh", "-n", "3")
    gone = files - names(scripts.data)
    assert len(logs.snapshots(scripts.data)) == 3
    lines = said.splitlines()
    assert {os.path.basename(line.split("\t")[1]) for line in lines} == gone
    assert all(re.match(r"Removing file: [A-Z][a-z]+ \d+, \d{4}, \d+:\d\d:\d\d [AP]M\t/", line) for line in lines), said

    java = "org.apache.zookeeper.server.PurgeTxnLog"
    done = run_java(java, copy, "-n", 3, classpath=server_classpath())
    assert done.returncode == 0, done.stderr
    assert names(copy) == names(scripts.data)

    client.close()
    os.kill(scripts.pid(), 9)
    wait_until(lambda: scripts.run("zkServer.sh", "status").returncode == 1, "it has gone")
    scripts.says("zkServer.sh", "start")
    client = wait_until(lambda: connected(scripts.port), "the server serves")
    assert len(client.ok(Op.GET_CHILDREN, records.path_and_watch("/d"))[0]) == count


def names(data) -> set[str]:
    return {path.name for path in (data / "version-2").iterdir() if path.name.startswith(("log.", "snapshot."))}


def connected(port: int) -> Wire | None:
    try:
        return open_any(port)
    except OSError:
        return None


def open_any(port: int) -> Wire:
    client = Wire(port)
    client.connect(timeout=40_000)
    return client


# The README ---------------------------------------------------------------------------------------


def readme_block(first_line: str) -> list[str]:
    """The lines of the block of code in the README that begins so."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", (REPOSITORY / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    (block,) = [block for block in blocks if block.startswith(first_line)]
    return block.splitlines()


def test_the_first_session_of_the_readme_is_true(new_server):
    server = new_server().start()
    first, *lines = readme_block("$ cargo run --release -- zkcli")
    arguments = first.split(" -- ")[1].replace("2181", str(server.port)).split()
    shell = Terminal(grevy_binary(), *arguments)
    commands = 0
    expected = []
    for line in [*lines, None]:
        if line is not None and not line.startswith("[zk: "):
            expected.append(line)
            continue
        # Before the prompt comes what the last command was promised to say, and nothing else.
        if commands:
            for text in expected:
                shell.until(rf"^\n?{re.escape(text)}\n")
            expected = []
        if line is None:
            break
        match = re.fullmatch(r"\[zk: 127\.0\.0\.1:2181\(CONNECTED\) (\d+)\] (.*)", line)
        number, command = match.groups()
        assert int(number) == commands, line
        shell.until(re.escape(f"[zk: 127.0.0.1:{server.port}(CONNECTED) {number}] "))
        shell.type(command)
        shell.until(re.escape(command))
        commands += 1
    assert commands > 3
    assert shell.end() == 0


def test_what_the_readme_asks_the_server(new_server):
    admin = free_port()
    server = new_server({"admin.enableServer": "true", "admin.serverPort": str(admin)}).start()
    for line in readme_block("$ echo srvr"):
        command = line.removeprefix("$ ").replace("2181", str(server.port)).replace("8080", str(admin))
        if "| nc " in command and shutil.which("nc") is None:
            continue
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, (command, done.stderr)
        assert "standalone" in done.stdout, (command, done.stdout)
