import java.util.ArrayList;
import java.util.List;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;

/** Keeps the events it is told, as `Type path`. */
final class Events implements Watcher {
    private final List<String> seen = new ArrayList<>();

    @Override
    public synchronized void process(WatchedEvent event) {
        if (event.getType() != Event.EventType.None) {
            seen.add(event.getType() + " " + event.getPath());
        }
    }

    synchronized List<String> seen() {
        return List.copyOf(seen);
    }

    synchronized void clear() {
        seen.clear();
    }

    /** Waits until exactly these have come, in this order. */
    void expect(String... expected) throws Exception {
        try {
            Checks.eventually("events", () -> seen().size() >= expected.length);
        } finally {
            Checks.equal(List.of(expected), seen());
        }
        clear();
    }
}
