"""kazoo's recipes, each with two or more clients that compete."""

import threading
from datetime import timedelta

import pytest
from kazoo.exceptions import CancelledError, LockTimeout
from kazoo.protocol.states import EventType
from kazoo.recipe.cache import TreeCache, TreeEvent
from kazoo.recipe.lease import MultiNonBlockingLease, NonBlockingLease
from kazoo.recipe.party import ShallowParty
from kazoo.recipe.watchers import PatientChildrenWatch

from harness.kazoos import kazoo
from harness.waiting import wait_until


@pytest.fixture
def clients(server, request):
    """Two clients below a node of the test's own."""
    root = "/" + request.node.name
    with kazoo(server) as whole:
        whole.create(root)
    with kazoo(server, root) as one, kazoo(server, root) as two:
        yield one, two


def in_thread(function, *args) -> threading.Thread:
    thread = threading.Thread(target=function, args=args, daemon=True)
    thread.start()
    return thread


def _children(client, path) -> list[str]:
    return client.get_children(path) if client.exists(path) else []


def ended(thread: threading.Thread) -> bool:
    thread.join(30)
    return not thread.is_alive()


def test_lock(clients):
    one, two = clients
    first, second = one.Lock("/lock", "one"), two.Lock("/lock", "two")
    with first:
        assert not second.acquire(blocking=False)
        with pytest.raises(LockTimeout):
            second.acquire(timeout=0.2)
        waiting = in_thread(second.acquire)
        wait_until(lambda: second.contenders() == ["one", "two"], "both contend")
    assert ended(waiting)
    assert second.is_acquired and not first.is_acquired
    second.release()
    assert first.contenders() == []


def test_lock_protects_and_cancels(clients):
    one, two = clients
    one.create("/n", b"0")

    def work(client):
        for _ in range(20):
            with client.Lock("/lock"):
                client.set("/n", str(int(client.get("/n")[0]) + 1).encode())

    assert all(map(ended, [in_thread(work, client) for client in (one, two, one)]))
    assert one.get("/n")[0] == b"60"

    held, waiting = one.Lock("/lock"), two.Lock("/lock")
    caught = []

    def wait():
        try:
            waiting.acquire()
        except CancelledError as error:
            caught.append(error)

    with held:
        thread = in_thread(wait)
        wait_until(lambda: len(held.contenders()) == 2, "the other waits")
        waiting.cancel()
        assert ended(thread)
    assert len(caught) == 1


def test_lock_of_a_lost_session_is_free(server, clients):
    one, _ = clients
    with kazoo(server, one.chroot) as leaving:
        assert leaving.Lock("/lock").acquire()
        follower = one.Lock("/lock")
        waiting = in_thread(follower.acquire)
    assert ended(waiting)
    assert follower.is_acquired


def test_read_and_write_locks(clients):
    one, two = clients
    reader_one, reader_two = one.ReadLock("/rw", "r1"), two.ReadLock("/rw", "r2")
    assert reader_one.acquire() and reader_two.acquire(timeout=10)
    writer = two.WriteLock("/rw", "w")
    assert not writer.acquire(blocking=False)
    waiting = in_thread(writer.acquire)
    wait_until(lambda: "w" in writer.contenders(), "the writer waits")
    reader_one.release()
    reader_two.release()
    assert ended(waiting) and writer.is_acquired
    assert not one.ReadLock("/rw").acquire(blocking=False)
    writer.release()


def test_semaphore(clients):
    one, two = clients
    semaphores = [client.Semaphore("/sem", f"holder-{n}", max_leases=2) for n, client in enumerate((one, two, two))]
    assert semaphores[0].acquire() and semaphores[1].acquire()
    assert not semaphores[2].acquire(blocking=False)
    waiting = in_thread(semaphores[2].acquire)
    semaphores[0].release()
    assert ended(waiting)
    assert semaphores[2].lease_holders() and set(semaphores[2].lease_holders()) == {"holder-1", "holder-2"}


def test_election(clients):
    one, two = clients
    led, resign = [], threading.Event()

    def lead(name):
        led.append(name)
        resign.wait(30)

    first, second = one.Election("/elect", "one"), two.Election("/elect", "two")
    threads = [in_thread(first.run, lead, "one")]
    wait_until(lambda: led == ["one"], "the first leads")
    threads.append(in_thread(second.run, lead, "two"))
    wait_until(lambda: first.contenders() == ["one", "two"], "both stand")
    resign.set()
    assert all(map(ended, threads))
    assert led == ["one", "two"]


def test_barrier(clients):
    one, two = clients
    barrier = one.Barrier("/barrier")
    barrier.create()
    assert not two.Barrier("/barrier").wait(timeout=0.2)
    passed = []
    waiting = in_thread(lambda: passed.append(two.Barrier("/barrier").wait(timeout=30)))
    assert barrier.remove()
    assert ended(waiting) and passed == [True]


def test_double_barrier(clients):
    entered = []

    def go(client, name):
        barrier = client.DoubleBarrier("/double", 2, identifier=name)
        barrier.enter()
        entered.append(name)
        barrier.leave()

    first = in_thread(go, clients[0], "one")
    wait_until(lambda: _children(clients[1], "/double"), "the first waits inside")
    assert entered == []
    assert ended(in_thread(go, clients[1], "two")) and ended(first)
    assert sorted(entered) == ["one", "two"]


def test_counter(clients):
    def count(client, step):
        counter = client.Counter("/counter", default=0)
        for _ in range(25):
            counter += step

    assert all(map(ended, [in_thread(count, clients[0], 2), in_thread(count, clients[1], -1)]))
    counter = clients[0].Counter("/counter", default=0)
    assert counter.value == 25
    floating = clients[0].Counter("/floating", default=1.0)
    floating += 0.5
    assert floating.value == 1.5


def test_party(server, clients):
    one, two = clients
    host, guest = one.Party("/party", "host"), two.Party("/party", "guest")
    host.join()
    guest.join()
    assert set(host) == set(guest) == {"host", "guest"} and len(host) == 2
    host.leave()
    assert list(guest) == ["guest"]
    guest.leave()
    shallow = ShallowParty(one, "/shallow", "me")
    shallow.join()
    assert list(ShallowParty(two, "/shallow")) == ["me"] and len(shallow) == 1
    shallow.leave()
    with kazoo(server, one.chroot) as leaving:
        leaving.Party("/party", "third").join()
        assert list(host) == ["third"]
    assert list(one.Party("/party")) == []


def test_queue(clients):
    one, two = clients
    queue = one.Queue("/queue")
    queue.put(b"late", priority=200)
    queue.put(b"first", priority=1)
    queue.put(b"second", priority=1)
    other = two.Queue("/queue")
    assert len(other) == 3
    assert [other.get(), queue.get(), other.get(), queue.get()] == [b"first", b"second", b"late", None]


def test_locking_queue(clients):
    one, two = clients
    queue, other = one.LockingQueue("/queue"), two.LockingQueue("/queue")
    queue.put_all([b"a", b"b"], priority=5)
    assert queue.get() == b"a" and queue.holds_lock()
    assert other.get() == b"b"
    assert other.release()
    assert queue.consume()
    taken = []
    assert ended(in_thread(lambda: taken.append(other.get(timeout=10))))
    assert taken == [b"b"] and other.consume()
    waiting = in_thread(lambda: taken.append(other.get(timeout=30)))
    queue.put(b"c")
    assert ended(waiting) and taken == [b"b", b"c"]


def test_set_partitioner(clients):
    parts = range(6)
    partitioners = [
        client.SetPartitioner("/parts", parts, identifier=name, time_boundary=0.2)
        for client, name in zip(clients, ("one", "two"))
    ]

    def step(partitioner):
        if partitioner.release:
            partitioner.release_set()
        elif partitioner.allocating:
            partitioner.wait_for_acquire(timeout=0.1)
        return list(partitioner) if partitioner.acquired else []

    wait_until(lambda: len(step(partitioners[0])) == len(step(partitioners[1])) == 3, "both have their half", 60)
    assert sorted([*partitioners[0], *partitioners[1]]) == list(parts)
    partitioners[1].finish()
    wait_until(lambda: sorted(step(partitioners[0])) == list(parts), "the one left has all", 60)
    partitioners[0].finish()


def test_leases(clients):
    one, two = clients
    hour = timedelta(hours=1)
    assert NonBlockingLease(one, "/lease", hour, identifier="one")
    assert not NonBlockingLease(two, "/lease", hour, identifier="two")
    assert NonBlockingLease(one, "/lease", hour, identifier="one"), "the holder renews"
    assert MultiNonBlockingLease(one, 2, "/multi", hour, identifier="one")
    assert MultiNonBlockingLease(two, 2, "/multi", hour, identifier="two")
    assert not MultiNonBlockingLease(two, 2, "/multi", hour, identifier="three")


def test_data_watch(clients):
    one, two = clients
    seen = []

    @one.DataWatch("/n")
    def watch(data, stat, event):
        seen.append((data, event.type if event else None))
        return None if len(seen) < 5 else False

    two.create("/n", b"1")
    wait_until(lambda: len(seen) == 2, "the creation is seen")
    two.set("/n", b"2")
    wait_until(lambda: len(seen) == 3, "the change is seen")
    two.delete("/n")
    wait_until(lambda: len(seen) == 4, "the deletion is seen")
    two.create("/n", b"3")
    wait_until(lambda: len(seen) == 5, "the second life is seen")
    assert seen == [
        (None, None),
        (b"1", EventType.CREATED),
        (b"2", EventType.CHANGED),
        (None, EventType.DELETED),
        (b"3", EventType.CREATED),
    ]


def test_children_watch(clients):
    one, two = clients
    one.create("/dir")
    seen = []
    one.ChildrenWatch("/dir", lambda names: seen.append(sorted(names)))
    for name in "ab":
        two.create(f"/dir/{name}")
        wait_until(lambda: seen[-1][-1:] == [name], f"{name} is seen")
    two.delete("/dir/a")
    wait_until(lambda: seen[-1] == ["b"], "the deletion is seen")
    assert seen == [[], ["a"], ["a", "b"], ["b"]]


def test_patient_children_watch(clients):
    one, two = clients
    one.create("/dir")
    result = PatientChildrenWatch(one, "/dir", time_boundary=0.3).start()
    two.create("/dir/a")
    two.create("/dir/b")
    names, _ = result.get(timeout=20)
    assert sorted(names) == ["a", "b"]


def test_tree_cache(clients):
    one, two = clients
    two.create("/tree/a/b", b"deep", makepath=True)
    cache = TreeCache(one, "/tree")
    events = []
    cache.listen(lambda event: events.append((event.event_type, event.event_data and event.event_data.path)))
    cache.start()
    wait_until(lambda: (TreeEvent.INITIALIZED, None) in events, "the cache is complete")
    assert cache.get_data("/tree/a/b").data == b"deep"
    two.set("/tree/a/b", b"changed")
    two.create("/tree/c", b"new")
    wait_until(lambda: cache.get_data("/tree/c"), "the new node is in the cache")
    wait_until(lambda: cache.get_data("/tree/a/b").data == b"changed", "the change is in the cache")
    two.delete("/tree/a", recursive=True)
    wait_until(lambda: cache.get_children("/tree") == frozenset("c"), "the deletion is in the cache")
    assert (TreeEvent.NODE_REMOVED, "/tree/a/b") in events
    cache.close()
