"""Observers behind followers (`observerMasterPort`), of either kind on either side."""

import pytest

from harness import records
from harness.contents import Contents, open_session, resume_session
from harness.fourletter import ask, fields
from harness.ports import free_port
from harness.waiting import wait_until
from harness.wire import Op
from histories.load import Load
from test_mixed_ensembles import go_on_everywhere

MIXES = {
    "observes java": ("java", "java", "java", "own"),
    "is observed by java": ("own", "own", "own", "java"),
    "is observed by its own": ("own", "own", "java", "own"),
    "observes 3.6": ("java 3.6.4", "java 3.6.4", "java 3.6.4", "own"),
    "is observed by 3.6": ("own", "own", "own", "java 3.6.4"),
}


@pytest.fixture(params=MIXES)
def observed(request, new_ensemble):
    """Three voters, led by 3, and an observer that finds followers alone."""
    config = {"observerMasterPort": str(free_port())}
    return new_ensemble(*MIXES[request.param], observers={4}, config=config, hosts=True).start_led_by(3)


def master(ensemble) -> int | None:
    """Whom the observer is connected to."""
    told = fields(ask(ensemble[4].port, "mntr"), "\t")
    return int(told["zk_observer_master_id"]) if "zk_observer_master_id" in told else None


def test_an_observer_has_all_from_a_follower(observed):
    assert master(observed) in {1, 2}
    contents = Contents(observed.port(4), old=True)
    client = open_session(observed.port(4))
    for number in range(20):
        client.ok(Op.CREATE, records.create(f"/o-{number}"))
        client.ok(Op.SYNC, records.path_only("/"))
    # Its session goes on at the follower, at the leader, and behind the follower again.
    for sid in [master(observed), 3, 4]:
        client.close()
        client = resume_session(observed.port(sid), client.session)
        client.ok(Op.SET_DATA, records.set_data("/o-1", b"%d" % sid))
    client.close_session()
    go_on_everywhere(observed, contents)


def test_an_observer_finds_another_follower(observed):
    with Load(observed, old=True) as load:
        load.progress()
        first = master(observed)
        observed.kill(first)
        wait_until(lambda: observed.mode(4) == "observer" and master(observed) != first, "it has another master")
        load.progress()
        observed.start(first)
        load.progress()
        observed.kill(3)
        observed.await_leader(among=[1, 2])
        wait_until(lambda: observed.mode(4) == "observer", "it observes the next one")
        observed.start(3)
        load.progress()
    load.judge(java_may={"P22"})
