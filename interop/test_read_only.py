"""A server that has lost its ensemble and serves reads to those who ask for that."""

import pytest
from kazoo.client import KazooClient, KazooState, KeeperState
from kazoo.exceptions import NotReadOnlyCallError

from harness import records
from harness.contents import open_session
from harness.fourletter import ask
from harness.waiting import wait_until
from harness.wire import Closed, Op, Wire

MIXES = {"own": ("own", "java", "java"), "own of both": ("own", "own", "java"), "java": ("java", "own", "own")}
READ_ONLY = {"readonlymode.enabled": "true"}
# Otherwise a Java server has no session for those who come to it then.
LOCAL = {"localSessionsEnabled": "true"}


@pytest.fixture(params=MIXES)
def ensemble(request, new_ensemble):
    """Led by 3. With what is in the state of each."""
    ensemble = new_ensemble(*MIXES[request.param], config=LOCAL, properties=READ_ONLY).start_led_by(3)
    with open_session(ensemble.port(2)) as client:
        client.ok(Op.CREATE, records.create("/before", b"kept"))
    ensemble.await_same()
    return ensemble


def bring_back(ensemble):
    ensemble.start(2, 3)
    wait_until(lambda: ensemble.mode(1) == "follower", "server 1 follows again")


def agree(ensemble):
    with open_session(ensemble.port(2)) as client:
        # Local sessions come and go without any transaction.
        client.ok(Op.SET_DATA, records.set_data("/before", b"kept"))
    ensemble.await_same()
    assert not ensemble.tree_differences()


def leave_alone(ensemble):
    ensemble.kill(2, 3)
    wait_until(lambda: ask(ensemble[1].port, "isro") == "ro", "server 1 is read-only")


def test_reads_are_served_and_nothing_else(ensemble):
    leave_alone(ensemble)
    assert ensemble.mode(1) == "read-only"
    before = ensemble[1].zxid()
    client = Wire(ensemble.port(1))
    granted = client.connect(read_only=True)
    assert granted.id != 0 and granted.read_only is True
    data, _ = client.ok(Op.GET_DATA, records.path_and_watch("/before"))
    assert data == b"kept"
    (names,) = client.ok(Op.GET_CHILDREN, records.path_and_watch("/"))
    assert "before" in names
    for op, record in [
        (Op.CREATE, records.create("/after")),
        (Op.DELETE, records.path_and_version("/before")),
        (Op.SET_DATA, records.set_data("/before", b"changed")),
        (Op.SET_ACL, records.set_acl("/before")),
        (Op.MULTI, records.multi([(Op.CREATE, records.create("/after"))])),
        (Op.SYNC, records.path_only("/")),
    ]:
        assert client.call(op, record)[0].err == -119, op
    client.close_session()
    with Wire(ensemble.port(1)) as demanding:
        demanding.send_frame(records.connect(read_only=False))
        with pytest.raises(Closed):
            demanding.receive_frame()
    assert ensemble[1].zxid() == before
    # What it numbered itself is nowhere in the ensemble's history.
    bring_back(ensemble)
    agree(ensemble)
    ensemble.kill(*ensemble.ids)
    ensemble.start()
    agree(ensemble)


def test_kazoo_goes_to_read_only_and_back(ensemble):
    client = KazooClient(hosts=f"127.0.0.1:{ensemble.port(1)}", read_only=True, timeout=10)
    states = []
    client.add_listener(states.append)
    leave_alone(ensemble)
    client.start(timeout=30)
    try:
        assert client.client_state == KeeperState.CONNECTED_RO
        assert client.get("/before")[0] == b"kept"
        with pytest.raises(NotReadOnlyCallError):
            client.create("/after")
        bring_back(ensemble)
        wait_until(lambda: client.client_state == KeeperState.CONNECTED, "it can write", seconds=60)
        client.retry(client.create, "/after", b"")
        assert KazooState.CONNECTED in states
    finally:
        client.stop()
        client.close()
    agree(ensemble)
