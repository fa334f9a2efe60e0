import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.atomic.AtomicValue;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.barriers.DistributedBarrier;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.locks.InterProcessLock;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.framework.recipes.locks.Revoker;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.framework.recipes.queue.DistributedQueue;
import org.apache.curator.framework.recipes.queue.QueueBuilder;
import org.apache.curator.framework.recipes.queue.QueueConsumer;
import org.apache.curator.framework.recipes.queue.QueueSerializer;
import org.apache.curator.framework.recipes.queue.SimpleDistributedQueue;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.RetryNTimes;

/**
 * Curator's recipes as a peer of recipes.py: reads `tag verb name arguments…` from its standard input, and answers each on a line of its own,
 * `tag ok …`, `tag no` or `tag error …`. What is asked of one name is done in its order, on a thread of that name's own.
 */
public class Recipes {
    interface Verb {
        String run(String[] words) throws Exception;
    }

    static CuratorFramework client;
    static final Map<String, ExecutorService> threads = new ConcurrentHashMap<>();
    static final Map<String, Object> objects = new ConcurrentHashMap<>();
    static final Map<String, Verb> verbs = new HashMap<>();

    static synchronized void say(String line) {
        System.out.println(line);
        System.out.flush();
    }

    static void answer(String[] words) {
        try {
            Verb verb = verbs.get(words[1]);
            say(words[0] + " " + (verb == null ? "error no verb " + words[1] : verb.run(words)));
        } catch (Throwable error) {
            say(words[0] + " error " + String.valueOf(error).replace('\n', ' '));
        }
    }

    static String ok(boolean done) {
        return done ? "ok" : "no";
    }

    static long ms(String word) {
        return Long.parseLong(word);
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }

    /** Words are tag, verb, name, and what follows. */
    public static void main(String[] arguments) throws Exception {
        client = CuratorFrameworkFactory.newClient(arguments[0], 10000, 5000, new RetryNTimes(20, 100));
        client.start();
        client.blockUntilConnected();
        locks();
        leaders();
        barriers();
        numbers();
        queues();
        groups();
        say("ready");
        java.util.Scanner input = new java.util.Scanner(System.in);
        while (input.hasNextLine()) {
            String[] words = input.nextLine().trim().split(" ");
            threads.computeIfAbsent(words[2], name -> Executors.newSingleThreadExecutor()).execute(() -> answer(words));
        }
        client.close();
        System.exit(0);
    }

    static void locks() {
        verbs.put("mutex", words -> {
            InterProcessMutex mutex = new InterProcessMutex(client, words[3]);
            mutex.makeRevocable(held -> objects.put(words[2] + "/revoked", true));
            objects.put(words[2], mutex);
            return "ok";
        });
        verbs.put("read", words -> {
            objects.put(words[2], new InterProcessReadWriteLock(client, words[3]).readLock());
            return "ok";
        });
        verbs.put("write", words -> {
            objects.put(words[2], new InterProcessReadWriteLock(client, words[3]).writeLock());
            return "ok";
        });
        verbs.put("semaphore", words -> {
            objects.put(words[2], new InterProcessSemaphoreV2(client, words[3], Integer.parseInt(words[4])));
            return "ok";
        });
        verbs.put("acquire", words -> {
            if (objects.get(words[2]) instanceof InterProcessSemaphoreV2 semaphore) {
                Lease lease = semaphore.acquire(ms(words[3]), TimeUnit.MILLISECONDS);
                if (lease != null) {
                    objects.put(words[2] + "/lease", lease);
                }
                return ok(lease != null);
            }
            return ok(((InterProcessLock) objects.get(words[2])).acquire(ms(words[3]), TimeUnit.MILLISECONDS));
        });
        verbs.put("release", words -> {
            if (objects.get(words[2]) instanceof InterProcessSemaphoreV2 semaphore) {
                semaphore.returnLease((Lease) objects.remove(words[2] + "/lease"));
            } else {
                ((InterProcessLock) objects.get(words[2])).release();
            }
            return "ok";
        });
        verbs.put("revoke", words -> {
            InterProcessMutex mutex = new InterProcessMutex(client, words[3]);
            Collection<String> nodes = mutex.getParticipantNodes();
            Revoker.attemptRevoke(client, nodes.iterator().next());
            return "ok";
        });
        verbs.put("revoked", words -> ok(objects.containsKey(words[2] + "/revoked")));
    }

    static void leaders() {
        verbs.put("latch", words -> {
            LeaderLatch latch = new LeaderLatch(client, words[3], words[4]);
            latch.start();
            objects.put(words[2], latch);
            return "ok";
        });
        verbs.put("lead", words -> ok(((LeaderLatch) objects.get(words[2])).await(ms(words[3]), TimeUnit.MILLISECONDS)));
        verbs.put("leader", words -> "ok " + ((LeaderLatch) objects.get(words[2])).getLeader().getId());
        verbs.put("resign", words -> {
            ((LeaderLatch) objects.get(words[2])).close();
            return "ok";
        });
    }

    static void barriers() {
        verbs.put("set-barrier", words -> {
            new DistributedBarrier(client, words[3]).setBarrier();
            return "ok";
        });
        verbs.put("remove-barrier", words -> {
            new DistributedBarrier(client, words[3]).removeBarrier();
            return "ok";
        });
        verbs.put("wait-barrier", words -> ok(new DistributedBarrier(client, words[3]).waitOnBarrier(ms(words[4]), TimeUnit.MILLISECONDS)));
        verbs.put("double-barrier", words -> {
            objects.put(words[2], new DistributedDoubleBarrier(client, words[3], Integer.parseInt(words[4])));
            return "ok";
        });
        verbs.put("enter", words -> ok(((DistributedDoubleBarrier) objects.get(words[2])).enter(ms(words[3]), TimeUnit.MILLISECONDS)));
        verbs.put("leave", words -> ok(((DistributedDoubleBarrier) objects.get(words[2])).leave(ms(words[3]), TimeUnit.MILLISECONDS)));
    }

    static void numbers() {
        verbs.put("add-long", words -> {
            AtomicValue<Long> value = new DistributedAtomicLong(client, words[3], new RetryNTimes(50, 10)).add(Long.parseLong(words[4]));
            return value.succeeded() ? "ok " + value.postValue() : "no";
        });
        verbs.put("add-count", words -> {
            SharedCount count = new SharedCount(client, words[3], 0);
            count.start();
            try {
                while (!count.trySetCount(count.getVersionedValue(), count.getCount() + Integer.parseInt(words[4]))) {
                    continue;
                }
                return "ok " + count.getCount();
            } finally {
                count.close();
            }
        });
    }

    static void queues() {
        verbs.put("put-simple", words -> ok(new SimpleDistributedQueue(client, words[3]).offer(bytes(words[4]))));
        verbs.put("take-simple", words -> {
            byte[] item = new SimpleDistributedQueue(client, words[3]).poll(ms(words[4]), TimeUnit.MILLISECONDS);
            return item == null ? "no" : "ok " + text(item);
        });
        QueueSerializer<String> serializer = new QueueSerializer<>() {
            public byte[] serialize(String item) {
                return bytes(item);
            }

            public String deserialize(byte[] item) {
                return text(item);
            }
        };
        verbs.put("put", words -> {
            try (DistributedQueue<String> queue = QueueBuilder.builder(client, null, serializer, words[3]).buildQueue()) {
                queue.start();
                queue.put(words[4]);
                queue.flushPuts(10, TimeUnit.SECONDS);
            }
            return "ok";
        });
        // A consumer for each path, which holds an item until somebody takes it.
        Map<String, SynchronousQueue<String>> consumers = new ConcurrentHashMap<>();
        verbs.put("take", words -> {
            SynchronousQueue<String> items = consumers.computeIfAbsent(words[3], path -> consumer(path, serializer));
            String item = items.poll(ms(words[4]), TimeUnit.MILLISECONDS);
            return item == null ? "no" : "ok " + item;
        });
    }

    static SynchronousQueue<String> consumer(String path, QueueSerializer<String> serializer) {
        SynchronousQueue<String> items = new SynchronousQueue<>();
        QueueConsumer<String> consumer = new QueueConsumer<>() {
            public void consumeMessage(String item) throws InterruptedException {
                items.put(item);
            }

            public void stateChanged(CuratorFramework framework, ConnectionState state) {
            }
        };
        try {
            QueueBuilder.builder(client, consumer, serializer, path).buildQueue().start();
        } catch (Exception error) {
            throw new IllegalStateException(error);
        }
        return items;
    }

    static void groups() {
        verbs.put("join", words -> {
            GroupMember member = new GroupMember(client, words[3], words[4], bytes(words[5]));
            member.start();
            objects.put(words[2], member);
            return "ok";
        });
        verbs.put("members", words -> {
            TreeSet<String> members = new TreeSet<>();
            ((GroupMember) objects.get(words[2])).getCurrentMembers().forEach((id, data) -> members.add(id + "=" + text(data)));
            return "ok " + String.join(" ", members);
        });
        verbs.put("quit", words -> {
            ((GroupMember) objects.get(words[2])).close();
            return "ok";
        });
    }
}
