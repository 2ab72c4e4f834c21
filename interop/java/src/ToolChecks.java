import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.retry.ExponentialBackoffRetry;

/** Curator's recipes and the grevy command's, on the same znodes. Arguments: the server's port, the grevy binary. */
public final class ToolChecks {
    private final Checks checks = new Checks();
    private final String server;
    private final String grevy;
    private final CuratorFramework client;

    private ToolChecks(String server, String grevy) throws Exception {
        this.server = server;
        this.grevy = grevy;
        client = CuratorFrameworkFactory.newClient(server, 20_000, 10_000, new ExponentialBackoffRetry(50, 8));
        client.start();
        Checks.that(client.blockUntilConnected(20, TimeUnit.SECONDS), "connected to " + server);
    }

    public static void main(String[] arguments) throws Exception {
        ToolChecks all = new ToolChecks("127.0.0.1:" + arguments[0], arguments[1]);
        all.locks();
        all.elections();
        all.semaphores();
        all.checks.end();
    }

    private void locks() {
        checks.check("lock and InterProcessMutex", () -> {
            InterProcessMutex mutex = new InterProcessMutex(client, "/tools/lock");
            mutex.acquire();
            Checks.equal(124, run("lock", "/tools/lock", "--wait", "0", "--", "true"));
            mutex.release();
            Tool tool = new Tool("lock", "/tools/lock");
            Checks.that(!mutex.acquire(300, TimeUnit.MILLISECONDS), "the command holds it");
            Checks.equal(0, tool.end());
            Checks.that(mutex.acquire(20, TimeUnit.SECONDS), "it was released");
            mutex.release();
        });
    }

    private void elections() {
        checks.check("elect and LeaderLatch", () -> {
            Tool tool = new Tool("elect", "/tools/leader", "--id", "tool");
            LeaderLatch latch = new LeaderLatch(client, "/tools/leader", "curator");
            latch.start();
            Checks.eventually("both stand for election", () -> latch.getParticipants().size() == 2);
            Checks.equal("tool", latch.getLeader().getId());
            Checks.that(!latch.hasLeadership(), "the command leads");
            Checks.equal(0, tool.end());
            Checks.that(latch.await(20, TimeUnit.SECONDS), "the next one leads");
            Checks.equal(124, run("elect", "/tools/leader", "--wait", "0", "--", "true"));
            latch.close();
            Checks.equal(0, run("elect", "/tools/leader", "--", "true"));
        });
    }

    private void semaphores() {
        checks.check("semaphore and InterProcessSemaphoreV2", () -> {
            InterProcessSemaphoreV2 semaphore = new InterProcessSemaphoreV2(client, "/tools/semaphore", 2);
            Lease lease = semaphore.acquire();
            Tool tool = new Tool("semaphore", "/tools/semaphore", "2");
            Checks.equal(null, semaphore.acquire(300, TimeUnit.MILLISECONDS));
            Checks.equal(124, run("semaphore", "/tools/semaphore", "2", "--wait", "0", "--", "true"));
            Checks.equal(2, semaphore.getParticipantNodes().size());
            semaphore.returnLease(lease);
            Checks.equal(0, run("semaphore", "/tools/semaphore", "2", "--", "true"));
            Checks.equal(0, tool.end());
            Lease one = semaphore.acquire(20, TimeUnit.SECONDS);
            Lease two = semaphore.acquire(20, TimeUnit.SECONDS);
            Checks.that(one != null && two != null, "there is room for two");
            semaphore.returnLease(one);
            semaphore.returnLease(two);
        });
    }

    private int run(String... arguments) throws Exception {
        Process process = command(arguments).redirectOutput(ProcessBuilder.Redirect.DISCARD).start();
        Checks.that(process.waitFor(60, TimeUnit.SECONDS), "the command ends");
        return process.exitValue();
    }

    private ProcessBuilder command(String... arguments) {
        List<String> words = new ArrayList<>(List.of(grevy));
        words.addAll(List.of(arguments));
        ProcessBuilder builder = new ProcessBuilder(words).redirectError(ProcessBuilder.Redirect.INHERIT);
        builder.environment().put("GREVY_SERVER", server);
        return builder;
    }

    /** A recipe's command that runs until its input ends. */
    private final class Tool {
        private final Process process;

        /** Returns once the recipe has let the command run. */
        Tool(String... arguments) throws Exception {
            List<String> words = new ArrayList<>(List.of(arguments));
            words.addAll(List.of("--", "sh", "-c", "echo held; exec cat"));
            process = command(words.toArray(String[]::new)).start();
            Checks.equal("held", new BufferedReader(new InputStreamReader(process.getInputStream())).readLine());
        }

        int end() throws Exception {
            process.getOutputStream().close();
            Checks.that(process.waitFor(60, TimeUnit.SECONDS), "the command ends");
            return process.exitValue();
        }
    }
}
