import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.barriers.DistributedBarrier;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.framework.recipes.locks.Revoker;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.framework.recipes.queue.SimpleDistributedQueue;
import org.apache.curator.retry.ExponentialBackoffRetry;
import org.apache.curator.x.discovery.ServiceDiscovery;
import org.apache.curator.x.discovery.ServiceDiscoveryBuilder;
import org.apache.curator.x.discovery.ServiceInstance;

/**
 * Curator as a participant in recipes, by line: reads a command from each line of its input and prints a line
 * when it is done. Argument: the address of the server.
 */
public final class Participant {
    /** Gives up what was acquired. */
    private interface Held {
        void release() throws Exception;
    }

    private final CuratorFramework client;
    private final Deque<Held> held = new ArrayDeque<>();
    private final CountDownLatch revoked = new CountDownLatch(1);

    private Participant(String address) {
        client = CuratorFrameworkFactory.builder()
                .connectString(address)
                .sessionTimeoutMs(6000)
                .retryPolicy(new ExponentialBackoffRetry(100, 10))
                .build();
        client.start();
    }

    public static void main(String[] arguments) throws Exception {
        Participant participant = new Participant(arguments[0]);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            System.out.println(participant.command(line.split(" ")));
            System.out.flush();
        }
        participant.client.close();
    }

    private String command(String[] words) throws Exception {
        String path = words.length > 1 ? words[1] : "";
        switch (words[0]) {
            case "lock":
                return hold(new InterProcessMutex(client, path));
            case "try-lock": {
                InterProcessMutex lock = new InterProcessMutex(client, path);
                if (!lock.acquire(0, TimeUnit.MILLISECONDS)) {
                    return "busy";
                }
                return holds(lock::release);
            }
            case "read":
                return hold(new InterProcessReadWriteLock(client, path).readLock());
            case "write":
                return hold(new InterProcessReadWriteLock(client, path).writeLock());
            case "lease": {
                Lease lease = new InterProcessSemaphoreV2(client, path, Integer.parseInt(words[2])).acquire();
                return holds(lease::close);
            }
            case "lead": {
                LeaderLatch latch = new LeaderLatch(client, path, words[2]);
                latch.start();
                latch.await();
                return holds(latch::close);
            }
            case "select":
                return select(path, words[2]);
            case "leader":
                return leader(path);
            case "join": {
                GroupMember member = new GroupMember(client, path, words[2], words[3].getBytes(UTF_8));
                member.start();
                while (client.checkExists().forPath(path + "/" + words[2]) == null) {
                    Thread.sleep(10);
                }
                return holds(member::close);
            }
            case "members":
                return members(path);
            case "register": {
                ServiceInstance<Void> instance = ServiceInstance.<Void>builder()
                        .name(words[2])
                        .id(words[3])
                        .address("host")
                        .port(Integer.parseInt(words[4]))
                        .build();
                ServiceDiscovery<Void> discovery = discovery(path);
                discovery.registerService(instance);
                return holds(discovery::close);
            }
            case "instances":
                return instances(path, words[2]);
            case "enter": {
                DistributedDoubleBarrier barrier =
                        new DistributedDoubleBarrier(client, path, Integer.parseInt(words[2]));
                barrier.enter();
                return holds(barrier::leave);
            }
            case "release":
            case "leave":
                held.pop().release();
                return "released";
            case "wait-revoked":
                revoked.await();
                return "revoked";
            case "revoke": {
                InterProcessMutex lock = new InterProcessMutex(client, path);
                Revoker.attemptRevoke(client, lock.getParticipantNodes().iterator().next());
                return "done";
            }
            case "raise":
                new DistributedBarrier(client, path).setBarrier();
                return "done";
            case "lift":
                new DistributedBarrier(client, path).removeBarrier();
                return "done";
            case "pass":
                new DistributedBarrier(client, path).waitOnBarrier();
                return "done";
            case "put":
                new SimpleDistributedQueue(client, path).offer(words[2].getBytes(UTF_8));
                return "done";
            case "take":
                return new String(new SimpleDistributedQueue(client, path).take(), UTF_8);
            case "count": {
                DistributedAtomicLong count =
                        new DistributedAtomicLong(client, path, new ExponentialBackoffRetry(10, 20));
                return Long.toString(count.add(Long.parseLong(words[2])).postValue());
            }
            default:
                throw new IllegalArgumentException("no such command: " + words[0]);
        }
    }

    private String hold(InterProcessMutex lock) throws Exception {
        lock.makeRevocable(ignored -> revoked.countDown());
        lock.acquire();
        return holds(lock::release);
    }

    private String holds(Held what) {
        held.push(what);
        return "held";
    }

    private String select(String path, String id) throws Exception {
        CountDownLatch begun = new CountDownLatch(1);
        CountDownLatch end = new CountDownLatch(1);
        CountDownLatch ended = new CountDownLatch(1);
        LeaderSelector selector = new LeaderSelector(client, path, new LeaderSelectorListenerAdapter() {
            @Override
            public void takeLeadership(CuratorFramework ignored) throws Exception {
                begun.countDown();
                end.await();
                ended.countDown();
            }
        });
        selector.setId(id);
        selector.start();
        begun.await();
        return holds(() -> {
            end.countDown();
            ended.await();
            selector.close();
        });
    }

    /** By whichever recipe: both have candidates whose data is their identifier. */
    private String leader(String path) throws Exception {
        boolean isLatch = client.getChildren().forPath(path).stream().anyMatch(name -> name.contains("latch-"));
        String id = isLatch
                ? new LeaderLatch(client, path).getLeader().getId()
                : new LeaderSelector(client, path, new LeaderSelectorListenerAdapter() {
                    @Override
                    public void takeLeadership(CuratorFramework ignored) {}
                }).getLeader().getId();
        return id.isEmpty() ? "nobody" : id;
    }

    private String members(String path) throws Exception {
        TreeMap<String, String> members = new TreeMap<>();
        for (String name : client.getChildren().forPath(path)) {
            members.put(name, new String(client.getData().forPath(path + "/" + name), UTF_8));
        }
        StringBuilder shown = new StringBuilder();
        members.forEach((name, data) -> shown.append(shown.length() > 0 ? "," : "").append(name + "=" + data));
        return shown.toString();
    }

    private ServiceDiscovery<Void> discovery(String base) throws Exception {
        ServiceDiscovery<Void> discovery =
                ServiceDiscoveryBuilder.builder(Void.class).client(client).basePath(base).build();
        discovery.start();
        return discovery;
    }

    private String instances(String base, String service) throws Exception {
        TreeSet<String> shown = new TreeSet<>();
        try (ServiceDiscovery<Void> discovery = discovery(base)) {
            for (ServiceInstance<Void> one : discovery.queryForInstances(service)) {
                shown.add(one.getId() + "@" + one.getAddress() + ":" + one.getPort());
            }
        }
        return String.join(",", shown);
    }
}
