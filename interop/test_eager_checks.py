"""`enableEagerACLCheck` in ensembles of Grevy and Java servers: what a client may not do is no transaction."""

import pytest

from harness import records
from harness.contents import ANN, CONTAINER, EPHEMERAL, open_session
from harness.records import Acl, Xid
from harness.wire import Op

KINDS = {"leads": ("java", "java", "own"), "follows": ("java", "own", "java"), "among its own": ("own", "java", "own")}
OBSERVER = 4
PROPERTIES = {"zookeeper.enableEagerACLCheck": "true"}
LOOKING = 2
"""So many transactions `await_same` makes."""
BAD_ARGUMENTS, NO_NODE, NO_AUTH, BAD_VERSION, INVALID_ACL = -8, -101, -102, -103, -114

SCREENED = [
    (Op.CREATE, records.create("/closed/a"), NO_AUTH),
    (Op.CREATE, records.create("/closed/a", flags=EPHEMERAL), NO_AUTH),
    (Op.CREATE2, records.create("/closed/a"), NO_AUTH),
    (Op.CREATE, records.create("/open/a", acl=[]), INVALID_ACL),
    (Op.CREATE, records.create("/open/a", acl=[Acl(31, "auth", "")]), INVALID_ACL),
    (Op.CREATE, records.create("/none/a", acl=[]), INVALID_ACL),
    (Op.DELETE, records.path_and_version("/closed/child"), NO_AUTH),
    (Op.DELETE, records.path_and_version("/closed/none"), NO_AUTH),
    (Op.SET_DATA, records.set_data("/closed", b"x"), NO_AUTH),
    (Op.SET_DATA, records.set_data("/closed", b"x", version=7), NO_AUTH),
    (Op.SET_DATA, records.set_data("/zookeeper/config", b"x"), NO_AUTH),
    (Op.SET_ACL, records.set_acl("/closed"), NO_AUTH),
    (Op.SET_ACL, records.set_acl("/open", acl=[]), INVALID_ACL),
    # Of two faults, this one is told.
    (Op.CREATE, records.create("/closed/a", flags=77), NO_AUTH),
    (Op.CREATE, records.create("/closed/.."), NO_AUTH),
]
"""Requests that are refused before they are passed on."""

PASSED_ON = [
    (Op.CREATE_CONTAINER, records.create("/closed/a", flags=CONTAINER), NO_AUTH),
    (Op.CREATE_TTL, records.create_ttl("/closed/a"), NO_AUTH),
    (Op.MULTI, records.multi([(Op.SET_DATA, records.set_data("/closed", b"x"))]), 0),
    (Op.SET_DATA, records.set_data("/open", b"x", version=7), BAD_VERSION),
    (Op.SET_DATA, records.set_data("/none", b"x"), NO_NODE),
    (Op.CREATE, records.create("/none/a"), NO_NODE),
    (Op.DELETE, records.path_and_version("/zookeeper"), BAD_ARGUMENTS),
]
"""Requests that become a transaction each, and fail."""


@pytest.mark.parametrize("kinds", KINDS)
def test_what_a_client_may_not_do_costs_nothing(new_ensemble, kinds):
    kinds = (*KINDS[kinds], "own")
    ensemble = new_ensemble(*kinds, observers=[OBSERVER], properties=PROPERTIES).start_led_by(3)
    owner = open_session(ensemble.port(1))
    assert owner.call(Op.AUTH, records.auth(*ANN), xid=Xid.AUTH)[0].err == 0
    owner.ok(Op.CREATE, records.create("/open"))
    owner.ok(Op.CREATE, records.create("/closed", acl=[Acl(31, "auth", "")]))
    owner.ok(Op.CREATE, records.create("/closed/child"))
    for sid in ensemble.ids:
        where = f"server {sid}, {ensemble.kind(sid)}"
        client = open_session(ensemble.port(sid))
        before = ensemble.await_same()
        for op, record, error in SCREENED:
            assert client.call(op, record)[0].err == error, f"{where}: {op.name} {record}"
        assert (before := before + LOOKING) == ensemble.await_same(), where
        for op, record, error in PASSED_ON:
            assert client.call(op, record)[0].err == error, f"{where}: {op.name} {record}"
            assert (before := before + 1 + LOOKING) == ensemble.await_same(), f"{where}: {op.name} {record}"
        # Who may is not kept from it.
        assert client.call(Op.AUTH, records.auth(*ANN), xid=Xid.AUTH)[0].err == 0
        client.ok(Op.SET_DATA, records.set_data("/closed", b"x"))
        client.ok(Op.CREATE, records.create("/closed/a"))
        client.ok(Op.DELETE, records.path_and_version("/closed/a"))
    assert not ensemble.tree_differences()
