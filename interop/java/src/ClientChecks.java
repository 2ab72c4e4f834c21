import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.AsyncCallback;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.StatsTrack;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.Watcher.WatcherType;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooDefs.Perms;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.admin.ZooKeeperAdmin;
import org.apache.zookeeper.cli.SetQuotaCommand;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.data.Stat;
import org.apache.zookeeper.server.auth.DigestAuthenticationProvider;

/**
 * The whole API of the official Java client.
 *
 * <p>Arguments: the port of the server, and the name of a group of checks. The server must have
 * extendedTypesEnabled and a check of containers every second or so.
 */
public final class ClientChecks {
    private static final byte[] DATA = "data".getBytes(UTF_8);

    private final Checks checks = new Checks();
    private final int port;
    private final ZooKeeper zk;
    private final String root;

    private ClientChecks(int port, String group) throws Exception {
        this.port = port;
        zk = connect("127.0.0.1:" + port, 30_000);
        root = "/java-" + group;
        zk.create(root, DATA, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
    }

    public static void main(String[] arguments) throws Exception {
        String group = arguments[1];
        ClientChecks all = new ClientChecks(Integer.parseInt(arguments[0]), group);
        switch (group) {
            case "nodes" -> all.nodes();
            case "watches" -> all.watches();
            case "multi" -> all.multi();
            case "access" -> all.access();
            case "sessions" -> all.sessions();
            case "administration" -> all.administration();
            default -> throw new IllegalArgumentException(group);
        }
        all.zk.close();
        all.checks.end();
    }

    private void nodes() {
        checks.check("create in every mode", () -> {
            Checks.equal(root + "/p", create("/p", CreateMode.PERSISTENT));
            Checks.equal(root + "/s0000000001", create("/s", CreateMode.PERSISTENT_SEQUENTIAL));
            Checks.equal(root + "/e", create("/e", CreateMode.EPHEMERAL));
            Checks.equal(root + "/es0000000003", create("/es", CreateMode.EPHEMERAL_SEQUENTIAL));
            Checks.equal(root + "/c", create("/c", CreateMode.CONTAINER));
            Stat stat = new Stat();
            Checks.equal(root + "/t", zk.create(root + "/t", DATA, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, stat, 60_000));
            Checks.equal(0L, stat.getEphemeralOwner());
            String sequential = zk.create(root + "/ts", DATA, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL_WITH_TTL, stat, 60_000);
            Checks.equal(root + "/ts0000000006", sequential);
            Checks.equal(zk.getSessionId(), zk.exists(root + "/e", false).getEphemeralOwner());
            Checks.equal(0L, zk.exists(root + "/c", false).getEphemeralOwner());
        });
        checks.check("create with stat", () -> {
            Stat stat = new Stat();
            zk.create(root + "/stat", DATA, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, stat);
            Checks.equal(stat, zk.exists(root + "/stat", false));
        });
        checks.check("errors of create", () -> {
            fails(Code.NODEEXISTS, () -> create("/p", CreateMode.PERSISTENT));
            fails(Code.NONODE, () -> create("/none/x", CreateMode.PERSISTENT));
            fails(Code.NOCHILDRENFOREPHEMERALS, () -> create("/e/x", CreateMode.PERSISTENT));
            fails(Code.INVALIDACL, () -> zk.create(root + "/x", DATA, acls(new ACL(31, new Id("nosuch", "x"))), CreateMode.PERSISTENT));
        });
        checks.check("data and versions", () -> {
            create("/d", CreateMode.PERSISTENT);
            Stat stat = zk.setData(root + "/d", "new".getBytes(UTF_8), 0);
            Checks.equal(1, stat.getVersion());
            Stat read = new Stat();
            Checks.equal("new", new String(zk.getData(root + "/d", false, read), UTF_8));
            Checks.equal(stat, read);
            fails(Code.BADVERSION, () -> zk.setData(root + "/d", DATA, 0));
            fails(Code.BADVERSION, () -> zk.delete(root + "/d", 0));
            zk.delete(root + "/d", 1);
            fails(Code.NONODE, () -> zk.getData(root + "/d", false, null));
            fails(Code.NONODE, () -> zk.delete(root + "/d", -1));
            fails(Code.NOTEMPTY, () -> zk.delete(root, -1));
        });
        checks.check("null and empty data", () -> {
            zk.create(root + "/null", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            Checks.equal(null, zk.getData(root + "/null", false, null));
            zk.setData(root + "/null", new byte[0], -1);
            Checks.equal(new byte[0], zk.getData(root + "/null", false, null));
        });
        checks.check("children and their number", () -> {
            create("/k", CreateMode.PERSISTENT);
            create("/k/a", CreateMode.PERSISTENT);
            create("/k/b", CreateMode.PERSISTENT);
            create("/k/a/deep", CreateMode.EPHEMERAL);
            Checks.sameElements(List.of("a", "b"), zk.getChildren(root + "/k", false));
            Stat stat = new Stat();
            Checks.sameElements(List.of("a", "b"), zk.getChildren(root + "/k", false, stat));
            Checks.equal(2, stat.getNumChildren());
            Checks.equal(2, stat.getCversion());
            Checks.equal(3, zk.getAllChildrenNumber(root + "/k"));
        });
        checks.check("ephemerals of the session", () -> {
            Checks.sameElements(List.of(root + "/e", root + "/es0000000003", root + "/k/a/deep"), zk.getEphemerals());
            Checks.sameElements(List.of(root + "/k/a/deep"), zk.getEphemerals(root + "/k"));
        });
        checks.check("an empty container goes, once it had a child", () -> {
            create("/c/child", CreateMode.PERSISTENT);
            zk.delete(root + "/c/child", -1);
            Checks.eventually("the container has gone", () -> zk.exists(root + "/c", false) == null);
        });
        checks.check("a node whose time to live is over goes", () -> {
            zk.create(root + "/short", DATA, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, new Stat(), 50);
            Checks.eventually("the node has gone", () -> zk.exists(root + "/short", false) == null);
            Checks.that(zk.exists(root + "/t", false) != null, "the one with a long time to live is there");
        });
        checks.check("sync", () -> {
            CountDownLatch done = new CountDownLatch(1);
            zk.sync(root, (code, path, context) -> {
                if (code == 0 && path.equals(root)) {
                    done.countDown();
                }
            }, null);
            Checks.that(done.await(20, TimeUnit.SECONDS), "sync was answered");
        });
        checks.check("asynchronous calls are answered in order", () -> {
            create("/async", CreateMode.PERSISTENT);
            List<Integer> versions = new ArrayList<>();
            CountDownLatch done = new CountDownLatch(300);
            AsyncCallback.StatCallback note = (code, path, context, stat) -> {
                versions.add(stat.getVersion());
                done.countDown();
            };
            for (int number = 0; number < 300; number++) {
                zk.setData(root + "/async", DATA, number, note, null);
            }
            Checks.that(done.await(30, TimeUnit.SECONDS), "all were answered");
            for (int number = 0; number < 300; number++) {
                Checks.equal(number + 1, versions.get(number));
            }
        });
    }

    private void watches() {
        checks.check("standard watches", () -> {
            Events data = new Events();
            Events exists = new Events();
            Events children = new Events();
            zk.exists(root + "/n", exists);
            zk.getChildren(root, children);
            create("/n", CreateMode.PERSISTENT);
            exists.expect("NodeCreated " + root + "/n");
            children.expect("NodeChildrenChanged " + root);
            zk.getData(root + "/n", data, null);
            zk.setData(root + "/n", DATA, -1);
            data.expect("NodeDataChanged " + root + "/n");
            zk.getData(root + "/n", data, null);
            zk.getChildren(root + "/n", children);
            zk.delete(root + "/n", -1);
            data.expect("NodeDeleted " + root + "/n");
            children.expect("NodeDeleted " + root + "/n");
        });
        checks.check("a persistent watch", () -> {
            Events events = new Events();
            zk.addWatch(root + "/w", events, AddWatchMode.PERSISTENT);
            create("/w", CreateMode.PERSISTENT);
            zk.setData(root + "/w", DATA, -1);
            create("/w/c", CreateMode.PERSISTENT);
            zk.delete(root + "/w/c", -1);
            zk.delete(root + "/w", -1);
            events.expect(
                    "NodeCreated " + root + "/w",
                    "NodeDataChanged " + root + "/w",
                    "NodeChildrenChanged " + root + "/w",
                    "NodeChildrenChanged " + root + "/w",
                    "NodeDeleted " + root + "/w");
            zk.removeWatches(root + "/w", events, WatcherType.Persistent, false);
            events.expect("PersistentWatchRemoved " + root + "/w");
        });
        checks.check("a persistent recursive watch", () -> {
            Events events = new Events();
            zk.addWatch(root + "/r", events, AddWatchMode.PERSISTENT_RECURSIVE);
            create("/r", CreateMode.PERSISTENT);
            create("/r/a", CreateMode.PERSISTENT);
            zk.setData(root + "/r/a", DATA, -1);
            create("/r/a/b", CreateMode.EPHEMERAL);
            zk.delete(root + "/r/a/b", -1);
            events.expect(
                    "NodeCreated " + root + "/r",
                    "NodeCreated " + root + "/r/a",
                    "NodeDataChanged " + root + "/r/a",
                    "NodeCreated " + root + "/r/a/b",
                    "NodeDeleted " + root + "/r/a/b");
            zk.removeAllWatches(root + "/r", WatcherType.PersistentRecursive, false);
            zk.setData(root + "/r/a", DATA, -1);
            zk.sync(root);
            Checks.equal(List.of("PersistentWatchRemoved " + root + "/r"), events.seen());
        });
        checks.check("removed watches are silent", () -> {
            create("/m", CreateMode.PERSISTENT);
            Events data = new Events();
            Events children = new Events();
            zk.getData(root + "/m", data, null);
            zk.getChildren(root + "/m", children);
            zk.removeWatches(root + "/m", data, WatcherType.Data, false);
            data.expect("DataWatchRemoved " + root + "/m");
            zk.removeAllWatches(root + "/m", WatcherType.Children, false);
            children.expect("ChildWatchRemoved " + root + "/m");
            zk.setData(root + "/m", DATA, -1);
            create("/m/c", CreateMode.PERSISTENT);
            zk.sync(root);
            Checks.equal(List.of(), data.seen());
            Checks.equal(List.of(), children.seen());
            fails(Code.NOWATCHER, () -> zk.removeWatches(root + "/m", data, WatcherType.Data, false));
            fails(Code.NOWATCHER, () -> zk.removeAllWatches(root + "/m", WatcherType.Any, false));
        });
        checks.check("watches catch up after a lost connection", this::watchesCatchUp);
    }

    private void watchesCatchUp() throws Exception {
        for (String name : List.of("", "/data", "/gone", "/children", "/same")) {
            create("/u" + name, CreateMode.PERSISTENT);
        }
        String base = root + "/u";
        try (Relay relay = new Relay(port)) {
            ZooKeeper cut = connect(relay.address(), 30_000);
            Events[] events = new Events[7];
            for (int index = 0; index < events.length; index++) {
                events[index] = new Events();
            }
            cut.getData(base + "/data", events[0], null);
            cut.getData(base + "/gone", events[1], null);
            cut.getChildren(base + "/children", events[2]);
            cut.exists(base + "/new", events[3]);
            cut.getData(base + "/same", events[4], null);
            cut.addWatch(base + "/data", events[5], AddWatchMode.PERSISTENT);
            cut.addWatch(base, events[6], AddWatchMode.PERSISTENT_RECURSIVE);
            long session = cut.getSessionId();
            relay.cut();
            Checks.eventually("the client has noticed", () -> cut.getState() != ZooKeeper.States.CONNECTED);
            zk.setData(base + "/data", "changed".getBytes(UTF_8), -1);
            zk.delete(base + "/gone", -1);
            create("/u/children/c", CreateMode.PERSISTENT);
            create("/u/new", CreateMode.PERSISTENT);
            relay.mend();
            events[0].expect("NodeDataChanged " + base + "/data");
            events[1].expect("NodeDeleted " + base + "/gone");
            events[2].expect("NodeChildrenChanged " + base + "/children");
            events[3].expect("NodeCreated " + base + "/new");
            Checks.equal(session, cut.getSessionId());
            // What needed no catching up is armed again.
            zk.setData(base + "/same", DATA, -1);
            events[4].expect("NodeDataChanged " + base + "/same");
            zk.setData(base + "/data", DATA, -1);
            Checks.eventually("persistent watches are back", () -> last(events[5]).equals("NodeDataChanged " + base + "/data")
                    && last(events[6]).equals("NodeDataChanged " + base + "/data"));
            cut.close();
        }
    }

    private static String last(Events events) {
        List<String> seen = events.seen();
        return seen.isEmpty() ? "" : seen.get(seen.size() - 1);
    }

    private void multi() {
        checks.check("a multi of everything", () -> {
            List<OpResult> results = zk.multi(List.of(
                    Op.create(root + "/a", DATA, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
                    Op.create(root + "/a/s", DATA, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL_SEQUENTIAL.toFlag()),
                    Op.create(root + "/c", DATA, Ids.OPEN_ACL_UNSAFE, CreateMode.CONTAINER),
                    Op.create(root + "/t", DATA, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, 60_000),
                    Op.setData(root + "/a", "x".getBytes(UTF_8), 0),
                    Op.check(root + "/a", 1),
                    Op.delete(root + "/t", -1)));
            Checks.equal(root + "/a", ((OpResult.CreateResult) results.get(0)).getPath());
            Checks.equal(root + "/a/s0000000000", ((OpResult.CreateResult) results.get(1)).getPath());
            Checks.equal(1, ((OpResult.SetDataResult) results.get(4)).getStat().getVersion());
            Checks.equal(7, results.size());
            Stat one = zk.exists(root + "/a", false);
            Checks.equal(one.getCzxid(), one.getMzxid());
            Checks.equal(one.getCzxid(), zk.exists(root + "/c", false).getCzxid());
            Checks.equal(null, zk.exists(root + "/t", false));
        });
        checks.check("a multi that fails changes nothing", () -> {
            List<Op> ops = List.of(
                    Op.create(root + "/x", DATA, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
                    Op.check(root + "/a", 99),
                    Op.delete(root + "/a", -1));
            KeeperException problem = fails(Code.BADVERSION, () -> zk.multi(ops));
            List<Integer> codes = problem.getResults().stream().map(result -> ((OpResult.ErrorResult) result).getErr()).toList();
            Checks.equal(List.of(0, Code.BADVERSION.intValue(), Code.RUNTIMEINCONSISTENCY.intValue()), codes);
            Checks.equal(null, zk.exists(root + "/x", false));
        });
        checks.check("sequence numbers after a failed multi", () -> {
            fails(Code.NONODE, () -> zk.multi(List.of(
                    Op.create(root + "/q", DATA, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL),
                    Op.delete(root + "/none", -1))));
            String first = create("/q", CreateMode.PERSISTENT_SEQUENTIAL);
            String second = create("/q", CreateMode.PERSISTENT_SEQUENTIAL);
            Checks.equal(number(first) + 1, number(second));
        });
        checks.check("a transaction", () -> {
            List<OpResult> results = zk.transaction()
                    .create(root + "/tx", DATA, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT)
                    .check(root + "/tx", 0)
                    .setData(root + "/tx", DATA, 0)
                    .commit();
            Checks.equal(3, results.size());
        });
        checks.check("a multi of reads", () -> {
            List<OpResult> results = zk.multi(List.of(
                    Op.getData(root + "/a"), Op.getChildren(root + "/a"), Op.getData(root + "/none")));
            Checks.equal("x", new String(((OpResult.GetDataResult) results.get(0)).getData(), UTF_8));
            Checks.equal(List.of("s0000000000"), ((OpResult.GetChildrenResult) results.get(1)).getChildren());
            Checks.equal(Code.NONODE.intValue(), ((OpResult.ErrorResult) results.get(2)).getErr());
        });
        checks.check("an empty multi", () -> Checks.equal(List.of(), zk.multi(List.<Op>of())));
    }

    private void access() {
        ACL ann = new ACL(Perms.ALL, new Id("digest", digest("ann:one")));
        ACL bob = new ACL(Perms.READ, new Id("digest", digest("bob:two")));
        checks.check("digest", () -> {
            zk.create(root + "/secret", DATA, acls(ann, bob), CreateMode.PERSISTENT);
            fails(Code.NOAUTH, () -> zk.getData(root + "/secret", false, null));
            fails(Code.NOAUTH, () -> zk.exists(root + "/secret", false));
            fails(Code.NOAUTH, () -> zk.setData(root + "/secret", DATA, -1));
            fails(Code.NOAUTH, () -> zk.getACL(root + "/secret", new Stat()));
            ZooKeeper reader = connect("127.0.0.1:" + port, 30_000);
            reader.addAuthInfo("digest", "bob:two".getBytes(UTF_8));
            Checks.equal(DATA, reader.getData(root + "/secret", false, null));
            fails(Code.NOAUTH, () -> reader.setData(root + "/secret", DATA, -1));
            List<ACL> masked = reader.getACL(root + "/secret", null);
            Checks.equal(List.of("ann:x", "bob:x"), masked.stream().map(acl -> acl.getId().getId()).toList());
            reader.close();
        });
        checks.check("whoAmI", () -> {
            zk.addAuthInfo("digest", "ann:one".getBytes(UTF_8));
            List<String> mine = zk.whoAmI().stream().map(info -> info.getAuthScheme() + ":" + info.getUser()).toList();
            Checks.sameElements(List.of("ip:127.0.0.1", "digest:ann"), mine);
        });
        checks.check("ACLs and their versions", () -> {
            Stat stat = new Stat();
            Checks.equal(List.of(ann, bob), zk.getACL(root + "/secret", stat));
            Checks.equal(0, stat.getAversion());
            Checks.equal(1, zk.setACL(root + "/secret", acls(ann), 0).getAversion());
            fails(Code.BADVERSION, () -> zk.setACL(root + "/secret", acls(ann), 0));
            Checks.equal(0, zk.exists(root + "/secret", false).getVersion());
        });
        checks.check("CREATOR_ALL_ACL", () -> {
            zk.create(root + "/mine", DATA, Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
            Checks.equal(List.of(ann), zk.getACL(root + "/mine", null));
            ZooKeeper other = connect("127.0.0.1:" + port, 30_000);
            fails(Code.INVALIDACL, () -> other.create(root + "/theirs", DATA, Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT));
            other.close();
        });
        checks.check("delete and create are the parent's", () -> {
            ACL readOnly = new ACL(Perms.READ, Ids.ANYONE_ID_UNSAFE);
            zk.create(root + "/closed", DATA, acls(readOnly, new ACL(Perms.ADMIN, Ids.ANYONE_ID_UNSAFE)), CreateMode.PERSISTENT);
            fails(Code.NOAUTH, () -> create("/closed/x", CreateMode.PERSISTENT));
            zk.delete(root + "/closed", -1);
        });
        checks.check("no event without READ", () -> {
            ZooKeeper other = connect("127.0.0.1:" + port, 30_000);
            Events events = new Events();
            other.addWatch(root + "/mine", events, AddWatchMode.PERSISTENT);
            zk.setData(root + "/mine", DATA, -1);
            zk.setACL(root + "/mine", Ids.OPEN_ACL_UNSAFE, -1);
            zk.setData(root + "/mine", DATA, -1);
            events.expect("NodeDataChanged " + root + "/mine");
            other.close();
        });
        checks.check("a scheme that nobody knows", () -> {
            ZooKeeper other = connect("127.0.0.1:" + port, 30_000);
            other.addAuthInfo("nosuch", DATA);
            Checks.eventually("the client is told", () -> other.getState() == ZooKeeper.States.AUTH_FAILED);
            other.close();
        });
    }

    private void sessions() {
        checks.check("the session moves to another connection", () -> {
            try (Relay relay = new Relay(port)) {
                ZooKeeper own = connect(relay.address(), 30_000);
                own.create(root + "/e", DATA, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
                long session = own.getSessionId();
                for (int turn = 0; turn < 2; turn++) {
                    relay.cut();
                    relay.mend();
                    Checks.that(exists(own, root + "/e"), "the node is there");
                }
                Checks.equal(session, own.getSessionId());
                ZooKeeper taken = new ZooKeeper("127.0.0.1:" + port, 30_000, event -> {}, session, own.getSessionPasswd());
                Checks.equal(session, taken.exists(root + "/e", false).getEphemeralOwner());
                taken.close();
                Checks.eventually("the old client is told", () -> own.getState() == ZooKeeper.States.CLOSED);
                Checks.equal(null, zk.exists(root + "/e", false));
            }
        });
        checks.check("a wrong password is an expired session", () -> {
            ZooKeeper own = connect("127.0.0.1:" + port, 30_000);
            CountDownLatch expired = new CountDownLatch(1);
            ZooKeeper thief = new ZooKeeper("127.0.0.1:" + port, 30_000, event -> {
                if (event.getState() == Watcher.Event.KeeperState.Expired) {
                    expired.countDown();
                }
            }, own.getSessionId(), new byte[16]);
            Checks.that(expired.await(20, TimeUnit.SECONDS), "the thief is told that the session has expired");
            Checks.that(exists(own, root), "the owner goes on");
            thief.close();
            own.close();
        });
        checks.check("a session expires, and its nodes go", () -> {
            try (Relay relay = new Relay(port)) {
                ZooKeeper own = connect(relay.address(), 4_000);
                own.create(root + "/gone", DATA, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
                Events events = new Events();
                zk.exists(root + "/gone", events);
                relay.cut();
                events.expect("NodeDeleted " + root + "/gone");
                relay.mend();
                Checks.eventually("the client is told", () -> own.getState() == ZooKeeper.States.CLOSED);
                fails(Code.SESSIONEXPIRED, () -> own.exists(root, false));
            }
        });
        checks.check("the timeout is negotiated", () -> {
            ZooKeeper hasty = connect("127.0.0.1:" + port, 1_000);
            Checks.equal(4_000, hasty.getSessionTimeout());
            hasty.close();
            ZooKeeper patient = connect("127.0.0.1:" + port, 10_000_000);
            Checks.equal(40_000, patient.getSessionTimeout());
            patient.close();
        });
        checks.check("fifty clients", () -> {
            List<ZooKeeper> clients = new ArrayList<>();
            for (int number = 0; number < 50; number++) {
                clients.add(connect("127.0.0.1:" + port, 30_000));
            }
            AtomicInteger made = new AtomicInteger();
            CountDownLatch done = new CountDownLatch(50);
            for (ZooKeeper client : clients) {
                client.create(root + "/many-", DATA, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL_SEQUENTIAL, (code, path, context, name) -> {
                    made.addAndGet(code == 0 ? 1 : 0);
                    done.countDown();
                }, null);
            }
            Checks.that(done.await(30, TimeUnit.SECONDS), "all were answered");
            Checks.equal(50, made.get());
            for (ZooKeeper client : clients) {
                client.close();
            }
            Checks.equal(0, zk.getChildren(root, false).size());
        });
    }

    private void administration() {
        checks.check("the configuration of a standalone server is empty", () -> {
            Stat stat = new Stat();
            Checks.equal(new byte[0], zk.getConfig(false, stat));
            Checks.equal(0, stat.getVersion());
        });
        checks.check("reconfig is refused", () -> {
            ZooKeeperAdmin admin = new ZooKeeperAdmin("127.0.0.1:" + port, 30_000, event -> {});
            fails(Code.RECONFIGDISABLED, () -> admin.reconfigure("server.2=127.0.0.1:1:2;3", null, null, -1, null));
            admin.close();
        });
        checks.check("quotas", () -> {
            StatsTrack quota = new StatsTrack();
            quota.setCount(3);
            quota.setBytes(100);
            quota.setCountHardLimit(5);
            Checks.that(SetQuotaCommand.createQuota(zk, root, quota), "the quota is set");
            create("/q1", CreateMode.PERSISTENT);
            create("/q2", CreateMode.PERSISTENT);
            String stats = new String(zk.getData("/zookeeper/quota" + root + "/zookeeper_stats", false, null), UTF_8);
            StatsTrack usage = new StatsTrack(stats);
            Checks.equal(3L, usage.getCount());
            Checks.equal(12L, usage.getBytes());
            zk.setData(root + "/q1", new byte[0], -1);
            zk.delete(root + "/q2", -1);
            usage = new StatsTrack(zk.getData("/zookeeper/quota" + root + "/zookeeper_stats", false, null));
            Checks.equal(2L, usage.getCount());
            Checks.equal(4L, usage.getBytes());
        });
        checks.check("built-in nodes stay", () -> {
            for (String path : List.of("/zookeeper", "/zookeeper/quota", "/zookeeper/config")) {
                fails(Code.BADARGUMENTS, () -> zk.delete(path, -1));
            }
        });
        checks.check("listing and deleting subtrees", () -> {
            create("/tree", CreateMode.PERSISTENT);
            create("/tree/a", CreateMode.PERSISTENT);
            create("/tree/a/b", CreateMode.PERSISTENT);
            Checks.equal(3, org.apache.zookeeper.ZKUtil.listSubTreeBFS(zk, root + "/tree").size());
            Checks.that(org.apache.zookeeper.ZKUtil.deleteRecursive(zk, root + "/tree", 10), "all deleted");
            Checks.equal(null, zk.exists(root + "/tree", false));
        });
    }

    // Helpers

    private String create(String name, CreateMode mode) throws Exception {
        return zk.create(root + name, DATA, Ids.OPEN_ACL_UNSAFE, mode);
    }

    /** A list that may be asked whether it contains null, as the client does. */
    private static List<ACL> acls(ACL... acls) {
        return Arrays.asList(acls);
    }

    /** Whether the node is there, asked again while the connection is lost. */
    private static boolean exists(ZooKeeper client, String path) throws Exception {
        while (true) {
            try {
                return client.exists(path, false) != null;
            } catch (KeeperException.ConnectionLossException again) {
                Thread.sleep(20);
            }
        }
    }

    private static int number(String path) {
        return Integer.parseInt(path.substring(path.length() - 10));
    }

    private static KeeperException fails(Code code, Checks.Check action) throws Exception {
        try {
            action.run();
        } catch (KeeperException problem) {
            Checks.equal(code, problem.code());
            return problem;
        }
        throw new AssertionError("expected " + code + ", but it succeeded");
    }

    private static String digest(String credentials) {
        try {
            return DigestAuthenticationProvider.generateDigest(credentials);
        } catch (java.security.NoSuchAlgorithmException impossible) {
            throw new AssertionError(impossible);
        }
    }

    private static ZooKeeper connect(String address, int timeout) throws Exception {
        CountDownLatch connected = new CountDownLatch(1);
        ZooKeeper client = new ZooKeeper(address, timeout, event -> {
            if (event.getState() == Watcher.Event.KeeperState.SyncConnected) {
                connected.countDown();
            }
        });
        Checks.that(connected.await(30, TimeUnit.SECONDS), "connected to " + address);
        return client;
    }
}
