"""Participants in recipes: programs that do what they are told line by line, in Rust and in Java."""

import contextlib
import functools
import os
import queue
import subprocess
import threading
from pathlib import Path

from .jars import programs_classpath
from .paths import REPOSITORY
from .server import JVM_FLAGS

PATIENCE = 60


class Participant:
    """A running program. A command that has to wait is answered when it is done."""

    def __init__(self, name: str, command: list[str]):
        self.name = name
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self._answers = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def ask(self, *words) -> str:
        """Gives a command and waits for its answer."""
        self.tell(*words)
        return self.answer()

    def tell(self, *words):
        """Gives a command."""
        self.process.stdin.write(" ".join(map(str, words)) + "\n")

    def answer(self) -> str:
        """Waits for the answer to the oldest command without one."""
        answer = self._answers.get(timeout=PATIENCE)
        assert answer is not None, f"{self.name} ended with {self.process.wait()}"
        return answer

    def is_waiting(self) -> bool:
        """Whether the last command has no answer yet."""
        return self._answers.empty()

    def kill(self):
        """No chance to give anything up: its session has to expire."""
        self.process.kill()
        self.process.wait()

    def _read(self):
        for line in self.process.stdout:
            self._answers.put(line.rstrip("\n"))
        self._answers.put(None)


@contextlib.contextmanager
def participant(server, kind: str, chroot: str = ""):
    """A participant of a kind: `rust` (with Curator's names), `rust-kazoo` or `curator`."""
    command = {
        "rust": lambda: [_rust_program(), server.address + chroot],
        "rust-kazoo": lambda: [_rust_program(), server.address + chroot, "--kazoo"],
        "curator": lambda: _java_program(server.address + chroot),
    }[kind]()
    running = Participant(kind, command)
    try:
        yield running
    finally:
        running.process.stdin.close()
        try:
            running.process.wait(10)
        except subprocess.TimeoutExpired:
            running.kill()


@functools.cache
def _rust_program() -> str:
    """The example of grevy-recipes, built unless GREVY_PARTICIPANT names it."""
    if named := os.environ.get("GREVY_PARTICIPANT"):
        return str(Path(named).resolve())
    build = ["cargo", "build", "--quiet", "--package", "grevy-recipes", "--example", "participant"]
    subprocess.run(build, cwd=REPOSITORY, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
    return str(target / "debug" / "examples" / "participant")


def _java_program(address: str) -> list[str]:
    logging = "-Dorg.slf4j.simpleLogger.defaultLogLevel=off"
    return ["java", *JVM_FLAGS, logging, "-cp", programs_classpath(), "Participant", address]
