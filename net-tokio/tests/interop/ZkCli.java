import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.HashSet;
import java.util.Set;
import org.apache.zookeeper.ZooKeeperMain;
import org.apache.zookeeper.util.ServiceUtils;

/**
 * Runs zkCli many times in one virtual machine, since starting a hundred takes minutes. Each line of standard input is one run: its
 * arguments in base64, a dot before each and blanks between them. Each run is answered by a line: exit code, standard output, standard error.
 *
 * What a process of its own would not see is kept away: sessions of earlier runs stay, as they do when zkCli has left them to expire,
 * but what their threads print is dropped.
 */
public final class ZkCli {
    /** How zkCli asks for the end of its process. */
    private static final class Exit extends RuntimeException {
        final int code;

        Exit(int code) {
            this.code = code;
        }
    }

    /** Output of the run that is under way. */
    private static final class Captured extends OutputStream {
        private ByteArrayOutputStream bytes = new ByteArrayOutputStream();

        @Override
        public synchronized void write(int value) {
            if (!earlier.contains(Thread.currentThread())) {
                bytes.write(value);
            }
        }

        synchronized String take() {
            String text = Base64.getEncoder().encodeToString(bytes.toByteArray());
            bytes = new ByteArrayOutputStream();
            return text;
        }
    }

    private static volatile Set<Thread> earlier = new HashSet<>();

    public static void main(String[] unused) throws Exception {
        PrintStream answers = System.out;
        Captured out = new Captured();
        Captured err = new Captured();
        System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
        ServiceUtils.setSystemExitProcedure(code -> {
            throw new Exit(code);
        });
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        String line;
        while ((line = lines.readLine()) != null) {
            String[] words = line.split(" ");
            for (int i = 0; i < words.length; i++) {
                words[i] = new String(Base64.getDecoder().decode(words[i].substring(1)), StandardCharsets.UTF_8);
            }
            int code = run(words);
            answers.println(code + " " + out.take() + " " + err.take());
            answers.flush();
            Set<Thread> all = new HashSet<>(Thread.getAllStackTraces().keySet());
            all.remove(Thread.currentThread());
            earlier = all;
        }
    }

    private static int run(String[] arguments) {
        try {
            ZooKeeperMain.main(arguments);
            return 0;
        } catch (Exit exit) {
            return exit.code;
        } catch (Throwable uncaught) {
            System.err.print("Exception in thread \"main\" ");
            uncaught.printStackTrace();
            return 1;
        }
    }
}
