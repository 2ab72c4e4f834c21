"""Ensembles whose members change while they serve."""

import contextlib
import re

import pytest
from kazoo.exceptions import ConnectionLoss

from harness import fourletter
from harness.kazoos import kazoo
from harness.trees import SUPER
from harness.waiting import wait_until

CONFIG = {"reconfigEnabled": "true", "standaloneEnabled": "false"}
MIXES = {
    "own": ("own", "own", "own", "own"),
    # Server 3 leads.
    "own of a java leader": ("own", "own", "java", "own"),
    "java of an own leader": ("java", "java", "own", "java"),
    "both": ("java", "own", "own", "own"),
}


@pytest.fixture(params=MIXES)
def ensemble(request, new_ensemble):
    """Led by 3; server 4 observes."""
    ensemble = new_ensemble(*MIXES[request.param], observers=[4], config=CONFIG).start_led_by(3)
    ensemble.await_serving()
    return ensemble


def line(ensemble, sid: int, role: str) -> str:
    quorum, election = ensemble.quorum_port(sid), ensemble.election_port(sid)
    return f"server.{sid}=127.0.0.1:{quorum}:{election}:{role};127.0.0.1:{ensemble[sid].port}"


def members(text: str) -> dict[int, str]:
    """The roles of the servers in a configuration."""
    return {int(sid): role for sid, role in re.findall(r"^server\.(\d+)=.*?:(participant|observer)", text, re.M)}


def reconfigure(ensemble, through: int, joining=None, leaving=None, new_members=None) -> dict[int, str]:
    """Returns the roles in the configuration that the reply tells."""
    with kazoo(ensemble[through], auth_data=[("digest", SUPER.decode())]) as client:
        data, stat = client.reconfig(joining, leaving, new_members)
        text = data.decode()
        told, _ = client.get("/zookeeper/config")
        assert told.decode() == text
    version = int(text.rpartition("version=")[2], 16)
    assert version == stat.mzxid
    return members(text)


def synced_voters(ensemble) -> int:
    fields = fourletter.fields(fourletter.ask(ensemble[ensemble.await_leader()].port, "mntr"), "\t")
    return int(fields["zk_synced_followers"])


@pytest.mark.parametrize("through", [1, 3])
def test_an_observer_gets_a_vote_and_gives_it_back(ensemble, through):
    assert ensemble.mode(4) == "observer"
    roles = reconfigure(ensemble, through, joining=line(ensemble, 4, "participant"))
    assert roles == dict.fromkeys([1, 2, 3, 4], "participant")
    wait_until(lambda: ensemble.mode(4) == "follower", "server 4 follows")
    wait_until(lambda: synced_voters(ensemble) == 3, "all follow")

    # Its vote counts: with two of the others gone there is no quorum without it, and with one there is.
    ensemble.kill(1)
    with kazoo(ensemble[2]) as client:
        client.create("/with three of four")
    ensemble.start(1)
    ensemble.await_serving()

    roles = reconfigure(ensemble, through, joining=line(ensemble, 4, "observer"))
    assert roles == {1: "participant", 2: "participant", 3: "participant", 4: "observer"}
    wait_until(lambda: ensemble.mode(4) == "observer", "server 4 observes")
    ensemble.await_same()
    assert not ensemble.tree_differences()


def test_a_member_leaves_and_comes_back(ensemble):
    roles = reconfigure(ensemble, 3, leaving="1")
    assert roles == {2: "participant", 3: "participant", 4: "observer"}
    roles = reconfigure(ensemble, 2, joining=line(ensemble, 1, "participant"))
    assert roles == {1: "participant", 2: "participant", 3: "participant", 4: "observer"}
    wait_until(lambda: ensemble.mode(1) == "follower", "server 1 follows")
    wait_until(lambda: synced_voters(ensemble) == 2, "server 1 has a vote")
    ensemble.await_same()
    assert not ensemble.tree_differences()


def test_all_members_at_once(ensemble):
    new_members = ",".join([line(ensemble, 1, "observer"), *(line(ensemble, sid, "participant") for sid in (2, 3, 4))])
    # Who is to vote must be a voter of the leader's already.
    reconfigure(ensemble, 3, joining=line(ensemble, 4, "participant"))
    wait_until(lambda: ensemble.mode(4) == "follower", "server 4 follows")
    roles = reconfigure(ensemble, 3, new_members=new_members)
    assert roles == {1: "observer", 2: "participant", 3: "participant", 4: "participant"}
    wait_until(lambda: ensemble.mode(1) == "observer", "server 1 observes")
    ensemble.await_same()
    assert not ensemble.tree_differences()


def test_the_leader_leaves(ensemble):
    with kazoo(ensemble[2]) as client:
        client.create("/before")
    # A Java server sends its clients away when it gets another leader.
    with contextlib.suppress(ConnectionLoss):
        reconfigure(ensemble, 2, leaving="3")
    leader = ensemble.await_leader(among=[1, 2])
    with kazoo(ensemble[leader]) as client:
        told, _ = client.get("/zookeeper/config")
        assert members(told.decode()) == {1: "participant", 2: "participant", 4: "observer"}
        client.create("/after")
        assert {"before", "after"} <= set(client.get_children("/"))


@pytest.mark.parametrize("kinds", [("own", "own"), ("java", "own"), ("own", "java")], ids=" and ".join)
def test_who_is_in_no_configuration_yet_gets_a_vote_that_is_needed(new_ensemble, kinds):
    """The first server is alone in its configuration, and the file of the second has that one as an observer."""
    ensemble = new_ensemble(*kinds, config=CONFIG)
    first, second = (ensemble[sid].config for sid in (1, 2))
    for config in (first, second):
        config["server.1"] = line(ensemble, 1, "participant").partition("=")[2]
        # It is in the line.
        config["clientPort"] = None
    first["server.2"] = None
    second["server.2"] = line(ensemble, 2, "observer").partition("=")[2]
    second["peerType"] = "observer"
    ensemble.start()
    wait_until(lambda: ensemble.mode(2) == "follower", "server 2 waits as a follower")
    roles = reconfigure(ensemble, 1, joining=line(ensemble, 2, "participant"))
    assert roles == {1: "participant", 2: "participant"}
    wait_until(lambda: synced_voters(ensemble) == 1, "server 2 has a vote")
    ensemble.await_same()
    assert not ensemble.tree_differences()
