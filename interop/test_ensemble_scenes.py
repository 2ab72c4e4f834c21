"""Scenes with a part to play: damaged and emptied disks, syncs that fail, strangers at the ports of the servers."""

import contextlib
import shutil
import socket
import time

import pytest

from harness import logs, records
from harness.contents import open_session
from harness.disks import Shim, Tmpfs
from harness.ensemble import Ensemble
from harness.jute import int32, int64
from harness.peer import (
    ACK_EPOCH,
    FOLLOWER_INFO,
    LEADING,
    LOOKING,
    NEW_LEADER,
    OBSERVER_INFO,
    PROPOSAL,
    hello,
    learner_info,
    notification,
    packet,
    say,
)
from harness.ports import free_port
from harness.waiting import wait_until
from harness.wire import Op
from histories.load import Load

CONFIG = {
    "tickTime": "400",
    "syncLimit": "5",
    "initLimit": "10",
    "snapCount": "100000",
    "maxSessionTimeout": "600000",
}


# Writes that a majority has, of which one loses them and another never had them -------------------


@pytest.fixture
def laggard(new_ensemble):
    """Three servers that are all down: 1 lacks the last twenty writes, which 2 and 3 have acknowledged."""
    ensemble = new_ensemble("own", "own", "own", config=CONFIG).start_led_by(3)
    client = open_session(ensemble.port(3))
    create(client, "/before", 5)
    ensemble.await_same()
    ensemble.kill(1)
    create(client, "/acknowledged", 20)
    ensemble.kill(3, 2)
    return ensemble


def zero_a_length(ensemble):
    """The length of the first of those writes reads as zero in the log of server 3, which looks like its end."""
    newest = logs.newest(ensemble[3].data)
    record = next(one for one in logs.read(newest) if b"/acknowledged-0" in one.entry)
    logs.overwrite(newest, record.offset + 8, bytes(4))


def empty_the_directory(ensemble):
    shutil.rmtree(ensemble[3].data / "version-2")


@pytest.mark.parametrize("damage", [zero_a_length, empty_the_directory])
def test_one_damaged_and_one_behind_do_not_go_on_without_the_third(laggard, damage):
    """The Java servers do, and what they had acknowledged is gone: this is what the scene is about."""
    ensemble = laggard
    damage(ensemble)
    ensemble.spawn(1, 3)
    if ensemble.kind(3) == "java":
        ensemble.await_leader()
        ensemble.start()
        assert survivors(ensemble, 1) == 0
        return
    wait_until(lambda: not ensemble[3].alive() or ensemble.log_says(3, "without"), "3 says that something is missing")
    assert not any(ensemble.mode(sid) for sid in (1, 3)), "they serve without what is missing"
    ensemble.start(2)
    ensemble.await_serving(1, 2)
    for sid in (1, 2):
        assert survivors(ensemble, sid) == 20
    if not ensemble[3].alive():
        assert str(ensemble[3].data) in ensemble[3].log_tail(), "it does not say what is damaged"
        # What its operator is told to do, who has no copy: let it begin anew.
        shutil.rmtree(ensemble[3].data / "version-2")
        ensemble.start(3)
    ensemble.await_serving()
    ensemble.await_same()
    assert survivors(ensemble, 3) == 20
    assert not ensemble.tree_differences()


def survivors(ensemble, sid) -> int:
    client = open_session(ensemble.port(sid))
    client.ok(Op.SYNC, records.path_only("/"))
    (names,) = client.ok(Op.GET_CHILDREN, records.path_and_watch("/"))
    client.close_session()
    assert sum(name.startswith("before") for name in names) == 5
    return sum(name.startswith("acknowledged") for name in names)


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def create(client, prefix: str, count: int):
    for number in range(count):
        client.ok(Op.CREATE, records.create(f"{prefix}-{number}", b"some data"))


# Disks that fail in the middle of work ------------------------------------------------------------


@pytest.mark.parametrize("who", ["follower", "leader"])
def test_whose_sync_fails_acknowledges_no_more(new_ensemble, who, tmp_path):
    ensemble = new_ensemble("own", "own", "own", config=CONFIG)
    failing = 3 if who == "leader" else 1
    shim = Shim(tmp_path)
    ensemble[failing].environment = shim.environment
    ensemble.start_led_by(3)
    with Load(ensemble) as load:
        load.progress()
        shim.fail()
        wait_until(lambda: ensemble.mode(failing) is None, f"{failing} has given up")
        ensemble.await_leader(among={1, 2, 3} - {failing})
        load.progress()
        # With only the failed one beside it, nobody can acknowledge anything.
        ensemble.kill(other := ({1, 2} - {failing}).pop())
        rest = ({1, 2, 3} - {failing, other}).pop()
        wait_until(lambda: ensemble.mode(rest) is None, f"{rest} has seen that it is alone")
        assert ensemble.mode(failing) is None
        shim.heal()
        ensemble.start(other)
        ensemble.await_serving(rest, other)
        load.progress()
        if ensemble[failing].alive():
            ensemble.stop(failing)
        if ensemble.kind(failing) == "java":
            # It may have gone on logging with a hole in its log, with which it does not start, and of which nobody need
            # hear any more.
            shutil.rmtree(ensemble[failing].data / "version-2")
            shutil.rmtree(ensemble[failing].folder / "archive")
        ensemble.start()
        load.progress()
    assert ensemble.log_says(failing, "Input/output error"), ensemble[failing].log_tail()
    load.judge()


def test_a_full_disk_is_left_out_until_there_is_room(new_ensemble, new_server):
    with Tmpfs(new_server.folder / "disk") as full:
        ensemble = new_ensemble("own", "own", "own", config=CONFIG, data={1: full.folder / "data"})
        ensemble.start_led_by(3)
        with Load(ensemble) as load:
            client = open_session(ensemble.port(3))
            for number in range(12):
                client.ok(Op.CREATE, records.create(f"/large-{number}", bytes(100_000)))
            wait_until(lambda: ensemble.mode(1) is None, "the one with the full disk has given up")
            assert ensemble.log_says(1, full.reason)
            load.progress(400)
            if ensemble[1].alive():
                ensemble.stop(1)
            full.make_room()
            ensemble.start(1)
            load.progress()
        load.judge()
        ensemble.kill(1, 2, 3)


# Strangers ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def settled(new_module_server):
    """An ensemble that must come to no harm."""
    ensemble = Ensemble(new_module_server, ("own", "own", "own"), config=CONFIG).start_led_by(3)
    client = open_session(ensemble.port(1))
    create(client, "/before", 5)
    client.close_session()
    return ensemble


@pytest.fixture
def unharmed(settled):
    """The ensemble, which afterwards has the leader and the epoch that it had, and goes on."""
    assert settled.leader() == 3
    epoch = settled.await_same() >> 32
    clients = [open_session(settled.port(sid)) for sid in settled.ids]
    yield settled
    for client in clients:
        client.ok(Op.CREATE, records.create("/goes-on"))
        client.ok(Op.DELETE, records.path_and_version("/goes-on"))
        client.close_session()
    assert settled.leader() == 3
    assert settled.await_same() >> 32 == epoch
    assert not settled.tree_differences()


HUGE = (1 << 31) - 1
EPOCH = 1 << 32

ELECTION_GARBAGE = {
    "garbage": b"GET / HTTP/1.1\r\n\r\n" * 3,
    "negative": int64(-7) + bytes(40),
    "long address": int64(-65536) + int64(9) + int32(HUGE) + bytes(100),
    "no address": int64(-65536) + int64(9) + int32(0) + bytes(100),
    "negative address": int64(-65536) + int64(9) + int32(-5) + bytes(100),
    "huge message": hello(9, b"127.0.0.1:1") + int32(HUGE) + bytes(100),
    "negative message": hello(9, b"127.0.0.1:1") + int32(-1) + bytes(100),
    "address without port": hello(9, b"nowhere") + int32(HUGE),
}

QUORUM_GARBAGE = {
    "garbage": b"GET / HTTP/1.1\r\n\r\n" * 3,
    "no learner": packet(PROPOSAL, EPOCH, b"something"),
    "leader's packet": packet(NEW_LEADER, EPOCH << 8),
    "huge data": int32(FOLLOWER_INFO) + int64(0) + int32(HUGE) + bytes(100),
    "negative data": int32(FOLLOWER_INFO) + int64(0) + int32(-2) + bytes(100),
    "many identities": int32(FOLLOWER_INFO) + int64(0) + int32(-1) + int32(HUGE) + bytes(100),
    "newer configuration": packet(FOLLOWER_INFO, 0, learner_info(2, 1 << 40)),
    "huge after info": packet(FOLLOWER_INFO, 0, learner_info(9)) + int32(ACK_EPOCH) + int64(0) + int32(HUGE),
}


def memory(ensemble) -> int:
    """Bytes in the main memory of all servers."""
    total = 0
    for server in ensemble.servers.values():
        lines = open(f"/proc/{server.process.pid}/status").read()
        total += int(lines.split("VmRSS:")[1].split()[0]) * 1024
    return total


@pytest.mark.parametrize("case", ELECTION_GARBAGE)
def test_garbage_at_the_election_port(unharmed, case):
    refused(unharmed, [unharmed.election_port(sid) for sid in unharmed.ids], ELECTION_GARBAGE[case])


@pytest.mark.parametrize("case", QUORUM_GARBAGE)
def test_garbage_at_the_quorum_port(unharmed, case):
    refused(unharmed, [unharmed.quorum_port(3)], QUORUM_GARBAGE[case])


def refused(ensemble, ports, data):
    """The connection is closed, a line in the log says why, and it costs no memory to speak of."""
    before = memory(ensemble)
    told = {sid: len(server.log.read_bytes()) for sid, server in ensemble.servers.items()}
    for port in ports:
        for _ in range(2):
            say(port, data)
    assert memory(ensemble) - before < 50 << 20
    if ensemble.kind(1) == "grevy":
        said = "".join(server.log.read_bytes()[told[sid] :].decode() for sid, server in ensemble.servers.items())
        assert "127.0.0.1:" in said, f"nothing in the log about it: {said}"


def test_truncated_frames(unharmed):
    """Whatever a peer had begun to say when its connection ended."""
    for whole, port in [
        (hello(2, b"127.0.0.1:1") + notification(LOOKING, 2, 0, 1, 0), unharmed.election_port(3)),
        (packet(FOLLOWER_INFO, 0, learner_info(9)), unharmed.quorum_port(3)),
    ]:
        for length in range(0, len(whole), 5):
            # It may be waited for the rest.
            with contextlib.suppress(TimeoutError):
                say(port, whole[:length], timeout=0.01)


def test_a_vote_of_a_stranger_with_a_greater_epoch(unharmed):
    """A server that no configuration knows says that it should lead, and that it does."""
    for state in (LOOKING, LEADING):
        for sid in unharmed.ids:
            vote = notification(state, 9, EPOCH << 8, 1 << 20, 1 << 9)
            with contextlib.suppress(TimeoutError):
                say(unharmed.election_port(sid), hello(9, b"127.0.0.1:1") + vote * 20, timeout=1)


def test_a_learner_with_a_history_of_another_ensemble(unharmed):
    """It has promised, and seen, more than the leader ever will. It is not taken for one that the leader must obey."""
    for kind in (FOLLOWER_INFO, OBSERVER_INFO):
        data = packet(kind, EPOCH << 8, learner_info(9)) + packet(ACK_EPOCH, (EPOCH << 8) + 7, int32(1 << 8))
        with contextlib.suppress(TimeoutError):
            say(unharmed.quorum_port(3), data, timeout=3)


@pytest.mark.parametrize("sid", [9, 2], ids=["unknown", "twice"])
@pytest.mark.parametrize("epoch", [0, 1 << 8])
def test_a_server_of_another_ensemble(unharmed, new_server, sid, epoch):
    """Its configuration names these servers as its peers, by mistake. It has a history, and an id, of its own."""
    stranger = new_server(CONFIG, name="stranger").start()
    create(open_session(stranger.port), "/of-the-other", 5)
    stranger.stop()
    if epoch:
        for name in ("acceptedEpoch", "currentEpoch"):
            (stranger.data / "version-2" / name).write_text(str(epoch))
    (stranger.data / "myid").write_text(f"{sid}\n")
    for other in unharmed.ids:
        ports = f"{unharmed.quorum_port(other)}:{unharmed.election_port(other)}"
        stranger.config[f"server.{other}"] = f"127.0.0.1:{ports}:participant"
    stranger.config[f"server.{sid}"] = f"127.0.0.1:{free_port()}:{free_port()}:participant"
    stranger.spawn()
    # Time enough to do harm: several rounds of an election.
    time.sleep(4)
    client = open_session(unharmed.port(2))
    (names,) = client.ok(Op.GET_CHILDREN, records.path_and_watch("/"))
    client.close_session()
    assert not [name for name in names if name.startswith("of-the-other")]
    if stranger.alive():
        stranger.kill()


@pytest.mark.parametrize("beside", ["own", "java"])
@pytest.mark.parametrize("writes", [2, 60], ids=["few", "many"])
def test_the_data_of_another_ensemble_and_all_start_at_once(new_ensemble, tmp_path, writes, beside):
    """Its epoch is greater than any here, its zxid perhaps. Yet it is not this ensemble that agreed on them."""
    # Time enough for a Java server to start before the two others have made up their minds.
    ensemble = new_ensemble("own", beside, "own", config=CONFIG | {"initLimit": "100"}).start_led_by(2)
    create(open_session(ensemble.port(3)), "/of-the-other", writes)
    ensemble.kill(*ensemble.ids)
    shutil.move(ensemble[3].data / "version-2", tmp_path / "of-the-other")
    for name in ("acceptedEpoch", "currentEpoch"):
        (tmp_path / "of-the-other" / name).write_text("256")
    for sid in (1, 2):
        shutil.rmtree(ensemble[sid].data / "version-2")
    # Another ensemble, which has nothing to do with that.
    ensemble.start_led_by(2)
    create(open_session(ensemble.port(1)), "/acknowledged", 20)
    ensemble.await_same()
    ensemble.kill(*ensemble.ids)
    shutil.rmtree(ensemble[3].data / "version-2")
    shutil.move(tmp_path / "of-the-other", ensemble[3].data / "version-2")
    # It is there first, or the others might have a leader before they hear of it, and keep it out by that.
    ensemble.spawn(3)
    wait_until(lambda: listens(ensemble.election_port(3)), "the election port of server 3")
    ensemble.spawn()
    ensemble.await_leader(among=(1, 2))
    ensemble.await_serving(1, 2)
    client = open_session(ensemble.port(1))
    create(client, "/after", 5)
    (names,) = client.ok(Op.GET_CHILDREN, records.path_and_watch("/"))
    client.close_session()
    found = {kind: sum(name.startswith(kind) for name in names) for kind in ("acknowledged", "after", "of-the-other")}
    assert found == {"acknowledged": 20, "after": 5, "of-the-other": 0}
    assert ensemble.mode(3) not in ("leader", "follower"), "it is kept out"
    log = ensemble[3].log_tail(200)
    start = log.rindex("started in")
    assert "it is another ensemble's" in log[start:]
    assert "taking back" not in log[start:] and "took over" not in log[start:], "its data is left alone"
