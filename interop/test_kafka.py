"""Kafka brokers that keep their metadata in the server under test."""

import pytest
from kazoo.exceptions import NoNodeError

from harness.kafka import Broker, User, controller
from harness.kazoos import kazoo
from harness.waiting import wait_until

MESSAGES = 100_000


@pytest.fixture
def cluster(new_server):
    cluster = Cluster(new_server)
    yield cluster
    cluster.end()


class Cluster:
    """The server, brokers on it, and somebody who uses them."""

    def __init__(self, launcher):
        self.server = launcher().start()
        self.folder = launcher.folder
        self.brokers = []
        self.user = None

    def start(self, count: int):
        for number in range(count):
            self.brokers.append(Broker(self.folder / f"broker-{number}", number, self.server).spawn())
        for broker in self.brokers:
            broker.wait()
        self.user = User(*self.brokers)

    def await_partitions(self, described: str, why: str):
        """A broker is registered before it knows any topic, and says so to those who ask that early (KAFKA-15161)."""
        wait_until(lambda: self.user.tries("describe") == f"ok {described}", why, seconds=60, interval=0.5)

    def ephemerals(self) -> dict[str, int]:
        """Who registered each broker and the controller: the owning sessions."""
        with kazoo(self.server) as client:
            paths = [f"/brokers/ids/{name}" for name in client.get_children("/brokers/ids")] + ["/controller"]
            return {path: client.exists(path).owner_session_id for path in paths}

    def end(self):
        for broker in self.brokers:
            broker.kill()
        if self.user is not None:
            self.user.end()


@pytest.mark.timeout(400)
def test_one_broker(cluster):
    cluster.start(1)
    server, (broker,), user = cluster.server, cluster.brokers, cluster.user
    user("create", "first", 3, 1)
    assert user("produce", "first", 0, MESSAGES) == str(MESSAGES)
    assert int(user("consume", "first", MESSAGES)) >= MESSAGES

    # The broker restarts.
    broker.stop()
    with kazoo(server) as client:
        with pytest.raises(NoNodeError):
            client.get("/brokers/ids/0")
    broker.start()
    cluster.await_partitions("{first=3/3}", "it leads its partitions again")
    user("consume", "first", MESSAGES)

    # The server goes away under it, and comes back with the broker's session.
    before = cluster.ephemerals()
    server.kill()
    server.start()
    user("create", "second", 2, 1)
    assert cluster.ephemerals() == before
    assert user("produce", "second", 0, 1000) == "1000"
    user("consume", "second", 1000)

    # Partitions are added, and all of them used.
    user("partitions", "second", 5)
    assert user("describe") == "{first=3/3, second=5/5}"
    assert user("produce", "second", 1000, 1000) == "1000"
    user("consume", "second", 2000)
    with kazoo(server) as client:
        assert sorted(client.get_children("/brokers/topics/second/partitions")) == list("01234")


@pytest.mark.timeout(400)
def test_the_controller_dies(cluster):
    cluster.start(2)
    server, user = cluster.server, cluster.user
    user("create", "shared", 4, 2)
    cluster.await_partitions("{shared=4/8}", "both brokers have all partitions")
    assert user("produce", "shared", 0, 1000) == "1000"

    first = controller(server)
    dead, living = cluster.brokers[first], cluster.brokers[1 - first]
    dead.kill()
    wait_until(lambda: controller(server) == living.number, "the other takes over", seconds=60, interval=0.2)
    with kazoo(server) as client:
        assert client.get_children("/brokers/ids") == [str(living.number)]
    cluster.await_partitions("{shared=4/4}", "it leads all partitions")
    user("create", "meanwhile", 2, 1)
    assert user("produce", "shared", 1000, 1000) == "1000"
    user("consume", "shared", 2000)

    dead.start()
    whole = "{meanwhile=2/2, shared=4/8}"
    cluster.await_partitions(whole, "both brokers have all partitions again")
    user("consume", "shared", 2000)
    # The same stands in the files of the server.
    server.kill()
    server.start()
    cluster.await_partitions(whole, "the metadata is intact")
    with kazoo(server) as client:
        assert sorted(client.get_children("/brokers/topics")) == ["meanwhile", "shared"]
