import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;

/**
 * The Java client under load, as rolling.py's load.py is kazoo's: it writes, holds an ephemeral, watches, and contends for a mutex, through
 * whatever happens to the servers, until its standard input ends. One line for each thing that rolling.py judges:
 * ACK path data, SERVER address, HELD from to (CLOCK_MONOTONIC, ns), LOST what.
 */
public class Load {
    /** Tells where it is connected. */
    static class Client extends ZooKeeper {
        Client(String hosts, int timeout, Watcher watcher) throws Exception {
            super(hosts, timeout, watcher);
        }

        String server() {
            return String.valueOf(testableRemoteSocketAddress());
        }
    }

    static Client client;
    static String name;
    /** Between its writes, in ms: an argument, or 5. */
    static int pace;
    static volatile boolean over;

    static synchronized void say(String line) {
        System.out.println(line);
        System.out.flush();
    }

    public static void main(String[] arguments) throws Exception {
        name = arguments[1];
        pace = arguments.length > 3 ? Integer.parseInt(arguments[3]) : 5;
        client = new Client(arguments[0], Integer.parseInt(arguments[2]), Load::hear);
        String mine = "/ephemerals/" + name;
        retry(() -> create(mine, name, CreateMode.EPHEMERAL));
        Thread mutex = new Thread(Load::contend);
        mutex.start();
        Thread writer = new Thread(Load::write);
        writer.start();
        while (System.in.read() >= 0) {
            continue;
        }
        over = true;
        writer.join();
        mutex.join();
        retry(() -> {
            if (client.exists(mine, false) == null) {
                say("LOST ephemeral " + mine);
            }
            return null;
        });
        client.close();
    }

    static void hear(WatchedEvent event) {
        switch (event.getState()) {
            case SyncConnected -> {
                if (event.getType() == Watcher.Event.EventType.None) {
                    say("SERVER " + client.server());
                }
            }
            case Expired -> say("LOST session");
            default -> { }
        }
    }

    interface Action<T> {
        T run() throws Exception;
    }

    /** Does it until the connection bears it; the outcome of what was cut off is unknown. */
    static <T> T retry(Action<T> action) throws Exception {
        while (true) {
            try {
                return action.run();
            } catch (KeeperException.ConnectionLossException lost) {
                Thread.sleep(5);
            }
        }
    }

    static String create(String path, String data, CreateMode mode) throws Exception {
        try {
            return client.create(path, data.getBytes(StandardCharsets.UTF_8), ZooDefs.Ids.OPEN_ACL_UNSAFE, mode);
        } catch (KeeperException.NodeExistsException exists) {
            return path;
        }
    }

    static void write() {
        for (int count = 0; !over; count++) {
            String data = name + "-" + count;
            try {
                String path = client.create("/acks/k-", data.getBytes(StandardCharsets.UTF_8),
                        ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL);
                say("ACK " + path + " " + data + " " + System.nanoTime());
                Thread.sleep(pace);
            } catch (KeeperException.ConnectionLossException lost) {
                pause();
            } catch (Exception error) {
                say("LOST write " + error);
                return;
            }
        }
    }

    static void contend() {
        try {
            while (!over) {
                CountDownLatch gone = new CountDownLatch(1);
                try {
                    client.create("/mutex", name.getBytes(StandardCharsets.UTF_8), ZooDefs.Ids.OPEN_ACL_UNSAFE,
                            CreateMode.EPHEMERAL);
                } catch (KeeperException.NodeExistsException taken) {
                    // After a loss of connection it may be one's own.
                    byte[] holder = retry(() -> {
                        try {
                            return client.getData("/mutex", event -> gone.countDown(), null);
                        } catch (KeeperException.NoNodeException free) {
                            return null;
                        }
                    });
                    if (holder == null) {
                        continue;
                    }
                    if (!name.equals(new String(holder, StandardCharsets.UTF_8))) {
                        gone.await(1, TimeUnit.SECONDS);
                        continue;
                    }
                } catch (KeeperException.ConnectionLossException lost) {
                    pause();
                    continue;
                }
                long from = System.nanoTime();
                Thread.sleep(3);
                say("HELD " + from + " " + System.nanoTime());
                try {
                    // Not again where the outcome is unknown: by then it may be another's. Whether it is still one's own, the next create tells.
                    client.delete("/mutex", -1);
                } catch (KeeperException.NoNodeException | KeeperException.ConnectionLossException done) {
                    // Nothing of it is left to be done here.
                }
                Thread.sleep(5);
            }
        } catch (Exception error) {
            say("LOST mutex " + error);
        }
    }

    static void pause() {
        try {
            Thread.sleep(5);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
