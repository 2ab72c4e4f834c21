"""The digests that members of one ensemble keep of their trees, which must be the same."""

import pytest

from harness import records
from harness.contents import Contents, open_session
from harness.fourletter import ask, fields
from harness.ports import free_port
from harness.waiting import wait_until
from harness.wire import Op
from histories.load import Load
from test_ensemble_operators import command_of

MIXES = {
    "leads": (("java", "java", "own", "own"), (4,)),
    "follows": (("java", "own", "java", "java"), (4,)),
    "leads 3.6": (("java 3.6.4", "java 3.6.4", "own"), ()),
    "follows 3.6": (("own", "own", "java 3.6.4"), ()),
}
EVERY = 128
"""Of so many transactions, servers keep one's digest."""


@pytest.mark.parametrize("mix", MIXES)
def test_digests_are_the_same(new_ensemble, mix):
    kinds, observers = MIXES[mix]
    old = any("3.6" in kind for kind in kinds)
    ensemble = new_ensemble(*kinds, observers=observers, properties={"zookeeper.digest.enabled": "true"})
    admin_ports = {sid: free_port() for sid in ensemble.ids}
    for sid, port in admin_ports.items():
        ensemble[sid].config |= {"admin.enableServer": "true", "admin.serverPort": str(port)}
    ensemble.start_led_by(3)
    contents = Contents(ensemble.port(1), old=old)
    for sid in ensemble.ids:
        contents.resume(ensemble.port(sid))
        contents.go_on()
    with Load(ensemble, old=old) as load:
        load.progress(600)
    load.judge()
    client = open_session(ensemble.port(1))
    for number in range(2 * EVERY):
        client.ok(Op.CREATE, records.create(f"/d-{number}", b"x" * number))
    ensemble.await_same()
    for sid in ensemble.ids:
        told = fields(ask(ensemble[sid].port, "mntr"), "\t")
        assert int(told["zk_digest_mismatches_count"]) == 0, sid
    same({sid: fields(ask(ensemble[sid].port, "hash"), ": ") for sid in ensemble.ids})
    if old:
        # The command came with 3.7.
        return
    told = {sid: command_of(port, "hash")["digests"] for sid, port in admin_ports.items()}
    same({sid: {digest["zxid"]: digest["digest"] for digest in digests} for sid, digests in told.items()})


def same(told: dict[int, dict]):
    """Digests by zxid: servers agree on those that all of them tell of, which are several."""
    first, *others = told.values()
    shared = [zxid for zxid in first if all(zxid in digests for digests in others)]
    assert len(shared) >= 3, told
    for zxid in shared:
        assert len({digests[zxid] for digests in told.values()}) == 1, f"{zxid}: {told}"


def test_a_member_that_keeps_none_harms_nobody(new_ensemble):
    """A Java server without digests, which leads, follows and leads again."""
    ensemble = new_ensemble("own", "own", "java")
    ensemble[3].properties = ensemble.properties | {"zookeeper.digest.enabled": "false"}
    ensemble.start_led_by(3)
    contents = Contents(ensemble.port(1))
    for victim in [3, 2, 1]:
        ensemble.stop(victim)
        ensemble.await_leader()
        ensemble.start(victim)
        wait_until(lambda: all(ensemble.mode(sid) for sid in ensemble.ids), "all serve")
        contents.resume(ensemble.port(victim))
        contents.go_on()
    ensemble.await_same()
    assert not ensemble.tree_differences()
    for sid in ensemble.ids:
        told = fields(ask(ensemble[sid].port, "mntr"), "\t")
        assert int(told["zk_digest_mismatches_count"]) == 0, sid
