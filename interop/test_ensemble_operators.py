"""What operators see of an ensemble: the words, commands and metrics of a leader, a follower and an observer, beside
what Java servers say in the same roles."""

import json
import re
import urllib.error
import urllib.request

import pytest

from harness import records
from harness.ensemble import Ensemble
from harness.fourletter import ask, fields
from harness.ports import free_port
from harness.waiting import wait_until
from harness.wire import Op, Wire

ROLES = {"leader": 3, "follower": 1, "observer": 4}


class Members:
    """Three voters, of whom 3 leads, and an observer; two transactions are done and known to all."""

    def __init__(self, launcher, kind):
        self.admin_ports = {}
        self.ensemble = Ensemble(self._launcher(launcher, kind), [kind] * 4, observers={4})
        for sid in self.ensemble.ids:
            self.admin_ports[sid] = free_port()
            self.ensemble[sid].config |= {"admin.enableServer": "true", "admin.serverPort": str(self.admin_ports[sid])}
        self.ensemble.start_led_by(3)
        with Wire(self.ensemble[1].port) as client:
            client.connect(timeout=60_000)
            client.ok(Op.CREATE, records.create("/a", b"x"))
            self.ensemble.await_same()
        self.ensemble.await_same()

    @staticmethod
    def _launcher(launcher, kind):
        """Keeps the folders of two ensembles apart."""

        def launch(*args, name, **more):
            return launcher(*args, name=f"{kind}-{name}", **more)

        launch.kind = launcher.kind
        return launch

    def word(self, role: str, word: str) -> str:
        return ask(self.ensemble[ROLES[role]].port, word)

    def command(self, role: str, command: str) -> dict:
        return command_of(self.admin_ports[ROLES[role]], command)


def command_of(port: int, command: str) -> dict:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/commands/{command}", timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return json.load(error)


@pytest.fixture(scope="module")
def java(new_module_server):
    return Members(new_module_server, "java")


@pytest.fixture(scope="module")
def ours(new_module_server):
    return Members(new_module_server, "own")


OWN = {"version", "data_dir", "data_log_dir"}
"""What each server has texts of its own for."""


def shape(value):
    """What a JSON value consists of, with numbers and texts masked."""
    match value:
        case dict():
            return {key: shape(inner) for key, inner in value.items() if key not in OWN}
        case list():
            return [shape(value[0])] if value else []
        case bool() | None:
            return value
        case int() | float():
            return "number"
        case _:
            return re.sub(r"[0-9a-f]+", "#", str(value))


def names(text: str) -> set[str]:
    """The names that `mntr` tells, but for those by key: which keys there are, goes by what happened."""
    by_key = r"_\d+_(ack_latency|learner_handler)|_(read|write)_per_namespace"
    return {name for name in fields(text, "\t") if not re.search(by_key, name)}


@pytest.mark.parametrize("role", ROLES)
def test_mntr(java, ours, role):
    theirs, mine = java.word(role, "mntr"), ours.word(role, "mntr")
    assert names(mine) ^ names(theirs) == set()
    for name in ["server_state", "peer_state", "quorum_size", "learners", "synced_followers", "synced_observers",
                 "synced_non_voting_followers", "pending_syncs", "observer_master_id", "znode_count",
                 "global_sessions"]:
        key = f"zk_{name}"
        assert fields(mine, "\t").get(key) == fields(theirs, "\t").get(key), key


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("word", ["srvr", "conf", "isro", "dump"])
def test_words_have_the_same_lines(java, ours, role, word):
    def lines(text):
        # Numbers, places and times differ; a version's text is the server's own.
        text = re.sub(r"version: .*", "version:", text)
        text = re.sub(r"(dataDir|dataLogDir)=.*", r"\1=", text)
        text = re.sub(r"-?(0x)?[0-9a-f]*\d[0-9a-f.]*", "#", text)
        # Java keeps sets that are empty.
        return [line for line in text.split("\n") if not re.search("sessionId|expire at", line)]

    assert lines(ours.word(role, word)) == lines(java.word(role, word))


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    "command", ["leader", "voting_view", "observers", "zabstate", "configuration", "server_stats", "is_read_only"]
)
def test_commands_have_the_same_shape(java, ours, role, command):
    assert shape(ours.command(role, command)) == shape(java.command(role, command))


@pytest.mark.parametrize("role", ROLES)
def test_what_is_measured(ours, role):
    """Something happened in each role, and the metrics tell of it."""
    told = fields(ours.word(role, "mntr"), "\t")
    expected = {
        "leader": ["proposal_count", "commit_count", "cnt_quorum_ack_latency", "cnt_election_time",
                   "cnt_leader_unavailable_time", "last_proposal_size", "leader_uptime"],
        "follower": ["learner_proposal_received_count", "learner_commit_received_count", "cnt_proposal_latency",
                     "cnt_follower_sync_time", "cnt_proposal_ack_creation_latency", "cnt_election_time"],
        "observer": ["learner_commit_received_count", "cnt_observer_sync_time", "cnt_commit_propagation_latency"],
    }
    for name in [*expected[role], "looking_count", "cnt_unavailable_time", "cnt_propagation_latency"]:
        assert int(told[f"zk_{name}"]) > 0, name
    if role == "leader":
        assert int(told["zk_diff_count"]) + int(told["zk_snap_count"]) >= 3


def test_without_a_leader(new_ensemble):
    """Whoever is left alone is well and says that it does not serve."""
    admin = free_port()
    ensemble = new_ensemble("own", "own", "own")
    ensemble[1].config |= {"admin.enableServer": "true", "admin.serverPort": str(admin)}
    ensemble.start_led_by(3)
    ensemble.kill(2, 3)
    wait_until(lambda: ensemble.mode(1) is None, "server 1 notices")
    refusal = "This ZooKeeper instance is not currently serving requests"
    for word in ["srvr", "mntr", "stat", "conf", "dump"]:
        assert ask(ensemble[1].port, word).split("\n")[0] == refusal, word
    assert ask(ensemble[1].port, "isro") == "null"
    assert ask(ensemble[1].port, "ruok") == "imok"
    for command in ["leader", "voting_view", "server_stats", "ruok"]:
        assert command_of(admin, command)["error"].startswith(refusal), command
    if ensemble.kind(1) != "grevy":
        return
    waits = wait_until(lambda: command_of(admin, "ensemble")["waits"], "it says what it waits for")
    assert "leader" in waits
    for page, status in [("health", 200), ("ready", 503)]:
        try:
            code = urllib.request.urlopen(f"http://127.0.0.1:{admin}/{page}", timeout=10).status
        except urllib.error.HTTPError as error:
            code = error.code
        assert code == status, page
    assert ensemble.log_says(1, "looking for a leader: the connection to the leader ended")
    ensemble.start(2, 3)
    ensemble.await_serving()
    assert command_of(admin, "ensemble")["waits"] is None
