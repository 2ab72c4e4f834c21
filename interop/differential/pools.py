"""What the generator draws from: paths, data, versions, ACLs, and values that no server should accept."""

import random

from harness.records import OPEN, Acl, digest_id

SUPER = b"super:secret"
SUPER_DIGEST = digest_id("super", "secret")
"""For zookeeper.DigestAuthenticationProvider.superDigest."""

IDENTITIES = [
    ("digest", b"ann:one"),
    ("digest", b"bob:two"),
    ("digest", b"ann:wrong"),
    ("ip", b""),
    ("ip", b"10.1.2.3"),
    ("digest", SUPER),
]
BAD_IDENTITIES = [
    ("world", b"anyone"),
    ("auth", b""),
    ("nosuch", b"ann:one"),
    ("", b"x"),
    ("digest", b"nocolon"),
    ("digest", b"a:b:c"),
    ("digest", b""),
    ("digest", b"\xff\xfe:\x80"),
    ("sasl", b"ann"),
    ("x509", b"CN=ann"),
]
ANN = digest_id("ann", "one")
ACLS = [
    OPEN,
    OPEN,
    [Acl(1, "world", "anyone")],
    [Acl(31, "auth", "")],
    [Acl(31, "auth", "ann")],
    [Acl(31, "digest", ANN)],
    [Acl(1, "world", "anyone"), Acl(31, "digest", ANN)],
    [Acl(16, "world", "anyone")],
    [Acl(4, "world", "anyone"), Acl(2, "world", "anyone")],
    [Acl(31, "world", "anyone"), Acl(31, "world", "anyone")],
    [Acl(31, "ip", "127.0.0.1")],
    [Acl(31, "ip", "127.0.0.0/8"), Acl(1, "world", "anyone")],
    [Acl(31, "ip", "10.0.0.0/8")],
    [Acl(31, "ip", "::1")],
    [Acl(0, "world", "anyone")],
    [Acl(63, "world", "anyone")],
    [Acl(-1, "world", "anyone")],
    [Acl(15, "world", "anyone")],
    [Acl(31, "super", "")],
]
OPEN_TO_ALL = [
    OPEN,
    OPEN,
    [Acl(63, "world", "anyone")],
    [Acl(-1, "world", "anyone")],
    [Acl(15, "world", "anyone")],
    [Acl(31, "world", "anyone"), Acl(31, "world", "anyone")],
    [Acl(31, "ip", "127.0.0.1")],
    [Acl(31, "ip", "127.0.0.0/8"), Acl(1, "world", "anyone")],
]
"""Lists that let all of the test's clients read the node and delete its children."""
BAD_ACLS = [
    [],
    [Acl(31, "world", "nobody")],
    [Acl(31, None, None)],
    [Acl(31, "nosuch", "x")],
    [Acl(31, "", "")],
    [Acl(31, "digest", "nocolon")],
    [Acl(31, "digest", "a:b:c")],
    [Acl(31, "digest", "")],
    [Acl(31, "ip", "not.an.ip")],
    [Acl(31, "ip", "127.0.0.1/99")],
    [Acl(31, "ip", "127.0.0.1/-1")],
    [Acl(31, "ip", "300.1.1.1")],
    [Acl(31, "sasl", "ann")],
    [Acl(31, "x509", "CN=ann")],
    [Acl(31, "world", "anyone"), Acl(31, "nosuch", "x")],
]
VERSIONS = [-1] * 12 + [0, 0, 0, 1, 1, 2, 3, -2, 7, 2**31 - 1, -(2**31)]
FLAGS = [0] * 8 + [1] * 3 + [2] * 4 + [3] * 2 + [4]
BAD_FLAGS = [5, 6, 7, 8, -1, 100, 2**31 - 1]
TTLS = [1, 1000, 60_000, 2**40 - 1]
BAD_TTLS = [0, -1, 2**40, 2**63 - 1, -(2**63)]
DATA = [b"", b"", b"x", b"hello", b"0123456789" * 3, None, b"\x00\xff\xfe", "naïve Ω 😀".encode(), b"y" * 300]
LIMITS = [
    b"count=3,bytes=-1",
    b"count=-1,bytes=20",
    b"count=-1,bytes=-1=;byteHardLimit=40;countHardLimit=4",
    b"count=2,bytes=5=;byteHardLimit=-1;countHardLimit=6",
    b"count=10,bytes=1000",
    b"countHardLimit=0",
    b"byteHardLimit=0",
    b"count=1;bytes=1",
]
UNKNOWN_OPS = [0, 10, 13, 23, 50, 99, 108, 1000, -1, -2, -5, -12, 2**31 - 1, -(2**31)]
WORDS = ["ruok", "isro", "srvr", "gtmk", "crst", "srst", "stat"]


def bad_path(rng: random.Random, root: str):
    """A path that is no path, or not below the root that a sequence has for itself.

    Null is not among them, nor among lists: it is an exception somewhere in the Java server, and no client sends it.
    """
    return rng.choice(
        [
            "",
            "x",
            "x/y",
            "//",
            f"{root}/",
            f"{root}//a",
            f"{root}/./a",
            f"{root}/../a",
            f"{root}/.",
            f"{root}/..",
            f"{root}/a/.",
            f"{root}/a\0b",
            f"{root}/\1",
            f"{root}/a\x1fb",
            f"{root}/\x7f",
            f"{root}/\x9f",
            f"{root}/\ud7ff",
            f"{root}/\ue000",
            f"{root}/\uf8ff",
            f"{root}/\ufff0",
            f"{root}/\ufffd",
            f"{root}/😀",
            f"{root}/ü Ω",
            f"{root}/...",
            f"{root}/.a",
            f"{root}/a ",
            f"{root[1:]}",
            f"{root}/no/such/parent",
            root.encode() + b"/\xff\xfe",
            root.encode() + b"/\xed\xa0\x80",
            root.encode() + b"/\xc0\x80",
            f"{root}/{'long' * 400}",
        ]
    )


SPECIAL_PATHS = ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config", "/zookeeper/nosuch"]
