"""The checker of histories: it finds nothing in what a perfect ensemble does, and every violation that is planted."""

import copy

import pytest

from harness.records import Op
from histories import linear
from histories import transactions as t
from histories.checker import check
from histories.committed import check_disks, committed
from histories.disk import Disk, Snapshot
from histories.history import CHILDREN, Notified, Replied, Sent
from histories.model import Tree
from histories.perfect import EPOCH, World
from histories.transactions import Txn


@pytest.fixture(scope="module")
def perfect():
    return World(1)


@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_found_in_a_perfect_history(seed):
    world = World(seed)
    verdict = check(world.history, world.txns)
    assert not verdict.findings, verdict.report()
    for what in ["writes", "reads", "events", "resumed"]:
        assert verdict.counts[what] > 5, verdict.counts


# Planted violations -------------------------------------------------------------------------------


class Doctor:
    """A copy of a perfect history, to be made wrong in one place."""

    def __init__(self, world: World):
        self.history, self.txns = copy.deepcopy((world.history, world.txns))
        self.states = world.states

    def pairs(self, *ops, err=0):
        """(connection, index of the reply, request, reply) of the requests of these kinds that had this outcome."""
        for connection in self.history.connections:
            requests = {entry.xid: entry for entry in connection.sent()}
            for index, entry in enumerate(connection.entries):
                if isinstance(entry, Replied) and requests[entry.xid].op in ops and entry.err == err:
                    yield connection, index, requests[entry.xid], entry

    def txn_of(self, connection, sent) -> int:
        """The index of the transaction of a request."""
        key = (connection.session, sent.xid)
        return next(index for index, txn in enumerate(self.txns) if (txn.session, txn.cxid) == key)

    def events(self):
        for connection in self.history.connections:
            for index, entry in enumerate(connection.entries):
                if isinstance(entry, Notified) and entry.zxid > 0:
                    yield connection, index, entry


def nth(items, number: int = 5):
    return list(items)[number]


def swap_bodies(txns: list, one: int, other: int):
    """The two change places in the history."""
    a, b = txns[one], txns[other]
    txns[one], txns[other] = b._replace(zxid=a.zxid), a._replace(zxid=b.zxid)


def swap_two_writes_of_a_client(doctor):
    connection, _, first, _ = nth(doctor.pairs(Op.SET_DATA))
    second = next(sent for sent in connection.sent() if sent.op == Op.SET_DATA and sent.xid > first.xid)
    swap_bodies(doctor.txns, doctor.txn_of(connection, first), doctor.txn_of(connection, second))


def forget_an_earlier_write(doctor):
    connection, index, first, _ = nth(doctor.pairs(Op.SET_DATA))
    doctor.txns.pop(doctor.txn_of(connection, first))
    connection.entries.pop(index)


def swap_two_replies(doctor):
    connection = doctor.history.connections[0]
    one, other = [index for index, entry in enumerate(connection.entries) if isinstance(entry, Replied)][3:5]
    entries = connection.entries
    entries[one], entries[other] = entries[other], entries[one]


def lower_a_header(doctor):
    connection, index, _, reply = nth(doctor.pairs(Op.GET_DATA), 20)
    connection.entries[index] = reply._replace(zxid=EPOCH)


def read_what_never_was(doctor):
    connection, index, _, reply = nth(doctor.pairs(Op.GET_DATA))
    connection.entries[index] = reply._replace(values=(b"never", reply.values[1]))


def leave_out_a_child(doctor):
    connection, index, _, reply = next(pair for pair in doctor.pairs(Op.GET_CHILDREN2) if pair[3].values[0])
    connection.entries[index] = reply._replace(values=(reply.values[0][1:], reply.values[1]))


def go_back_before_an_own_write(doctor):
    give_older_values(doctor, synced=False)


def go_back_before_a_sync(doctor):
    give_older_values(doctor, synced=True)


def give_older_values(doctor, synced: bool):
    """Gives a read the values from before the session's own last write there, or from before a sync."""
    written = {}
    for connection in doctor.history.connections:
        last = None
        for index, entry in enumerate(connection.entries):
            if isinstance(entry, Sent):
                last, before_last = entry, last
                continue
            if not isinstance(entry, Replied) or last is None or entry.err != 0:
                continue
            if last.op == Op.SET_DATA:
                written[connection.session, last.args[0]] = entry.values[0].mzxid
            if last.op != Op.GET_DATA:
                continue
            mzxid = entry.values[1].mzxid
            own = written.get((connection.session, last.args[0])) == mzxid
            after_sync = before_last and before_last.op == Op.SYNC
            if mzxid > EPOCH + 20 and (after_sync and not own if synced else own):
                view = doctor.states.view(last.args[0], mzxid - 1)
                connection.entries[index] = entry._replace(values=tuple(view))
                return
    raise AssertionError("there is no such read")


def break_a_multi(doctor):
    failed = [pair for pair in doctor.pairs(Op.MULTI) if pair[3].values[0][0].type == -1]
    connection, index, _, reply = failed[0]
    parts = reply.values[0]
    connection.entries[index] = reply._replace(values=([parts[0]._replace(body=-2), *parts[1:]],))


def reply_before_the_next_request(doctor):
    """Of two clients' writes the later one gets the earlier zxid."""
    pairs = sorted(doctor.pairs(Op.SET_DATA), key=lambda pair: pair[3].time)
    for first, second in zip(pairs, pairs[1:]):
        if first[0].session != second[0].session:
            swap_bodies(doctor.txns, doctor.txn_of(first[0], first[2]), doctor.txn_of(second[0], second[2]))
            return


def ignore_a_condition(doctor):
    connection, _, sent, _ = nth(doctor.pairs(Op.SET_DATA, err=-103))
    index = doctor.txn_of(connection, sent)
    doctor.txns[index] = doctor.txns[index]._replace(type=t.SET_DATA, body=t.SetData(sent.args[0], sent.args[1], 9))


def lie_about_a_version(doctor):
    connection, index, _, reply = nth(doctor.pairs(Op.SET_DATA))
    stat = reply.values[0]
    connection.entries[index] = reply._replace(values=(stat._replace(version=stat.version + 1),))


def lose_a_write(doctor):
    connection, _, sent, _ = nth(doctor.pairs(Op.SET_DATA))
    doctor.txns.pop(doctor.txn_of(connection, sent))


def change_a_write(doctor):
    connection, _, sent, _ = nth(doctor.pairs(Op.SET_DATA))
    index = doctor.txn_of(connection, sent)
    doctor.txns[index] = doctor.txns[index]._replace(body=doctor.txns[index].body._replace(data=b"other"))


def do_a_write_twice(doctor):
    connection, _, sent, _ = nth(doctor.pairs(Op.SET_DATA))
    txn = doctor.txns[doctor.txn_of(connection, sent)]
    doctor.txns.append(txn._replace(zxid=doctor.txns[-1].zxid + 1))


def invent_a_write(doctor):
    session = doctor.history.connections[0].session
    body = t.SetData("/w/r0", b"invented", 1)
    at = next(index for index, txn in enumerate(doctor.txns) if txn.session == session) + 1
    zxid = doctor.txns[at].zxid
    doctor.txns.insert(at, Txn(zxid, session, 77777, 0, t.SET_DATA, body))


def delay_an_event(doctor):
    for connection, index, event in doctor.events():
        for later in range(index + 1, len(connection.entries)):
            entry = connection.entries[later]
            if isinstance(entry, Replied) and entry.xid > 0 and entry.zxid >= event.zxid:
                connection.entries.insert(later, connection.entries.pop(index))
                return


def drop_an_event(doctor):
    connection, index, _ = nth(doctor.events())
    connection.entries.pop(index)


def invent_an_event(doctor):
    connection, index, event = nth(doctor.events())
    connection.entries.insert(index, event._replace(path="/w/r0/none"))


def repeat_an_event(doctor):
    connection, index, event = nth(doctor.events())
    connection.entries.insert(index, event)


def mistake_an_event(doctor):
    connection, index, event = nth(doctor.events())
    connection.entries[index] = event._replace(type=1 if event.type == CHILDREN else CHILDREN)


def swap_two_events(doctor):
    last = None
    for connection, index, event in doctor.events():
        if last and last[0] is connection and last[2].zxid < event.zxid:
            entries = connection.entries
            entries[last[1]], entries[index] = entries[index], entries[last[1]]
            return
        last = (connection, index, event)


def forget_to_fire_when_set(doctor):
    for connection in doctor.history.connections:
        for index, entry in enumerate(connection.entries):
            if isinstance(entry, Notified) and entry.zxid == -1:
                connection.entries.pop(index)
                return


def act_after_the_end(doctor):
    index = next(index for index, txn in enumerate(doctor.txns) if txn.type == t.CLOSE_SESSION)
    session = doctor.txns[index].session
    first = next(i for i, txn in enumerate(doctor.txns) if txn.session == session and txn.type == t.SET_DATA)
    closing = doctor.txns.pop(index)
    doctor.txns.insert(first, closing)


def keep_an_ephemeral(doctor):
    for index, txn in enumerate(doctor.txns):
        if txn.type == t.CLOSE_SESSION and txn.body.paths:
            doctor.txns[index] = txn._replace(body=t.CloseSession(txn.body.paths[1:]))
            return
    raise AssertionError("no session had ephemerals")


def give_a_wrong_number(doctor):
    connection, index, _, reply = nth(doctor.pairs(Op.CREATE2), 2)
    path, stat = reply.values
    connection.entries[index] = reply._replace(values=(path[:-10] + "0000000000", stat))


PLANTED = [
    (swap_two_writes_of_a_client, "P1"),
    (forget_an_earlier_write, "P1"),
    (swap_two_replies, "P2"),
    (lower_a_header, "P3"),
    (read_what_never_was, "P4"),
    (leave_out_a_child, "P4"),
    (go_back_before_an_own_write, "P5"),
    (break_a_multi, "P6"),
    (reply_before_the_next_request, "P7"),
    (go_back_before_a_sync, "P8"),
    (ignore_a_condition, "P9"),
    (lie_about_a_version, "P9"),
    (lose_a_write, "P10"),
    (change_a_write, "P9"),
    (do_a_write_twice, "P12"),
    (invent_a_write, "P12"),
    (delay_an_event, "P13"),
    (drop_an_event, "P13"),
    (invent_an_event, "P14"),
    (repeat_an_event, "P14"),
    (mistake_an_event, "P14"),
    (swap_two_events, "P15"),
    (forget_to_fire_when_set, "P16"),
    (act_after_the_end, "P18"),
    (keep_an_ephemeral, "P19"),
    (give_a_wrong_number, "P21"),
]


@pytest.mark.parametrize("plant, property_", PLANTED, ids=lambda one: getattr(one, "__name__", one))
def test_a_planted_violation_is_found(perfect, plant, property_):
    doctor = Doctor(perfect)
    plant(doctor)
    verdict = check(doctor.history, doctor.txns)
    assert property_ in {one.property for one in verdict.findings}, verdict.report()


# Disks --------------------------------------------------------------------------------------------


def disks_of(world, count=3, snapshot_at=200):
    txns = world.txns
    tree = Tree()
    for txn in txns[:snapshot_at]:
        tree.apply(txn)
    snapshot = Snapshot(tree.zxid, None, tree.sessions, tree.nodes, None)
    return {sid: Disk("grevy", list(txns), [copy.deepcopy(snapshot)], 1, 1) for sid in range(1, count + 1)}


def properties_of_disks(disks, last) -> set:
    whole = committed(disks, last)
    return {finding.property for finding in [*whole.wrong, *check_disks(disks, whole.txns)]}


def test_nothing_is_found_on_perfect_disks(perfect):
    assert properties_of_disks(disks_of(perfect), perfect.zxid) == set()


def lose_the_end(disks):
    del disks[2].txns[-3:]


def lose_the_middle(disks):
    del disks[2].txns[300:310]


def lose_everywhere(disks):
    for disk in disks.values():
        del disk.txns[300]


def differ(disks):
    txn = next(txn for txn in disks[2].txns if txn.type == t.SET_DATA)
    disks[2].txns[disks[2].txns.index(txn)] = txn._replace(body=txn.body._replace(data=b"other"))


def misplace(disks):
    txns = disks[2].txns
    txns[300], txns[301] = txns[301], txns[300]


def spoil_the_snapshot(disks):
    disks[2].snapshots[0].nodes["/w"].data = b"spoilt"


def invent_a_session(disks):
    disks[2].snapshots[0].sessions[77] = 4000


def promise_less(disks):
    disks[2] = disks[2]._replace(accepted_epoch=0)


@pytest.mark.parametrize(
    "plant, property_",
    [
        (lose_the_end, "P26"),
        (lose_the_middle, "P22"),
        (lose_everywhere, "P22"),
        (differ, "P23"),
        (misplace, "P22"),
        (spoil_the_snapshot, "P29"),
        (invent_a_session, "P29"),
        (promise_less, "P25"),
    ],
    ids=lambda one: getattr(one, "__name__", one),
)
def test_a_planted_damage_is_found(perfect, plant, property_):
    disks = disks_of(perfect)
    plant(disks)
    assert property_ in properties_of_disks(disks, perfect.zxid)


def test_what_was_never_committed_is_told_from_what_was():
    """A leader of epoch 1 kept two transactions that nobody else got, and was made good by a snapshot in epoch 2."""
    sessions = [t.CreateSession(1000)] * 10
    first = [Txn(EPOCH + n, n, 0, 0, t.CREATE_SESSION, body) for n, body in enumerate(sessions, 1)]
    second = [Txn(2 * EPOCH + n, 20 + n, 0, 0, t.CREATE_SESSION, body) for n, body in enumerate(sessions, 1)]
    tree = Tree()
    for txn in [*first[:8], *second[:5]]:
        tree.apply(txn)
    snapshot = Snapshot(tree.zxid, None, tree.sessions, tree.nodes, None)
    disks = {
        1: Disk("grevy", first[:8] + second, [], 2, 2),
        2: Disk("grevy", first[:8] + second, [], 2, 2),
        3: Disk("grevy", first + second[5:], [snapshot], 2, 2, jumps=(snapshot.zxid,)),
    }
    whole = committed(disks, second[-1].zxid)
    assert not whole.wrong and not check_disks(disks, whole.txns)
    assert whole.txns == first[:8] + second and whole.dropped == first[8:]


# The search ---------------------------------------------------------------------------------------


def write(start, end, data, version):
    return linear.Operation(start, end, data, -1, None if version is None else (data, version))


def read(start, end, data, version):
    return linear.Operation(start, end, None, -1, (data, version))


INFINITE = float("inf")


@pytest.mark.parametrize(
    "operations, explained",
    [
        ([write(1, 2, b"a", 1), read(3, 4, b"a", 1)], True),
        ([write(1, 2, b"a", 1), read(3, 4, b"", 0)], False),
        ([write(1, 5, b"a", 1), read(2, 3, b"", 0), read(3, 4, b"a", 1)], True),
        ([write(1, 5, b"a", 1), read(2, 3, b"a", 1), read(4, 5, b"", 0)], False),
        ([write(1, 2, b"a", 1), write(3, 4, b"b", 1)], False),
        ([write(1, INFINITE, b"a", None), write(3, 4, b"b", 2), read(5, 6, b"b", 2)], True),
        ([write(1, INFINITE, b"a", None), write(3, 4, b"b", 1), read(9, 10, b"a", 2)], True),
        ([write(5, INFINITE, b"a", None), read(3, 4, b"a", 1)], False),
        ([write(1, 9, b"a", 2), write(1, 9, b"b", 1), read(10, 11, b"a", 2)], True),
        ([linear.Operation(1, 2, b"a", 5, -103), read(3, 4, b"", 0)], True),
        ([linear.Operation(1, 2, b"a", 0, -103)], False),
    ],
)
def test_the_search(operations, explained):
    assert linear.explained(operations) is explained


def test_the_search_copes_with_many_unknown_outcomes():
    """Every third write has no answer, and every other one of those took effect."""
    operations, version = [], 0
    for number in range(900):
        lost = number % 3 == 0
        version += not lost or number % 2 == 0
        known = (number, number + 1.5, str(number).encode(), version)
        operations.append(write(number, INFINITE, known[2], None) if lost else write(*known))
    assert linear.explained(operations)
    operations.append(read(1000, 1001, b"0", 1))
    assert not linear.explained(operations)
