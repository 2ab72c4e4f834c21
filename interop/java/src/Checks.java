import java.util.Arrays;
import java.util.Collection;
import java.util.Objects;
import java.util.concurrent.Callable;

/** Runs named checks, and prints a line for each: `ok name`, or `FAILED name: why`. The last line counts them. */
final class Checks {
    interface Check {
        void run() throws Exception;
    }

    private int passed;
    private int failed;

    void check(String name, Check check) {
        try {
            check.run();
            passed++;
            System.out.println("ok " + name);
        } catch (Throwable problem) {
            failed++;
            System.out.println("FAILED " + name + ": " + problem + " " + where(problem));
        }
    }

    /** Ends the program: with 0 if every check passed. */
    void end() {
        System.out.println(passed + " ok, " + failed + " FAILED");
        System.out.flush();
        // Threads of a client that did not close must not keep the program alive.
        Runtime.getRuntime().halt(failed == 0 ? 0 : 1);
    }

    static void equal(Object expected, Object got) {
        if (!Objects.deepEquals(expected, got)) {
            throw new AssertionError("expected " + show(expected) + ", got " + show(got));
        }
    }

    static void that(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError("not so: " + what);
        }
    }

    static void sameElements(Collection<?> expected, Collection<?> got) {
        if (expected.size() != got.size() || !expected.containsAll(got)) {
            throw new AssertionError("expected " + expected + ", got " + got);
        }
    }

    /** Waits until the condition holds, looking often. */
    static void eventually(String what, Callable<Boolean> condition) throws Exception {
        long deadline = System.nanoTime() + 30_000_000_000L;
        while (!condition.call()) {
            if (System.nanoTime() > deadline) {
                throw new AssertionError("after 30 s still not so: " + what);
            }
            Thread.sleep(10);
        }
    }

    private static String show(Object value) {
        return value instanceof byte[] bytes ? Arrays.toString(bytes) : String.valueOf(value);
    }

    private static String where(Throwable problem) {
        return Arrays.stream(problem.getStackTrace())
                .filter(frame -> !frame.getClassName().equals("Checks"))
                .limit(6)
                .toList()
                .toString();
    }
}
