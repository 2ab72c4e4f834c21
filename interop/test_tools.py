"""The grevy command's tools with foreign software: Curator's recipes, and files of Java servers."""

import fcntl
import json
import re
import subprocess
import termios

import pytest

from harness.java import run_checks
from harness.server import grevy_binary
from harness.terminal import Terminal


def grevy(*arguments, server=None):
    """Runs the command; returns the finished process with its text."""
    environment = {"GREVY_SERVER": server.address} if server else {}
    command = [grevy_binary(), *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def ok(*arguments, server=None) -> str:
    done = grevy(*arguments, server=server)
    assert done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def used(new_server):
    """A server on which znodes were created, changed and deleted, with some snapshots, now stopped."""
    server = new_server({"snapCount": "20", "4lw.commands.whitelist": "*"}).start()
    for turn in range(12):
        ok("create", f"/app/{turn}", "x" * turn, "--parents", server=server)
        ok("set", f"/app/{turn}", "changed", server=server)
    ok("rm", "/app/7", server=server)
    export = ok("export", "/", server=server)
    status = json.loads(ok("status", "--output", "json", server=server))
    assert server.stop() is not None
    return server, export, int(status["zxid"], 16)


def test_recipes_are_shared_with_curator(server):
    run_checks("ToolChecks", server.port, grevy_binary())


def test_files_are_sound_and_say_what_the_server_said(used):
    server, export, zxid = used
    verdict = ok("verify", server.data, "--output", "json").splitlines()[-1]
    assert json.loads(verdict)["sound"] is True
    transactions = [
        json.loads(line) for line in ok("inspect", "log", server.data, "--output", "json").splitlines()
    ]
    transactions = [line for line in transactions if line["type"] == "transaction"]
    # A session's end may follow what was seen.
    assert int(transactions[-1]["zxid"], 16) >= zxid
    data = {}
    for transaction in transactions:
        match transaction["op"]:
            case "create" | "create2" | "setData":
                data[transaction["path"]] = transaction["data"]
            case "delete":
                del data[transaction["path"]]
    exported = {line["path"]: line["data"] for line in map(json.loads, export.splitlines())}
    exported.pop("/")
    assert data == exported


def test_snapshots_are_read(used):
    server, _, _ = used
    snapshots = sorted((server.data / "version-2").glob("snapshot.*"), key=lambda path: int(path.suffix[1:], 16))
    assert len(snapshots) > 1
    first, last = snapshots[0], snapshots[-1]
    lines = [json.loads(line) for line in ok("inspect", "snapshot", last, "--output", "json").splitlines()]
    paths = [line["path"] for line in lines if line["type"] == "znode"]
    assert "/app/1" in paths and paths[0] == "/"
    done = grevy("inspect", "compare", first, last, "--znodes")
    assert done.returncode == 1
    assert "+ /app/1 +7 bytes" in done.stdout


def test_top_is_live_in_a_terminal(server):
    top = Terminal(grevy_binary(), "top", "--server", server.address, "--interval", "200")
    top.until(r"1 of 1 servers serve")
    top.until(rf"{re.escape(server.address)} +standalone")
    # The second look knows what came since the first.
    top.until(rf"{re.escape(server.address)} +standalone.* \d+ +3\.9")
    top.type("q")
    assert top.end() == 0


def test_questions_are_asked_in_a_terminal(used):
    server, _, _ = used
    logs = (server.data / "version-2").glob("log.*")
    log = next(log for log in logs if b"changed" in log.read_bytes())
    content = bytearray(log.read_bytes())
    content[content.index(b"changed")] ^= 1
    log.write_bytes(content)
    for answer, code in [("n", 1), ("y", 0)]:
        repair = Terminal(grevy_binary(), "repair", log)
        repair.until(r"a record's checksum is wrong; replace it: ")
        repair.until(r"Repair it like this\? \[y/N\] ")
        repair.type(answer)
        assert repair.end() == code
    assert log.with_name(f"{log.name}.repaired").exists()


def test_the_control_c_of_a_terminal_releases_a_lock(server):
    ok("create", "/control-c", server=server)
    command = [grevy_binary(), "lock", "/control-c", "--server", server.address]
    holder = Terminal(*command, "--", "sh", "-c", "echo held; exec cat", start_new_session=True, preexec_fn=own_terminal)
    holder.until("held")
    holder.type("\x03")
    assert holder.end() == 130
    assert ok("ls", "/control-c", server=server) == ""


def own_terminal():
    """Makes standard input the terminal of this session, whose Ctrl-C goes to all of it."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
