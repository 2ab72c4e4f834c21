"""Local sessions in ensembles of Grevy and Java servers: known to one server until they need more."""

import pytest

from harness import records
from harness.contents import EPHEMERAL, open_session, resume_session, resumed
from harness.fourletter import ask, fields
from harness.waiting import wait_until
from harness.wire import Op

KINDS = {"leads": ("java", "java", "own"), "follows": ("java", "own", "java"), "among its own": ("own", "java", "own")}
EPHEMERAL_ON_LOCAL_SESSION = -120


def started(new_ensemble, kinds, upgrading):
    config = {"localSessionsEnabled": "true", "localSessionsUpgradingEnabled": str(upgrading).lower()}
    return new_ensemble(*KINDS[kinds], config=config).start_led_by(3)


def sessions(ensemble, sid) -> tuple[int, int]:
    """How many the server knows: local ones and the ensemble's."""
    told = fields(ask(ensemble[sid].port, "mntr"), "\t")
    return int(told["zk_local_sessions"]), int(told["zk_global_sessions"])


def zxids(ensemble) -> set[int]:
    return {server.zxid() for server in ensemble.servers.values()}


@pytest.mark.parametrize("kinds", KINDS)
def test_a_local_session_is_known_to_one_server(new_ensemble, kinds):
    ensemble = started(new_ensemble, kinds, upgrading=True)
    writer = open_session(ensemble.port(1))
    writer.ok(Op.CREATE, records.create("/known"))
    wait_until(lambda: len(zxids(ensemble)) == 1, "all have it")
    before = zxids(ensemble)
    clients = {sid: open_session(ensemble.port(sid)) for sid in ensemble.ids}
    for sid, client in clients.items():
        assert sessions(ensemble, sid)[0] == (2 if sid == 1 else 1)
        client.ok(Op.EXISTS, records.path_and_watch("/known"))
        elsewhere = [other for other in ensemble.ids if other != sid]
        assert [resumed(ensemble.port(other), client.session) for other in elsewhere] == [0, 0]
    for sid, client in clients.items():
        client.close()
        # It is at home where it began.
        clients[sid] = resume_session(ensemble.port(sid), client.session)
        clients[sid].ok(Op.EXISTS, records.path_and_watch("/known"))
        clients[sid].close_session()
    assert zxids(ensemble) == before, "it was no transaction"
    # Writing makes it no less local.
    writer.ok(Op.SET_DATA, records.set_data("/known", b"by a local session"))
    assert [sessions(ensemble, sid)[1] for sid in ensemble.ids] == [0, 0, 0]


@pytest.mark.parametrize("kinds", KINDS)
@pytest.mark.parametrize("how", ["create", "multi"])
def test_the_first_ephemeral_znode_makes_it_known_to_all(new_ensemble, kinds, how):
    ensemble = started(new_ensemble, kinds, upgrading=True)
    for sid in ensemble.ids:
        client = open_session(ensemble.port(sid))
        path = f"/of-{sid}"
        record = records.create(path, flags=EPHEMERAL)
        match how:
            case "create":
                client.ok(Op.CREATE, record)
            case "multi":
                client.ok(Op.MULTI, records.multi([(Op.CREATE, records.create(f"/with-{sid}")), (Op.CREATE, record)]))
        ensemble.await_same()
        for other in ensemble.ids:
            assert sessions(ensemble, other)[1] == 1, f"{other} knows the session of {sid}"
            seen = open_session(ensemble.port(other))
            (stat,) = seen.ok(Op.EXISTS, records.path_and_watch(path))
            assert stat.ephemeral_owner == client.session.id
            seen.close_session()
        for other in [*ensemble.ids, sid]:
            client.close()
            client = resume_session(ensemble.port(other), client.session)
            client.ok(Op.SET_DATA, records.set_data(path, b"%d" % other))
        client.close_session()
        ensemble.await_same()
        for other in ensemble.ids:
            assert sessions(ensemble, other) == (0, 0)
            seen = open_session(ensemble.port(other))
            assert seen.call(Op.EXISTS, records.path_and_watch(path))[0].err == -101
            seen.close_session()
    assert not ensemble.tree_differences()


@pytest.mark.parametrize("kinds", KINDS)
def test_without_upgrading_it_has_no_ephemeral_znodes(new_ensemble, kinds):
    ensemble = started(new_ensemble, kinds, upgrading=False)
    for sid in ensemble.ids:
        client = open_session(ensemble.port(sid))
        record = records.create(f"/of-{sid}", flags=EPHEMERAL)
        assert client.call(Op.CREATE, record)[0].err == EPHEMERAL_ON_LOCAL_SESSION
        client.ok(Op.CREATE, records.create(f"/of-{sid}"))
        client.close_session()
    ensemble.await_same()
    assert not ensemble.tree_differences()


@pytest.mark.parametrize("kinds", KINDS)
def test_an_upgraded_session_outlives_its_server_and_the_leader(new_ensemble, kinds):
    ensemble = started(new_ensemble, kinds, upgrading=True)
    client = open_session(ensemble.port(1))
    client.ok(Op.CREATE, records.create("/e", flags=EPHEMERAL))
    for victim in [1, 3]:
        ensemble.kill(victim)
        ensemble.await_leader()
        client = resume_session(ensemble.port(2), client.session)
        client.ok(Op.SET_DATA, records.set_data("/e", b"still there"))
        client.close()
        ensemble.start(victim)
        ensemble.await_serving()
    client = resume_session(ensemble.port(3), client.session)
    client.close_session()
    ensemble.await_same()
    assert not ensemble.tree_differences()
