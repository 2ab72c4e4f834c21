"""The whole API of kazoo, the Python client."""

import threading

import pytest
from kazoo import exceptions as errors
from kazoo import security
from kazoo.protocol.states import EventType, KazooState

from harness.kazoos import kazoo
from harness.waiting import wait_until


@pytest.fixture
def client(server, request):
    """A client whose paths lie below a node of the test's own."""
    root = "/" + request.node.name.replace("/", "_")
    with kazoo(server) as whole:
        whole.create(root)
    with kazoo(server, root) as client:
        yield client


class Watcher:
    """Collects the events of watches."""

    def __init__(self):
        self.events = []

    def __call__(self, event):
        self.events.append((event.type, event.path))

    def wait(self, *expected):
        wait_until(lambda: len(self.events) >= len(expected), f"{expected} seen, only {self.events}")
        assert self.events == list(expected)


def test_create_get_set_delete(client):
    assert client.create("/n", b"one") == "/n"
    data, stat = client.get("/n")
    assert (data, stat.version, stat.data_length) == (b"one", 0, 3)
    assert stat.czxid == stat.mzxid == stat.pzxid
    changed = client.set("/n", b"two!", version=0)
    assert (changed.version, changed.data_length) == (1, 4)
    assert changed.mzxid > changed.czxid == stat.czxid
    with pytest.raises(errors.BadVersionError):
        client.set("/n", b"three", version=0)
    with pytest.raises(errors.BadVersionError):
        client.delete("/n", version=0)
    client.delete("/n", version=1)
    assert client.exists("/n") is None
    with pytest.raises(errors.NoNodeError):
        client.get("/n")
    with pytest.raises(errors.NoNodeError):
        client.delete("/n")


def test_create_modes(client):
    assert client.create("/plain/", b"") == "/plain"
    with pytest.raises(errors.NodeExistsError):
        client.create("/plain")
    assert client.create("/plain/s-", sequence=True) == "/plain/s-0000000000"
    assert client.create("/plain/e-", sequence=True, ephemeral=True) == "/plain/e-0000000001"
    assert client.exists("/plain/e-0000000001").owner_session_id == client.client_id[0]
    assert client.create("/a/b/c", b"deep", makepath=True) == "/a/b/c"
    with pytest.raises(errors.NoNodeError):
        client.create("/no/parent")
    client.create("/ephemeral", ephemeral=True)
    with pytest.raises(errors.NoChildrenForEphemeralsError):
        client.create("/ephemeral/child")
    path, stat = client.create("/with-stat", b"xy", include_data=True)
    assert (path, stat.data_length) == ("/with-stat", 2)
    client.ensure_path("/some/long/path")
    client.ensure_path("/some/long/path")
    assert client.get_children("/some/long") == ["path"]


def test_sequence_numbers_count_every_child(client):
    for name in ("x", "y"):
        client.create(f"/q/{name}", makepath=True)
    client.delete("/q/x")
    assert client.create("/q/n", sequence=True) == "/q/n0000000002"
    _, stat = client.get("/q")
    assert (stat.cversion, stat.numChildren) == (4, 2)


@pytest.mark.parametrize("data", [b"", b"\x00\xff" * 50, b"x" * 900_000], ids=["empty", "binary", "large"])
def test_data_comes_back_as_it_was(client, data):
    client.create("/created", data)
    client.create("/changed", b"first")
    client.set("/changed", data)
    assert client.get("/created")[0] == client.get("/changed")[0] == data


def test_names_beyond_ascii(client):
    names = {"grün", "日本語", "a b", ".hidden", "..."}
    for name in names:
        client.create(f"/{name}", name.encode())
        assert client.get(f"/{name}")[0] == name.encode()
    assert set(client.get_children("/")) == names
    # What Java holds as two surrogates is not allowed in a path.
    with pytest.raises(errors.BadArgumentsError):
        client.create("/😀")


def test_children(client):
    for name in "abc":
        client.create(f"/{name}")
    assert sorted(client.get_children("/")) == ["a", "b", "c"]
    names, stat = client.get_children("/", include_data=True)
    assert sorted(names) == ["a", "b", "c"]
    assert stat.children_count == 3
    with pytest.raises(errors.NoNodeError):
        client.get_children("/none")
    client.create("/a/below")
    with pytest.raises(errors.NotEmptyError):
        client.delete("/a")


def test_delete_recursive(client):
    for path in ("/t/a/b", "/t/c", "/t/d/e/f"):
        client.create(path, makepath=True)
    client.delete("/t", recursive=True)
    assert client.exists("/t") is None


def test_watches_fire_once_and_in_order(client):
    data, exists, children = Watcher(), Watcher(), Watcher()
    assert client.exists("/n", watch=exists) is None
    client.get_children("/", watch=children)
    client.create("/n")
    exists.wait((EventType.CREATED, "/n"))
    children.wait((EventType.CHILD, "/"))
    client.get("/n", watch=data)
    client.set("/n", b"1")
    client.set("/n", b"2")
    data.wait((EventType.CHANGED, "/n"))
    gone, gone_too = Watcher(), Watcher()
    client.get("/n", watch=gone)
    client.get_children("/n", watch=gone_too)
    client.delete("/n")
    gone.wait((EventType.DELETED, "/n"))
    gone_too.wait((EventType.DELETED, "/n"))
    client.sync("/")
    assert (len(data.events), len(exists.events), len(children.events)) == (1, 1, 1)


def test_transactions(client):
    ok = client.transaction()
    ok.create("/a", b"1")
    ok.create("/a/s-", b"", ephemeral=True, sequence=True)
    ok.set_data("/a", b"2")
    ok.check("/a", 1)
    ok.create("/b")
    ok.delete("/b")
    results = ok.commit()
    assert results[0] == "/a"
    assert results[1] == "/a/s-0000000000"
    assert results[2].version == 1
    assert results[3:] == [True, "/b", True]
    assert client.get("/a")[0] == b"2"

    failing = client.transaction()
    failing.create("/c")
    failing.check("/a", 7)
    failing.delete("/a")
    results = failing.commit()
    assert [type(result) for result in results] == [
        errors.RolledBackError,
        errors.BadVersionError,
        errors.RuntimeInconsistency,
    ]
    assert client.exists("/c") is None


def test_async_requests_keep_their_order(client):
    client.create("/n", b"")
    changes = [client.set_async("/n", str(number).encode()) for number in range(500)]
    last = client.get_async("/n")
    assert [change.get(10).version for change in changes] == list(range(1, 501))
    assert last.get(10)[0] == b"499"


def test_digest_acls(server, client):
    ann = security.make_digest_acl("ann", "one", all=True)
    reader = security.make_digest_acl("bob", "two", read=True)
    client.create("/secret", b"s", acl=[ann, reader])
    client.create("/open", b"o")
    path = f"{client.chroot}/secret"
    for action, *more in ((client.get,), (client.set, b""), (client.get_children,), (client.get_acls,)):
        with pytest.raises(errors.NoAuthError):
            action("/secret", *more)
    with kazoo(server, auth_data=[("digest", "ann:one")]) as owner, kazoo(server) as other:
        assert owner.get(path)[0] == b"s"
        acls, stat = owner.get_acls(path)
        assert (set(acls), stat.aversion) == ({ann, reader}, 0)
        other.add_auth("digest", "bob:two")
        assert other.get(path)[0] == b"s"
        masked, _ = other.get_acls(path)
        assert {acl.id.id for acl in masked} == {"ann:x", "bob:x"}
        with pytest.raises(errors.NoAuthError):
            other.set(path, b"t")
        owner.set_acls(path, security.OPEN_ACL_UNSAFE, version=0)
        with pytest.raises(errors.BadVersionError):
            owner.set_acls(path, security.OPEN_ACL_UNSAFE, version=0)
        assert other.set(path, b"t").version == 1


def test_invalid_acls(client):
    for scheme, name in (("nosuch", "x"), ("digest", "nocolon"), ("ip", "no.ip"), ("world", "nobody")):
        with pytest.raises(errors.InvalidACLError):
            client.create("/n", acl=[security.make_acl(scheme, name, all=True)])
    # `auth` stands for the identities of the connection, of which there is none.
    with pytest.raises(errors.InvalidACLError):
        client.create("/n", acl=[security.make_acl("auth", "", all=True)])


def test_auth_acl_expands_to_the_identities(client):
    client.add_auth("digest", "ann:one")
    client.create("/mine", acl=security.CREATOR_ALL_ACL)
    acls, _ = client.get_acls("/mine")
    assert acls == [security.make_digest_acl("ann", "one", all=True)]


def test_ip_acls(client):
    client.create("/here", acl=[security.make_acl("ip", "127.0.0.0/8", all=True)])
    client.create("/there", acl=[security.make_acl("ip", "10.0.0.0/8", all=True)])
    assert client.get("/here")[0] == b""
    with pytest.raises(errors.NoAuthError):
        client.get("/there")


def test_unknown_auth_scheme_ends_the_connection(server):
    with kazoo(server) as client:
        with pytest.raises(errors.AuthFailedError):
            client.add_auth("nosuch", "x")


def test_chroot(server, client):
    client.create("/inner", b"1")
    with kazoo(server) as whole:
        assert whole.get(f"{client.chroot}/inner")[0] == b"1"
        watcher = Watcher()
        client.get("/inner", watch=watcher)
        whole.set(f"{client.chroot}/inner", b"2")
        watcher.wait((EventType.CHANGED, "/inner"))


def test_reconfig_is_refused(client):
    """It is off by default."""
    with pytest.raises(errors.ZookeeperError) as caught:
        client.reconfig(joining="server.2=127.0.0.1:1:2;3", leaving=None, new_members=None)
    assert caught.value.code == -123


def test_four_letter_words_and_version(server, client):
    assert client.command(b"ruok") == "imok"
    assert client.command(b"isro") == "rw"
    assert client.server_version()[:2] == (3, 9)
    assert "Mode: standalone" in client.command(b"srvr")


def test_client_states(server):
    states = []
    with kazoo(server) as client:
        client.add_listener(states.append)
        session = client.client_id
        client.restart()
        # A restart closes the session, so that it is another one afterwards.
        assert client.client_id[0] != session[0]
    assert states == [KazooState.LOST, KazooState.CONNECTED, KazooState.LOST]


def test_stop_deletes_ephemerals_at_once(server, client):
    client.create("/e")
    with kazoo(server, client.chroot) as other:
        other.create("/e/1", ephemeral=True)
        other.create("/e/2", ephemeral=True)
        assert len(client.get_children("/e")) == 2
    assert client.get_children("/e") == []


def test_many_clients_at_once(server, client):
    client.create("/count", b"")
    barrier = threading.Barrier(8)

    def work(number):
        with kazoo(server, client.chroot) as own:
            barrier.wait(30)
            for turn in range(50):
                own.create(f"/count/{number}-", str(turn).encode(), sequence=True)

    threads = [threading.Thread(target=work, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    names = client.get_children("/count")
    assert sorted(int(name[-10:]) for name in names) == list(range(400))
