import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.cache.CuratorCacheListener;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.recipes.nodes.PersistentTtlNode;
import org.apache.curator.framework.recipes.queue.SimpleDistributedQueue;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.framework.recipes.watch.PersistentWatcher;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.ExponentialBackoffRetry;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.data.Stat;

/** Curator's recipes with two clients. Argument: the port of the server (with extendedTypesEnabled). */
public final class CuratorChecks {
    private final Checks checks = new Checks();
    private final Relay relay;
    private final CuratorFramework one;
    private final CuratorFramework two;

    private CuratorChecks(int port) throws Exception {
        relay = new Relay(port);
        one = connect(relay.address());
        two = connect("127.0.0.1:" + port);
    }

    public static void main(String[] arguments) throws Exception {
        CuratorChecks all = new CuratorChecks(Integer.parseInt(arguments[0]));
        all.framework();
        all.locks();
        all.leaders();
        all.caches();
        all.values();
        all.together();
        all.nodes();
        all.afterLostConnection();
        all.checks.end();
    }

    private void framework() {
        checks.check("create with parents, protection, and in the background", () -> {
            one.create().creatingParentsIfNeeded().forPath("/framework/a/b", "x".getBytes(UTF_8));
            one.create().creatingParentContainersIfNeeded().withMode(CreateMode.EPHEMERAL).forPath("/framework/container/e");
            String guarded = one.create().withProtection().withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath("/framework/p");
            Checks.that(guarded.matches("/framework/_c_.*-p\\d{10}"), guarded);
            CountDownLatch done = new CountDownLatch(1);
            one.getData().inBackground((client, event) -> done.countDown()).forPath("/framework/a/b");
            Checks.that(done.await(20, TimeUnit.SECONDS), "answered in the background");
            one.create().orSetData().forPath("/framework/a", "y".getBytes(UTF_8));
            Checks.equal("y", new String(two.getData().forPath("/framework/a"), UTF_8));
            one.delete().guaranteed().deletingChildrenIfNeeded().forPath("/framework/a");
            Checks.equal(null, two.checkExists().forPath("/framework/a"));
        });
        checks.check("transactions", () -> {
            var results = one.transaction().forOperations(
                    one.transactionOp().create().forPath("/transaction", "1".getBytes(UTF_8)),
                    one.transactionOp().check().withVersion(0).forPath("/transaction"),
                    one.transactionOp().setData().forPath("/transaction", "2".getBytes(UTF_8)),
                    one.transactionOp().create().withMode(CreateMode.EPHEMERAL).forPath("/transaction/e"));
            Checks.equal(4, results.size());
            Checks.equal("2", new String(two.getData().forPath("/transaction"), UTF_8));
        });
    }

    private void locks() {
        checks.check("InterProcessMutex", () -> {
            one.create().forPath("/count", "0".getBytes(UTF_8));
            List<Thread> threads = new ArrayList<>();
            for (CuratorFramework client : List.of(one, two, one, two)) {
                threads.add(start(() -> {
                    InterProcessMutex mutex = new InterProcessMutex(client, "/mutex");
                    for (int turn = 0; turn < 10; turn++) {
                        mutex.acquire();
                        mutex.acquire();
                        int count = Integer.parseInt(new String(client.getData().forPath("/count"), UTF_8));
                        client.setData().forPath("/count", String.valueOf(count + 1).getBytes(UTF_8));
                        mutex.release();
                        mutex.release();
                    }
                }));
            }
            join(threads);
            Checks.equal("40", new String(one.getData().forPath("/count"), UTF_8));
        });
        checks.check("InterProcessReadWriteLock", () -> {
            InterProcessReadWriteLock mine = new InterProcessReadWriteLock(one, "/rw");
            InterProcessReadWriteLock other = new InterProcessReadWriteLock(two, "/rw");
            mine.readLock().acquire();
            Checks.that(other.readLock().acquire(10, TimeUnit.SECONDS), "two read");
            Checks.that(!acquiredElsewhere(other.writeLock()), "nobody writes meanwhile");
            mine.readLock().release();
            other.readLock().release();
            Checks.that(acquiredElsewhere(other.writeLock()), "now one writes");
        });
        checks.check("InterProcessSemaphoreV2", () -> {
            InterProcessSemaphoreV2 mine = new InterProcessSemaphoreV2(one, "/semaphore", 2);
            InterProcessSemaphoreV2 other = new InterProcessSemaphoreV2(two, "/semaphore", 2);
            Lease first = mine.acquire();
            Lease second = other.acquire();
            Checks.equal(null, other.acquire(200, TimeUnit.MILLISECONDS));
            mine.returnLease(first);
            Lease third = other.acquire(10, TimeUnit.SECONDS);
            Checks.that(third != null, "the lease that was returned is had again");
            other.returnAll(List.of(second, third));
        });
    }

    /** Takes and releases a lock in a thread of its own: a lock belongs to a thread. */
    private static boolean acquiredElsewhere(InterProcessMutex mutex) throws Exception {
        boolean[] acquired = new boolean[1];
        join(List.of(start(() -> {
            acquired[0] = mutex.acquire(300, TimeUnit.MILLISECONDS);
            if (acquired[0]) {
                mutex.release();
            }
        })));
        return acquired[0];
    }

    private void leaders() {
        checks.check("LeaderLatch", () -> {
            LeaderLatch mine = new LeaderLatch(one, "/latch", "one");
            LeaderLatch other = new LeaderLatch(two, "/latch", "two");
            mine.start();
            mine.await();
            other.start();
            Checks.eventually("both take part", () -> mine.getParticipants().size() == 2);
            Checks.equal("one", other.getLeader().getId());
            mine.close();
            Checks.that(other.await(20, TimeUnit.SECONDS), "the other leads");
            other.close();
        });
        checks.check("LeaderSelector", () -> {
            AtomicInteger terms = new AtomicInteger();
            AtomicInteger leaders = new AtomicInteger();
            List<LeaderSelector> selectors = new ArrayList<>();
            for (CuratorFramework client : List.of(one, two)) {
                LeaderSelector selector = new LeaderSelector(client, "/selector", new LeaderSelectorListenerAdapter() {
                    @Override
                    public void takeLeadership(CuratorFramework ignored) throws Exception {
                        Checks.equal(1, leaders.incrementAndGet());
                        terms.incrementAndGet();
                        leaders.decrementAndGet();
                    }
                });
                selector.autoRequeue();
                selector.start();
                selectors.add(selector);
            }
            Checks.eventually("ten terms", () -> terms.get() >= 10);
            selectors.forEach(LeaderSelector::close);
        });
    }

    private void caches() {
        checks.check("CuratorCache", () -> {
            two.create().creatingParentsIfNeeded().forPath("/cache/a/b", "1".getBytes(UTF_8));
            CountDownLatch complete = new CountDownLatch(1);
            List<String> seen = Collections.synchronizedList(new ArrayList<>());
            try (CuratorCache cache = CuratorCache.build(one, "/cache")) {
                cache.listenable().addListener(CuratorCacheListener.builder().forInitialized(complete::countDown).build());
                cache.listenable().addListener((type, old, now) -> seen.add(type + " " + (now != null ? now : old).getPath()));
                cache.start();
                Checks.that(complete.await(20, TimeUnit.SECONDS), "the cache is complete");
                Checks.equal(3, cache.size());
                seen.clear();
                two.setData().forPath("/cache/a/b", "2".getBytes(UTF_8));
                Checks.eventually("the change", () -> seen.equals(List.of("NODE_CHANGED /cache/a/b")));
                two.create().forPath("/cache/c");
                Checks.eventually("the new node", () -> seen.size() == 2 && seen.get(1).equals("NODE_CREATED /cache/c"));
                two.delete().forPath("/cache/a/b");
                Checks.eventually("the deletion", () -> seen.size() == 3 && seen.get(2).equals("NODE_DELETED /cache/a/b"));
                Checks.eventually("the cache has them all", () -> cache.get("/cache/c").isPresent() && cache.get("/cache/a/b").isEmpty());
            }
        });
        checks.check("PersistentWatcher", () -> {
            Events events = new Events();
            try (PersistentWatcher watcher = new PersistentWatcher(one, "/watched", true)) {
                watcher.getListenable().addListener(events);
                CountDownLatch set = new CountDownLatch(1);
                watcher.getResetListenable().addListener(set::countDown);
                watcher.start();
                Checks.that(set.await(20, TimeUnit.SECONDS), "the watch is set");
                two.create().forPath("/watched");
                two.create().forPath("/watched/x");
                events.expect("NodeCreated /watched", "NodeCreated /watched/x");
            }
        });
    }

    private void values() {
        checks.check("DistributedAtomicLong", () -> {
            List<Thread> threads = new ArrayList<>();
            for (CuratorFramework client : List.of(one, two)) {
                threads.add(start(() -> {
                    DistributedAtomicLong number = new DistributedAtomicLong(client, "/atomic", new ExponentialBackoffRetry(10, 20));
                    for (int turn = 0; turn < 25; turn++) {
                        while (!number.increment().succeeded()) {
                            Thread.onSpinWait();
                        }
                    }
                }));
            }
            join(threads);
            DistributedAtomicLong number = new DistributedAtomicLong(one, "/atomic", new ExponentialBackoffRetry(10, 20));
            Checks.equal(50L, number.get().postValue());
        });
        checks.check("SharedCount", () -> {
            try (SharedCount mine = new SharedCount(one, "/shared", 7); SharedCount other = new SharedCount(two, "/shared", 7)) {
                mine.start();
                other.start();
                Checks.that(mine.trySetCount(mine.getVersionedValue(), 8), "set once");
                Checks.eventually("the other sees it", () -> other.getCount() == 8);
            }
        });
        checks.check("SimpleDistributedQueue", () -> {
            SimpleDistributedQueue mine = new SimpleDistributedQueue(one, "/queue");
            SimpleDistributedQueue other = new SimpleDistributedQueue(two, "/queue");
            for (int number = 0; number < 20; number++) {
                mine.offer(new byte[] {(byte) number});
            }
            for (int number = 0; number < 20; number++) {
                Checks.equal(new byte[] {(byte) number}, (number % 2 == 0 ? mine : other).take());
            }
            Checks.equal(null, other.poll());
        });
    }

    private void together() {
        checks.check("DistributedDoubleBarrier", () -> {
            AtomicInteger inside = new AtomicInteger();
            List<Thread> threads = new ArrayList<>();
            for (CuratorFramework client : List.of(one, two)) {
                threads.add(start(() -> {
                    DistributedDoubleBarrier barrier = new DistributedDoubleBarrier(client, "/barrier", 2);
                    Checks.that(barrier.enter(20, TimeUnit.SECONDS), "entered");
                    inside.incrementAndGet();
                    Checks.that(barrier.leave(20, TimeUnit.SECONDS), "left");
                }));
            }
            join(threads);
            Checks.equal(2, inside.get());
        });
        checks.check("GroupMember", () -> {
            try (GroupMember mine = new GroupMember(one, "/group", "one"); GroupMember other = new GroupMember(two, "/group", "two")) {
                mine.start();
                other.start();
                Checks.eventually("both see both", () -> mine.getCurrentMembers().keySet().equals(Set.of("one", "two"))
                        && other.getCurrentMembers().size() == 2);
            }
        });
    }

    private void nodes() {
        checks.check("PersistentTtlNode", () -> {
            try (PersistentTtlNode node = new PersistentTtlNode(one, "/ttl", 60_000, new byte[0])) {
                node.start();
                Checks.that(node.waitForInitialCreate(20, TimeUnit.SECONDS), "created");
                Checks.that(two.checkExists().forPath("/ttl") != null, "there");
            }
        });
    }

    private void afterLostConnection() {
        checks.check("a latch, a node and a cache over a lost connection", () -> {
            Set<ConnectionState> states = new ConcurrentSkipListSet<>();
            one.getConnectionStateListenable().addListener((client, state) -> states.add(state));
            try (PersistentNode node = new PersistentNode(one, CreateMode.EPHEMERAL, false, "/persistent", new byte[0]);
                    CuratorCache cache = CuratorCache.build(one, "/missed");
                    LeaderLatch latch = new LeaderLatch(one, "/held", "one")) {
                node.start();
                Checks.that(node.waitForInitialCreate(20, TimeUnit.SECONDS), "created");
                cache.start();
                latch.start();
                latch.await();
                relay.cut();
                Checks.eventually("suspended", () -> states.contains(ConnectionState.SUSPENDED));
                two.delete().forPath("/persistent");
                two.create().forPath("/missed", "seen later".getBytes(UTF_8));
                relay.mend();
                Checks.eventually("reconnected", () -> states.contains(ConnectionState.RECONNECTED));
                Checks.eventually("the node is made again", () -> two.checkExists().forPath("/persistent") != null);
                Checks.eventually("the cache has caught up", () -> cache.get("/missed").isPresent());
                Checks.that(latch.await(20, TimeUnit.SECONDS), "it leads again");
                Stat stat = two.checkExists().forPath("/persistent");
                Checks.equal(one.getZookeeperClient().getZooKeeper().getSessionId(), stat.getEphemeralOwner());
            }
        });
    }

    // Helpers

    private static CuratorFramework connect(String address) throws Exception {
        CuratorFramework client = CuratorFrameworkFactory.newClient(address, 20_000, 10_000, new ExponentialBackoffRetry(50, 8));
        client.start();
        Checks.that(client.blockUntilConnected(20, TimeUnit.SECONDS), "connected to " + address);
        return client;
    }

    private static Thread start(Checks.Check work) {
        Thread thread = new Thread(() -> {
            try {
                work.run();
            } catch (Exception problem) {
                throw new IllegalStateException(problem);
            }
        });
        thread.setDaemon(true);
        thread.start();
        return thread;
    }

    private static void join(List<Thread> threads) throws InterruptedException {
        for (Thread thread : threads) {
            thread.join(60_000);
            Checks.that(!thread.isAlive(), "the thread has ended");
        }
    }
}
