"""Kafka brokers, and a program that uses them."""

import json
import signal
import subprocess
from pathlib import Path

from .jars import kafka_classpath, kafka_programs_classpath
from .kazoos import kazoo
from .ports import free_port
from .waiting import wait_until

_JVM = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]


class Broker:
    """A broker whose metadata is in ZooKeeper, in a folder of its own."""

    def __init__(self, folder: Path, number: int, server):
        self.folder = folder
        self.number = number
        self.server = server
        self.port = free_port()
        self.log = folder / "broker.log"
        self.process = None
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> "Broker":
        """Starts the process and returns once the broker is registered in ZooKeeper."""
        self.spawn()
        return self.wait()

    def spawn(self) -> "Broker":
        config = self.folder / "server.properties"
        config.write_text("".join(f"{key}={value}\n" for key, value in self._config().items()))
        command = ["java", "-Xmx320m", *_JVM, "-Dorg.slf4j.simpleLogger.defaultLogLevel=info"]
        command += ["-cp", kafka_classpath(), "kafka.Kafka", config]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)
        return self

    def wait(self) -> "Broker":
        wait_until(self._serves_or_died, f"broker {self.number} is registered", seconds=90, interval=0.2)
        assert self.alive(), f"broker {self.number} has ended:\n" + "\n".join(self.log.read_text().splitlines()[-30:])
        return self

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self):
        """In order: the broker hands its partitions over and closes its session."""
        self._end(signal.SIGTERM)

    def kill(self):
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals):
        if self.alive():
            self.process.send_signal(how)
            self.process.wait(60)

    def _serves_or_died(self) -> bool:
        if not self.alive():
            return True
        with kazoo(self.server) as client:
            path = f"/brokers/ids/{self.number}"
            return client.exists(path) is not None and self.address in client.get(path)[0].decode()

    def _config(self) -> dict[str, object]:
        return {
            "broker.id": self.number,
            "zookeeper.connect": self.server.address,
            "zookeeper.session.timeout.ms": 6000,
            "listeners": f"PLAINTEXT://{self.address}",
            "log.dirs": self.folder / "logs",
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 1,
            "log.cleaner.dedupe.buffer.size": 2 << 20,
            "num.network.threads": 2,
            "num.io.threads": 2,
        }


class User:
    """The program `KafkaUser.java`, which uses brokers as told."""

    def __init__(self, *brokers: Broker):
        command = ["java", "-Xmx256m", *_JVM, "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"]
        command += ["-cp", kafka_programs_classpath(), "KafkaUser", ",".join(broker.address for broker in brokers)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, *command) -> str:
        """Gives a command; returns what it answered, and fails if it failed."""
        said = self.tries(*command)
        assert said.startswith("ok "), f"{command}: {said}"
        return said.removeprefix("ok ")

    def tries(self, *command) -> str:
        self.process.stdin.write(" ".join(map(str, command)) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def end(self):
        self.process.stdin.close()
        self.process.wait(30)


def controller(server) -> int | None:
    """The number of the broker that is the controller."""
    with kazoo(server) as client:
        if client.exists("/controller") is None:
            return None
        return json.loads(client.get("/controller")[0])["brokerid"]
