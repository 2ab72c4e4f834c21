import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;

/** A port that passes bytes on to a server, and can be cut: then its connections close, and new ones at once. */
final class Relay implements AutoCloseable {
    private final int target;
    private final ServerSocket listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    private final List<Socket> sockets = new ArrayList<>();
    private boolean cut;

    Relay(int target) throws IOException {
        this.target = target;
        start(this::serve);
    }

    String address() {
        return "127.0.0.1:" + listener.getLocalPort();
    }

    synchronized void cut() throws IOException {
        cut = true;
        for (Socket socket : sockets) {
            socket.close();
        }
        sockets.clear();
    }

    synchronized void mend() {
        cut = false;
    }

    @Override
    public void close() throws IOException {
        listener.close();
        cut();
    }

    private void serve() throws IOException {
        while (true) {
            join(listener.accept());
        }
    }

    private synchronized void join(Socket client) throws IOException {
        if (cut) {
            client.close();
            return;
        }
        Socket server = new Socket(InetAddress.getLoopbackAddress(), target);
        sockets.add(client);
        sockets.add(server);
        start(() -> pass(client, server));
        start(() -> pass(server, client));
    }

    private void pass(Socket from, Socket to) throws IOException {
        try (from; to) {
            InputStream in = from.getInputStream();
            OutputStream out = to.getOutputStream();
            in.transferTo(out);
        }
    }

    private static void start(Checks.Check work) {
        Thread thread = new Thread(() -> {
            try {
                work.run();
            } catch (Exception ended) {
                // The relay was cut, or one of the two sides closed.
            }
        });
        thread.setDaemon(true);
        thread.start();
    }
}
