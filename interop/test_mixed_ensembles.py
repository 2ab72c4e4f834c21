"""Grevy and Java servers in one ensemble, each in every role, killed, restarted and replaced under load.

With `--server java` all are Java servers, which shows the tests to be right.
"""

import pytest

from harness import records
from harness.contents import Contents, open_session
from harness.waiting import wait_until
from harness.wire import Op
from histories.disk import read_disk
from histories.load import Load

MIXES = {
    "follows java": (("own", "own", "java"), ()),
    "leads java": (("java", "java", "own"), ()),
    "observes java": (("java", "java", "java", "own"), (4,)),
    "is observed by java": (("own", "own", "own", "java"), (4,)),
    "is observed by its own": (("java", "java", "own", "own"), (4,)),
    "follows 3.6": (("own", "own", "java 3.6.4"), ()),
    "leads 3.6": (("java 3.6.4", "java 3.6.4", "own"), ()),
    "follows 3.5": (("own", "own", "java 3.5.10"), ()),
    "leads 3.5": (("java 3.5.10", "java 3.5.10", "own"), ()),
}


@pytest.mark.parametrize("mix", MIXES)
def test_each_is_killed_and_comes_back_under_load(new_ensemble, mix):
    kinds, observers = MIXES[mix]
    ensemble = new_ensemble(*kinds, observers=observers)
    ensemble.start_led_by(3)
    old = any("3.5" in kind or "3.6" in kind for kind in kinds)
    contents = Contents(ensemble.port(1), old=old)
    with Load(ensemble, old=old) as load:
        load.progress()
        for victim in [1, *observers, ensemble.await_leader(), ensemble.await_leader]:
            sid = victim() if callable(victim) else victim
            ensemble.kill(sid)
            ensemble.await_leader()
            load.progress()
            ensemble.start(sid)
            load.progress()
    # An old Java server that has to begin anew with its leader writes to its log what is there already.
    load.judge({"resumed": 6, "epochs": 3}, java_may={"P22"} if old else {})
    go_on_everywhere(ensemble, contents)


def test_all_are_replaced_one_by_one_and_back(new_ensemble):
    """Java servers by the kind under test, and again by Java servers, the leader last each time."""
    ensemble = new_ensemble("java", "java", "java").start_led_by(3)
    contents = Contents(ensemble.port(1))
    with Load(ensemble) as load:
        for kind in ["own", "java"]:
            leader = ensemble.await_leader()
            for sid in [*(sid for sid in ensemble.ids if sid != leader), leader]:
                load.progress()
                ensemble.replace(sid, kind)
                ensemble.await_leader()
                load.progress()
                ensemble.start(sid)
            load.progress()
    load.judge({"resumed": 6, "epochs": 3})
    go_on_everywhere(ensemble, contents)


@pytest.mark.parametrize("properties", [{}, {"zookeeper.snapshotSizeFactor": "-1"}], ids=["log", "snapshot"])
@pytest.mark.parametrize("behind, leader", [("own", "java"), ("java", "own"), ("own", "own")])
def test_a_server_that_missed_much(new_ensemble, behind, leader, properties):
    """What the leader has in memory does not reach back to where the other one was."""
    ensemble = new_ensemble(behind, "own", leader, properties=properties).start_led_by(3)
    client = open_session(ensemble.port(3))
    create_many(client, "/before", 1500)
    ensemble.await_same()
    ensemble.kill(1)
    create_many(client, "/after", 700)
    client.ok(Op.DELETE, records.path_and_version("/before-7"))
    ensemble.start(1)
    ensemble.await_same()
    assert not ensemble.tree_differences()
    # And all of it is on its disk.
    ensemble.kill(2, 3)
    ensemble.kill(1)
    ensemble.start()
    ensemble.await_same()
    assert not ensemble.tree_differences()


@pytest.mark.parametrize("more", [0, 20], ids=["at once", "later"])
@pytest.mark.parametrize("deposed, others", [("own", "java"), ("java", "own"), ("own", "own")])
def test_what_only_a_deposed_leader_has_goes(new_ensemble, network, deposed, others, more):
    config = {"syncLimit": "4"}
    ensemble = new_ensemble(others, others, deposed, network=network, config=config).start_led_by(3)
    client = open_session(ensemble[3].port)
    create_many(client, "/before", 10)
    network.cut_one_way((3, 1), (3, 2))
    for number in range(5):
        client.send(Op.CREATE, records.create(f"/lost-{number}"))
    lost = ensemble[3].data
    wait_until(lambda: "/lost-4" in str(read_disk(lost, "").txns[-1].body), "the leader has logged what nobody else has")
    ensemble.kill(3)
    leader = ensemble.await_leader(among=[1, 2])
    network.heal()
    client = open_session(ensemble.port(leader))
    create_many(client, "/after", more)
    ensemble.start(3)
    create_many(client, "/later", 3)
    for _ in range(2):
        ensemble.await_same()
        assert not ensemble.tree_differences()
        (names,) = open_session(ensemble.port(3)).ok(Op.GET_CHILDREN, records.path_and_watch("/"))
        assert not [name for name in names if name.startswith("lost")]
        assert len([name for name in names if name.startswith("after")]) == more
        # Nor does it come back from its disk.
        ensemble.kill(3)
        ensemble.start(3)


@pytest.mark.parametrize("kinds", [("java", "own", "own"), ("own", "java", "java")], ids=["own", "java"])
def test_weights_count(new_ensemble, kinds):
    """Server 3 weighs more than the two others together: it is a quorum, and they are none."""
    weights = {"group.1": "1:2:3", "weight.1": "1", "weight.2": "1", "weight.3": "3"}
    ensemble = new_ensemble(*kinds, config=weights).start()
    with Load(ensemble) as load:
        load.progress()
        ensemble.kill(1, 2)
        ensemble.await_leader(among=[3])
        load.progress()
        ensemble.start(1, 2)
        load.progress()
        ensemble.kill(3)
        wait_until(lambda: not any(ensemble.mode(sid) for sid in (1, 2)), "the two others do not serve")
        ensemble.start()
        load.progress()
    load.judge()


GROUPED = {
    "own in each": ("own", "java", "java 3.6.4", "own", "own"),
    "java in each": ("java", "own", "java", "java 3.6.4", "own"),
}


@pytest.mark.parametrize("kinds", GROUPED)
def test_groups_count(new_ensemble, kinds):
    """Two of three groups are needed; in the first, server 2 alone is enough, in the second both are."""
    groups = {"group.1": "1:2", "group.2": "3:4", "group.3": "5", "weight.2": "3"}
    weights = {f"weight.{sid}": "1" for sid in (1, 3, 4, 5)}
    ensemble = new_ensemble(*GROUPED[kinds], config=groups | weights).start()
    with Load(ensemble, old=True) as load:
        load.progress()
        for victims, suffices in [((1, 3), True), ((5,), True), ((2,), True), ((2, 5), False), ((4, 2), False)]:
            ensemble.kill(*victims)
            if suffices:
                ensemble.await_leader()
                load.progress()
            else:
                left = [sid for sid in ensemble.ids if sid not in victims]
                wait_until(lambda: not any(ensemble.mode(sid) for sid in left), f"{left} are no quorum")
            ensemble.start()
            ensemble.await_leader()
            load.progress()
    load.judge(java_may={"P22"})


def create_many(client, prefix, count):
    for number in range(count):
        client.send(Op.CREATE, records.create(f"{prefix}-{number}", b"x" * 100))
    for _ in range(count):
        assert client.receive().err == 0


def go_on_everywhere(ensemble, contents):
    """The sessions from before, and all that was made then, go on at each server in turn."""
    ensemble.await_serving()
    for sid in ensemble.ids:
        contents.resume(ensemble.port(sid))
        contents.go_on()
    ensemble.await_same()
    assert not ensemble.tree_differences()
    contents.owner.close_session()
    ensemble.await_same()
    for sid in ensemble.ids:
        client = open_session(ensemble.port(sid))
        (names,) = client.ok(Op.GET_CHILDREN, records.path_and_watch("/e"))
        client.close_session()
        assert names == [], f"ephemeral nodes on {sid} have outlived their session"
