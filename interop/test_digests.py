"""The digests that members of one ensemble keep of their trees, which must be the same."""

import json

import pytest

from harness import records
from harness.contents import Contents, open_session
from harness.fourletter import ask, fields
from harness.waiting import wait_until
from harness.wire import Op
from histories.load import Load
from test_ensemble_operators import command_of
from harness.ports import free_port

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
    by_word = {sid: json.loads(ask(ensemble[sid].port, "hash")) for sid in ensemble.ids}
    same(by_word)
    # The command came with 3.7.
    admin = {sid: command_of(port, "hash")["digests"] for sid, port in admin_ports.items() if not old}
    same(admin)


def same(told: dict[int, list[dict]]):
    """What servers say of the same transactions, of which there are several."""
    by_zxid = {}
    for sid, digests in told.items():
        for digest in digests:
            by_zxid.setdefault(digest["zxid"], {})[sid] = (digest["digest"], digest["digestVersion"])
    shared = {zxid: digests for zxid, digests in by_zxid.items() if len(digests) == len(told)}
    if told:
        assert len(shared) >= 3, by_zxid
    for zxid, digests in shared.items():
        assert len(set(digests.values())) == 1, f"{zxid}: {digests}"


def test_a_member_that_keeps_none_harms_nobody(new_ensemble):
    """A Java server without digests among those that have them, in each role."""
    ensemble = new_ensemble("own", "own", "java").start_led_by(3)
    contents = Contents(ensemble.port(1))
    ensemble[3].properties["zookeeper.digest.enabled"] = "false"
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
