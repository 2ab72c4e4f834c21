"""A tree with something of everything that is stored, written through bare sockets, and its sessions."""

from . import records
from .records import OPEN, Acl, Op
from .trees import LONG
from .wire import Wire

EPHEMERAL, SEQUENTIAL, CONTAINER, TTL = 1, 2, 4, 5
ANN = ("digest", b"ann:one")


class Contents:
    """What clients have written to a server, and what they go on with on the next one.

    `owner` has ephemeral nodes, `quiet` has none; both sessions stay open from server to server. With `old`, Java
    servers before 3.7 can be in the same ensemble: they do not know create2 in a multi.
    """

    def __init__(self, port: int, old: bool = False):
        self.create_in_multi = Op.CREATE if old else Op.CREATE2
        self.owner = open_session(port)
        self.quiet = open_session(port)
        self.numbered = 0
        self._kinds_of_nodes()
        self._access()
        self._multis()
        self._quotas()
        self._gone_session(port)
        self.many(300)

    def resume(self, port: int):
        """Both sessions go on at another server, by their passwords."""
        self.owner, self.quiet = (resume_session(port, client.session) for client in (self.owner, self.quiet))
        assert resumed(port, self.gone) == 0, "a closed session has come back"
        self._authenticate()

    def go_on(self):
        """More of everything, on top of what is there."""
        owner = self.owner
        owner.ok(Op.DELETE, records.path_and_version("/e/first"))
        owner.ok(Op.CREATE, records.create("/e/first", b"again", flags=EPHEMERAL))
        for path in ["/", "/n", "/acl/ann", "/quota/a"]:
            owner.ok(Op.SET_DATA, records.set_data(path, b"again and again"))
        owner.ok(Op.CREATE_CONTAINER, records.create("/kinds/container/more", flags=CONTAINER))
        owner.ok(Op.DELETE, records.path_and_version("/kinds/container/more"))
        owner.ok(Op.SET_ACL, records.set_acl("/acl/several", [*OPEN, Acl(31, "auth", "")]))
        parts = [
            (Op.DELETE, records.path_and_version("/multi/a")),
            (Op.CREATE, records.create("/multi/a", b"anew", flags=EPHEMERAL)),
        ]
        owner.ok(Op.MULTI, records.multi(parts))
        owner.ok(Op.DELETE, records.path_and_version("/multi/a"))
        owner.ok(Op.CREATE, records.create("/multi/a"))
        owner.ok(Op.CREATE, records.create("/quota/more", b"1234567"))
        owner.ok(Op.DELETE, records.path_and_version("/quota/more"))
        self.many(120)

    def many(self, count: int):
        """Numbered nodes, sent without waiting for answers; the numbers must go on where they were."""
        for _ in range(count):
            self.owner.send(Op.CREATE, records.create("/many/n-", b"x" * 100, flags=SEQUENTIAL))
        for number in range(self.numbered, self.numbered + count):
            reply = self.owner.receive()
            assert reply.err == 0, reply
            assert records.read_reply(Op.CREATE, reply.body) == (f"/many/n-{number:010}",)
        # Holes, and a number for each that is never given again.
        for number in range(self.numbered, self.numbered + count, 3):
            self.owner.send(Op.DELETE, records.path_and_version(f"/many/n-{number:010}"))
            self.owner.send(Op.SET_DATA, records.set_data(f"/many/n-{number + 1:010}", b"changed"))
        for number in range(self.numbered, self.numbered + count, 3):
            assert (self.owner.receive().err, self.owner.receive().err) == (0, 0), number
        self.numbered += count

    def _kinds_of_nodes(self):
        create = self._create
        create("/n", b"some data")
        create("/n/no-data", None)
        create("/n/large", bytes(range(256)) * 400)
        create("/n/häuser-房子".encode(), "größe".encode())
        for name in "abc":
            create(f"/n/{name}")
        self.owner.ok(Op.DELETE, records.path_and_version("/n/b"))
        create("/n/c/below")
        for _ in range(3):
            self.owner.ok(Op.SET_DATA, records.set_data("/n/c", b"v"))
        self.owner.ok(Op.SET_DATA, records.set_data("/n/a", None))
        create("/many")
        create("/kinds")
        self.owner.ok(Op.CREATE_CONTAINER, records.create("/kinds/container", flags=CONTAINER))
        create("/kinds/container/child")
        self.owner.ok(Op.CREATE_TTL, records.create_ttl("/kinds/ttl", b"t", ttl=3_600_000))
        self.owner.ok(Op.CREATE_TTL, records.create_ttl("/kinds/ttl-", flags=TTL + 1, ttl=1 << 39))
        self.owner.ok(Op.CREATE2, records.create("/kinds/create2"))
        create("/e")
        create("/e/first", b"mine", flags=EPHEMERAL)
        create("/e/numbered-", flags=EPHEMERAL + SEQUENTIAL)
        # A failure is a transaction as well.
        for path, err in [("/n", -110), ("/none/below", -101)]:
            assert self.owner.call(Op.CREATE, records.create(path))[0].err == err

    def _access(self):
        self._authenticate()
        self._create("/acl")
        ann = Acl(31, "digest", records.digest_id("ann", "one"))
        for name, acl in {
            "ann": [ann],
            "auth": [Acl(31, "auth", "")],
            "ip": [Acl(1, "ip", "127.0.0.1"), Acl(31, "ip", "10.0.0.0/8")],
            "several": [Acl(1, "world", "anyone"), ann],
            "open": OPEN,
        }.items():
            self._create(f"/acl/{name}", b"data", acl)
        for _ in range(2):
            self.owner.ok(Op.SET_ACL, records.set_acl("/acl/open", [Acl(21, "world", "anyone"), ann]))

    def _multis(self):
        self._create("/multi")
        self._create("/multi/was")
        parts = [
            (Op.CREATE, records.create("/multi/a", b"1")),
            (Op.CREATE, records.create("/multi/e", b"2", flags=EPHEMERAL)),
            (self.create_in_multi, records.create("/multi/s-", b"3", flags=SEQUENTIAL)),
            (Op.SET_DATA, records.set_data("/multi/a", b"4")),
            (Op.CHECK, records.path_and_version("/multi/a", 1)),
            (Op.DELETE, records.path_and_version("/multi/was")),
        ]
        self.owner.ok(Op.MULTI, records.multi(parts))
        failing = [*parts[3:4], (Op.CHECK, records.path_and_version("/none", 0))]
        self.owner.ok(Op.MULTI, records.multi(failing))

    def _quotas(self):
        for path in ["/quota", "/zookeeper/quota/quota"]:
            self._create(path)
        self._create("/zookeeper/quota/quota/zookeeper_limits", b"count=100,bytes=100000")
        self._create("/zookeeper/quota/quota/zookeeper_stats", b"count=0,bytes=0")
        self._create("/quota/a", b"12345")
        self._create("/quota/b", b"67")
        self.owner.ok(Op.SET_DATA, records.set_data("/quota/b", b"678"))

    def _gone_session(self, port: int):
        client = open_session(port)
        for name in ["gone-1", "gone-2"]:
            client.ok(Op.CREATE, records.create(f"/e/{name}", flags=EPHEMERAL))
        assert client.close_session().err == 0
        self.gone = client.session

    def _create(self, path, data=b"", acl=OPEN, flags=0):
        self.owner.ok(Op.CREATE, records.create(path, data, acl, flags))

    def _authenticate(self):
        reply, _ = self.owner.call(Op.AUTH, records.auth(*ANN), xid=records.Xid.AUTH)
        assert reply.err == 0


def open_session(port: int) -> Wire:
    client = Wire(port)
    assert client.connect(timeout=LONG).timeout == LONG
    return client


def resume_session(port: int, session) -> Wire:
    client = Wire(port)
    again = client.connect(timeout=LONG, session=session.id, password=session.password)
    assert again == session, "the session was not found again"
    return client


def resumed(port: int, session) -> int:
    """The session that a server grants to one who asks for this one; 0 for none."""
    with Wire(port) as client:
        return client.connect(timeout=LONG, session=session.id, password=session.password).id
