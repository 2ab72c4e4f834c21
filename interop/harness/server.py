"""Servers as processes: Grevy and the Java server, started, watched and stopped alike."""

import os
import signal
import subprocess
from pathlib import Path

from . import fourletter
from .jars import NEWEST, server_classpath
from .paths import REPOSITORY
from .ports import free_port
from .waiting import wait_until

# A test machine has few cores: a small heap, the simple collector and the first compiler start fastest.
JVM_FLAGS = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]

DEFAULTS = {
    "tickTime": "2000",
    "initLimit": "10",
    "syncLimit": "5",
    "maxClientCnxns": "0",
    "admin.enableServer": "false",
    "4lw.commands.whitelist": "*",
}
"""What every test server has in its zoo.cfg unless the test says otherwise."""


class Server:
    """A standalone server in a folder of its own: `zoo.cfg`, `data/`, and the log of all its runs.

    `config` goes into zoo.cfg, over DEFAULTS (a value of None leaves the key out); `properties` are `-D`
    arguments. The port stays the same over restarts.
    """

    kind = "?"

    def __init__(self, folder: Path, config=None, properties=None, data: Path | None = None):
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data = data or folder / "data"
        self.log = folder / "server.log"
        self.port = free_port()
        self.properties = dict(properties or {})
        self.config = DEFAULTS | {"dataDir": str(self.data), "clientPort": str(self.port)} | (config or {})
        self.process = None
        self.preexec = None
        """Called in the new process before the server's program, to set limits."""
        self.environment = {}
        """What the process gets besides this one's environment."""

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        """The command line, `zoo.cfg` included."""
        raise NotImplementedError

    def write_config(self) -> Path:
        path = self.folder / "zoo.cfg"
        lines = [f"{key}={value}\n" for key, value in self.config.items() if value is not None]
        path.write_text("".join(lines))
        return path

    def spawn(self) -> subprocess.Popen:
        """Starts the process and does not wait for it to serve."""
        assert not self.alive(), f"{self} runs already"
        self.write_config()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                preexec_fn=self.preexec,
                env=os.environ | self.environment,
            )
        return self.process

    def start(self) -> "Server":
        """Starts the process and returns once it serves clients."""
        self.spawn()
        return self.wait()

    def wait(self) -> "Server":
        """Returns once the process that was spawned serves clients."""
        wait_until(self._serves_or_died, f"{self} serves", seconds=60)
        if not self.alive():
            raise RuntimeError(f"{self} ended with {self.process.returncode} at its start:\n{self.log_tail()}")
        return self

    def serves(self) -> bool:
        """Whether the server answers and says in which mode it serves.

        A short wait: a Java server that is starting may accept a connection and forget it.
        """
        try:
            return "Mode:" in fourletter.ask(self.port, "srvr", timeout=1)
        except OSError:
            return False

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self, timeout: float = 20) -> int:
        """SIGTERM; returns the exit code."""
        return self._end(signal.SIGTERM, timeout)

    def kill(self) -> int:
        """SIGKILL: no chance to write, flush or say good-bye."""
        return self._end(signal.SIGKILL, 20)

    def restart(self) -> "Server":
        self.stop()
        return self.start()

    def ask(self, word: str) -> str:
        return fourletter.ask(self.port, word)

    def zxid(self) -> int:
        """The zxid of the last transaction applied."""
        return int(fourletter.fields(self.ask("srvr"), ": ")["Zxid"], 16)

    def log_tail(self, lines: int = 40) -> str:
        if not self.log.exists():
            return "(no log)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _serves_or_died(self) -> bool:
        return not self.alive() or self.serves()

    def _end(self, how: signal.Signals, timeout: float) -> int:
        if self.alive():
            self.process.send_signal(how)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def __repr__(self) -> str:
        return f"{self.kind} server on {self.address} ({self.folder})"


class JavaServer(Server):
    """Apache ZooKeeper's own server, of any version from 3.5 on."""

    kind = "java"

    def __init__(self, folder: Path, config=None, properties=None, data=None, version: str = NEWEST):
        super().__init__(folder, config, properties, data)
        self.version = version

    def command(self) -> list[str]:
        # Before Java 18 the encoding of digested paths follows the locale, which may be ASCII.
        defaults = {"org.slf4j.simpleLogger.defaultLogLevel": "info", "file.encoding": "UTF-8"}
        properties = defaults | self.properties
        defines = [f"-D{name}={value}" for name, value in properties.items()]
        main = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
        classpath = server_classpath(self.version)
        return ["java", *JVM_FLAGS, *defines, "-cp", classpath, main, str(self.folder / "zoo.cfg")]


class GrevyServer(Server):
    """Grevy, as built by `cargo build --release` or named by GREVY_BIN."""

    kind = "grevy"

    def command(self) -> list[str]:
        defines = [f"-D{name}={value}" for name, value in self.properties.items()]
        return [str(grevy_binary()), "server", str(self.folder / "zoo.cfg"), *defines]


def grevy_binary() -> Path:
    binary = Path(os.environ.get("GREVY_BIN", REPOSITORY / "target" / "release" / "grevy"))
    if not binary.is_file():
        raise FileNotFoundError(f"no Grevy at {binary}: run 'cargo build --release', or set GREVY_BIN")
    return binary.resolve()


KINDS = {"java": JavaServer, "grevy": GrevyServer}
