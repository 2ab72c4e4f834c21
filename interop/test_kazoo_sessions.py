"""kazoo clients over restarts of the server, and the end of sessions."""

import socket

import pytest
from kazoo.protocol.states import EventType, KazooState

from harness import records
from harness.kazoos import kazoo
from harness.waiting import wait_until
from harness.wire import Op, Wire


@pytest.fixture
def own(new_server):
    return new_server(config={"tickTime": "500", "maxSessionTimeout": "30000"}).start()


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_a_session_survives_the_restart_of_the_server(own, how):
    states, events = [], []
    with kazoo(own, timeout=20) as client:
        client.add_listener(states.append)
        session = client.client_id
        client.create("/e", b"mine", ephemeral=True)
        client.create("/n", b"1")
        client.ensure_path("/dir")
        client.create("/dir/s-", sequence=True)
        client.get("/n", watch=lambda event: events.append(event.type))
        client.DataWatch("/n", lambda data, stat: events.append(data))
        getattr(own, how)()
        wait_until(lambda: KazooState.SUSPENDED in states, "the client has noticed")
        own.start()
        wait_until(lambda: client.connected, "the client is back")
        assert client.client_id == session
        assert client.get("/e")[0] == b"mine"
        assert client.exists("/e").owner_session_id == session[0]
        assert client.create("/dir/s-", sequence=True) == "/dir/s-0000000001"
        client.set("/n", b"2")
        wait_until(lambda: b"2" in events, "the watch goes on")
    assert states == [KazooState.SUSPENDED, KazooState.CONNECTED, KazooState.LOST]


def test_every_acknowledged_write_survives_kill(own):
    with kazoo(own) as client:
        client.create("/d")
        written = []
        for round_ in range(3):
            for number in range(100):
                written.append(client.create(f"/d/{round_}-", str(number).encode(), sequence=True)[3:])
            own.kill()
            own.start()
        assert sorted(client.get_children("/d")) == sorted(written)
        assert client.get(f"/d/{written[-1]}")[0] == b"99"


def test_a_session_moves_from_connection_to_connection(own):
    with kazoo(own) as watching:
        seen = []
        first = Wire(own.port)
        session = first.connect(timeout=20_000)
        first.ok(Op.CREATE, records.create("/e", flags=1))
        with kazoo(own, client_id=(session.id, session.password)) as moved:
            assert moved.client_id == (session.id, session.password)
            assert first.receive_end() == [], "the session has moved, its old connection is closed"
            watching.exists("/e", watch=lambda event: seen.append(event.type))
            moved._connection._socket.shutdown(socket.SHUT_RDWR)
            assert moved.retry(moved.get, "/e")[0] == b""
            assert moved.client_id[0] == session.id and not seen
        # Leaving the block closed the session.
        wait_until(lambda: seen == [EventType.DELETED], "the node has gone with its session")


def test_expiry_deletes_ephemerals_and_refuses_the_session(own):
    with kazoo(own) as watching:
        seen = []
        silent = Wire(own.port)
        session = silent.connect(timeout=1000)
        with kazoo(own) as helper:
            helper.create("/dir")
        silent.ok(Op.CREATE, records.create("/dir/e", flags=1))
        watching.get_children("/dir", watch=lambda event: seen.append(event.type))
        assert watching.get_children("/dir") == ["e"]
        wait_until(lambda: seen == [EventType.CHILD], "the session has expired")
        assert watching.get_children("/dir") == []
    with Wire(own.port) as late:
        refused = late.connect(session=session.id, password=session.password)
    assert (refused.id, refused.timeout, refused.password) == (0, 0, bytes(16))


def test_expiry_after_a_restart(own):
    """A server that restarts grants each session its whole timeout again, and then ends it."""
    silent = Wire(own.port)
    silent.connect(timeout=1000)
    silent.ok(Op.CREATE, records.create("/e", flags=1))
    own.kill()
    own.start()
    with kazoo(own) as client:
        wait_until(lambda: client.exists("/e") is None, "the session has expired")

