"""grevy-recipes beside Curator and kazoo: processes of all three share one lock, office, barrier or queue."""

import contextlib
import threading

import pytest

from harness.kazoos import kazoo
from harness.participants import participant
from harness.waiting import wait_until

PAIRS = [("rust", "curator"), ("curator", "rust")]


@pytest.fixture
def root(server, request):
    """A node of the test's own."""
    path = "/" + request.node.name.replace("[", "-").replace("]", "")
    with kazoo(server) as client:
        client.create(path)
    return path


@pytest.fixture(params=PAIRS, ids="-then-".join)
def pair(server, root, request):
    """Two participants of different kinds; the first one acts first."""
    first, second = request.param
    with participant(server, first, root) as one, participant(server, second, root) as two:
        yield one, two


@pytest.fixture
def look(server, root):
    """A client to look at znodes."""
    with kazoo(server, root) as client:
        yield client


def children(client, path) -> list[str]:
    return client.get_children(path) if client.exists(path) else []


def contend(client, path, count):
    wait_until(lambda: len(children(client, path)) == count, f"{count} contend for {path}")


def test_lock(pair, look):
    one, two = pair
    assert one.ask("lock", "/lock") == "held"
    assert two.ask("try-lock", "/lock") == "busy"
    two.tell("lock", "/lock")
    contend(look, "/lock", 2)
    assert two.is_waiting()
    assert one.ask("release") == "released"
    assert two.answer() == "held"
    assert one.ask("try-lock", "/lock") == "busy"
    assert two.ask("release") == "released"
    assert one.ask("try-lock", "/lock") == "held"


def test_lock_of_a_killed_holder(pair, look):
    one, two = pair
    assert one.ask("lock", "/lock") == "held"
    two.tell("lock", "/lock")
    contend(look, "/lock", 2)
    one.kill()
    assert two.answer() == "held"


def test_lock_is_asked_back(pair):
    one, two = pair
    assert one.ask("lock", "/lock") == "held"
    one.tell("wait-revoked")
    assert two.ask("revoke", "/lock") == "done"
    assert one.answer() == "revoked"


def test_read_write_lock(pair, look):
    one, two = pair
    assert one.ask("read", "/lock") == "held"
    assert two.ask("read", "/lock") == "held"
    two.ask("release")
    two.tell("write", "/lock")
    contend(look, "/lock", 2)
    assert two.is_waiting()
    one.ask("release")
    assert two.answer() == "held"
    one.tell("read", "/lock")
    contend(look, "/lock", 2)
    assert one.is_waiting()
    two.ask("release")
    assert one.answer() == "held"


def test_semaphore(pair, look):
    one, two = pair
    assert one.ask("lease", "/pool", 2) == "held"
    assert two.ask("lease", "/pool", 2) == "held"
    two.tell("lease", "/pool", 2)
    contend(look, "/pool/leases", 3)
    assert two.is_waiting()
    one.tell("release")
    assert one.answer() == "released"
    assert two.answer() == "held"


def test_leader_latch(pair, look):
    one, two = pair
    assert one.ask("lead", "/office", "one") == "held"
    assert two.ask("leader", "/office") == "one"
    two.tell("lead", "/office", "two")
    contend(look, "/office", 2)
    assert two.is_waiting()
    one.ask("release")
    assert two.answer() == "held"
    assert one.ask("leader", "/office") == "two"


def test_leader_selector(pair, look):
    one, two = pair
    assert one.ask("select", "/work", "one") == "held"
    assert two.ask("leader", "/work") == "one"
    two.tell("select", "/work", "two")
    contend(look, "/work", 2)
    one.ask("release")
    assert two.answer() == "held"
    assert one.ask("leader", "/work") == "two"


def test_barriers(pair, look):
    one, two = pair
    assert one.ask("raise", "/barrier") == "done"
    two.tell("pass", "/barrier")
    assert one.ask("lift", "/barrier") == "done"
    assert two.answer() == "done"

    one.tell("enter", "/both", 2)
    contend(look, "/both", 1)
    assert one.is_waiting()
    assert two.ask("enter", "/both", 2) == "held"
    assert one.answer() == "held"
    two.tell("leave")
    assert one.ask("leave") == "released"
    assert two.answer() == "released"


def test_queue(pair):
    one, two = pair
    for word in ("a", "b", "c"):
        one.ask("put", "/queue", word)
    assert [two.ask("take", "/queue"), one.ask("take", "/queue"), two.ask("take", "/queue")] == ["a", "b", "c"]
    two.tell("take", "/queue")
    one.ask("put", "/queue", "d")
    assert two.answer() == "d"


def test_counter(pair):
    one, two = pair
    assert one.ask("count", "/count", 5) == "5"
    assert two.ask("count", "/count", -7) == "-2"
    assert one.ask("count", "/count", 1) == "-1"


def test_group(pair, look):
    one, two = pair
    assert one.ask("join", "/group", "one", "1") == "held"
    assert two.ask("join", "/group", "two", "2") == "held"
    assert one.ask("members", "/group") == two.ask("members", "/group") == "one=1,two=2"
    one.ask("release")
    contend(look, "/group", 1)
    assert two.ask("members", "/group") == "two=2"


def test_discovery(pair, look):
    one, two = pair
    assert one.ask("register", "/services", "search", "one", 1001) == "held"
    assert two.ask("register", "/services", "search", "two", 1002) == "held"
    both = "one@host:1001,two@host:1002"
    assert one.ask("instances", "/services", "search") == two.ask("instances", "/services", "search") == both
    one.ask("release")
    contend(look, "/services/search", 1)
    assert two.ask("instances", "/services", "search") == "two@host:1002"


@contextlib.contextmanager
def held_elsewhere(acquire):
    """kazoo waits in a thread of its own; yields what tells that it has got what it waits for."""
    done = threading.Event()
    threading.Thread(target=lambda: (acquire(), done.set()), daemon=True).start()
    yield done


# A kazoo lock knows Curator's names if it is told of them; otherwise the others use kazoo's.
KAZOO_LOCKS = [("rust-kazoo", ()), ("rust", ("-lock-",))]


@pytest.mark.parametrize("kind, patterns", KAZOO_LOCKS, ids=["kazoo-names", "curator-names"])
def test_lock_with_kazoo(server, root, look, kind, patterns):
    with participant(server, kind, root) as rust:
        lock = look.Lock("/lock", "python", extra_lock_patterns=patterns)
        assert lock.acquire()
        assert rust.ask("try-lock", "/lock") == "busy"
        rust.tell("lock", "/lock")
        contend(look, "/lock", 2)
        assert rust.is_waiting()
        lock.release()
        assert rust.answer() == "held"
        assert not lock.acquire(blocking=False)
        with held_elsewhere(lock.acquire) as done:
            contend(look, "/lock", 2)
            assert not done.is_set()
            rust.ask("release")
            assert done.wait(30)


def test_read_write_lock_with_kazoo(server, root, look):
    with participant(server, "rust-kazoo", root) as rust:
        reader, writer = look.ReadLock("/lock", "r"), look.WriteLock("/lock", "w")
        assert reader.acquire()
        assert rust.ask("read", "/lock") == "held"
        rust.ask("release")
        rust.tell("write", "/lock")
        contend(look, "/lock", 2)
        assert rust.is_waiting()
        reader.release()
        assert rust.answer() == "held"
        with held_elsewhere(writer.acquire) as done:
            contend(look, "/lock", 2)
            assert not done.is_set()
            rust.ask("release")
            assert done.wait(30)


def test_election_with_kazoo(server, root, look):
    with participant(server, "rust-kazoo", root) as rust:
        assert rust.ask("select", "/work", "rust") == "held"
        election, leads, end = look.Election("/work", "python"), threading.Event(), threading.Event()
        work = threading.Thread(target=election.run, args=(lambda: (leads.set(), end.wait(30)),), daemon=True)
        work.start()
        wait_until(lambda: election.contenders() == ["rust", "python"], "both are candidates")
        assert not leads.is_set()
        rust.ask("release")
        assert leads.wait(30)
        assert rust.ask("leader", "/work") == "python"
        end.set()
        work.join(30)


def test_barriers_with_kazoo(server, root, look):
    with participant(server, "rust", root) as rust:
        barrier = look.Barrier("/barrier")
        barrier.create()
        rust.tell("pass", "/barrier")
        barrier.remove()
        assert rust.answer() == "done"

        both = look.DoubleBarrier("/both", 2)
        rust.tell("enter", "/both", 2)
        contend(look, "/both", 1)
        with held_elsewhere(both.enter) as done:
            assert rust.answer() == "held"
            assert done.wait(30)
        rust.tell("leave")
        with held_elsewhere(both.leave) as done:
            assert done.wait(30)
        assert rust.answer() == "released"


def test_priority_queue_with_kazoo(server, root, look):
    with participant(server, "rust-kazoo", root) as rust:
        queue = look.Queue("/queue")
        queue.put(b"normal")
        rust.ask("put", "/queue", "urgent", 5)
        queue.put(b"soon", 50)
        rust.ask("put", "/queue", "late", 999)
        assert queue.get() == b"urgent"
        assert [rust.ask("take-urgent", "/queue") for _ in range(2)] == ["soon", "normal"]
        assert queue.get() == b"late"


def test_counter_with_kazoo(server, root, look):
    with participant(server, "rust-kazoo", root) as rust:
        counter = look.Counter("/count")
        counter += 3
        assert rust.ask("count", "/count", 4) == "7"
        counter -= 10
        assert counter.value == -3
        assert rust.ask("count", "/count", 1) == "-2"
