"""Servers under test behind one interface: Java ZooKeeper 3.8 and 3.9, and Quorate.

Every server is standalone, listens on 127.0.0.1 only, keeps its files in a directory of its own and is stopped by its
process id. System properties are given once and reach Java as flags and Quorate as SERVER_JVMFLAGS, which it reads as
the start scripts of Java ZooKeeper do. Ensembles: ensembles.py.
"""

import glob
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
REPOSITORY = os.path.abspath(os.path.join(HERE, "..", "..", ".."))
CACHE = os.environ.get("QUORATE_INTEROP_CACHE", os.path.expanduser("~/.cache/quorate-interop"))
JAVA_38, JAVA_39, QUORATE = "java38", "java39", "quorate"
KINDS = (JAVA_38, JAVA_39, QUORATE)
READY_TIMEOUT_S = 60
STOP_TIMEOUT_S = 20

# Small heaps and the quick compiler: several of these run side by side on a small machine.
JVM_OPTIONS = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]


def java_class_path(kind):
    """The class path of a Java version; Debian's slf4j serves both, logging to standard error."""
    logging = ["/usr/share/java/slf4j-api.jar", "/usr/share/java/slf4j-simple.jar"]
    if kind == JAVA_38:
        return ":".join(["/usr/share/java/zookeeper.jar"] + logging)
    if kind == JAVA_39:
        jars = sorted(glob.glob(os.path.join(CACHE, "zookeeper-3.9.*", "*.jar")))
        assert jars, "ZooKeeper 3.9 is missing: run setup.sh"
        return ":".join(logging + jars)
    raise ValueError(f"not a Java server: {kind}")


def quorate_binary():
    """The binary given by QUORATE_BINARY, or the newest one cargo built."""
    given = os.environ.get("QUORATE_BINARY")
    if given:
        return given
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(REPOSITORY, "target"))
    built = [path for path in (os.path.join(target, profile, "quorate") for profile in ("release", "debug"))
             if os.path.exists(path)]
    assert built, f"no quorate binary under {target}: build it, or set QUORATE_BINARY"
    return max(built, key=os.path.getmtime)


def scratch_root():
    """Memory-backed when possible: what is compared here is behaviour, not the speed of a disk."""
    given = os.environ.get("QUORATE_INTEROP_SCRATCH")
    if given:
        return given
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir()


class Ports:
    """Hands out free loopback ports, upwards from QUORATE_INTEROP_PORT (21000)."""

    next_port = int(os.environ.get("QUORATE_INTEROP_PORT", "21000"))

    @classmethod
    def take(cls):
        while True:
            port = cls.next_port
            cls.next_port += 1
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                    return port
                except OSError:
                    continue


class Server:
    """One standalone server process. `kind` is java38, java39 or quorate."""

    def __init__(self, kind, data_dir=None, extra=(), flags=(), port=None, tick_ms=2000, jvm_options=None, root=None):
        assert kind in KINDS, kind
        self.kind = kind
        self.jvm_options = JVM_OPTIONS if jvm_options is None else list(jvm_options)
        self.port = port or Ports.take()
        self.work_dir = tempfile.mkdtemp(prefix=f"quorate-interop-{kind}-", dir=root or scratch_root())
        self.data_dir = data_dir or os.path.join(self.work_dir, "data")
        self.log_path = os.path.join(self.work_dir, "server.log")
        self.config_path = os.path.join(self.work_dir, "zoo.cfg")
        self.flags = list(flags)
        self.process = None
        os.makedirs(self.data_dir, exist_ok=True)
        lines = [f"dataDir={self.data_dir}", f"clientPort={self.port}", "clientPortAddress=127.0.0.1",
                 f"tickTime={tick_ms}", "admin.enableServer=false", "4lw.commands.whitelist=*", "maxClientCnxns=0"]
        with open(self.config_path, "w") as config:
            config.write("\n".join(lines + list(extra)) + "\n")

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def command(self):
        """The command line and the environment that start this server."""
        environment = dict(os.environ)
        if self.kind == QUORATE:
            environment["SERVER_JVMFLAGS"] = " ".join(self.flags)
            return [quorate_binary(), "server", self.config_path], environment
        arguments = ["java"] + self.jvm_options + ["-Dfile.encoding=UTF-8", "-Dorg.slf4j.simpleLogger.showDateTime=true"]
        arguments += self.flags + ["-cp", java_class_path(self.kind)]
        return arguments + ["org.apache.zookeeper.server.quorum.QuorumPeerMain", self.config_path], environment

    def start(self):
        assert self.process is None, "already started"
        arguments, environment = self.command()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(arguments, env=environment, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, cwd=self.work_dir)
        self._wait_until_serving()
        return self

    def _wait_until_serving(self):
        deadline = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                code, self.process = self.process.returncode, None
                raise RuntimeError(f"{self.kind} ended with {code} while starting:\n{self.log_tail()}")
            try:
                if "Zxid:" in self.four_letter("srvr"):
                    return
            except OSError:
                pass
            time.sleep(0.005)
        self.kill()
        raise RuntimeError(f"{self.kind} did not serve within {READY_TIMEOUT_S} s:\n{self.log_tail()}")

    def four_letter(self, word):
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(word.encode())
            chunks = []
            while chunk := connection.recv(65536):
                chunks.append(chunk)
        return b"".join(chunks).decode("utf-8", "replace")

    def metric(self, name):
        """A value out of `mntr`, None when the server doesn't report it."""
        for line in self.four_letter("mntr").splitlines():
            key, _, value = line.partition("\t")
            if key == name:
                return float(value)
        return None

    def stop(self):
        """A clean stop; the exit code, or None when nothing was running."""
        return self._end(signal.SIGTERM)

    def kill(self):
        """An abrupt end, as by kill -9."""
        return self._end(signal.SIGKILL)

    def _end(self, how):
        if self.process is None:
            return None
        process, self.process = self.process, None
        process.send_signal(how)
        try:
            return process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise RuntimeError(f"{self.kind} ignored signal {how}:\n{self.log_tail()}") from None

    def log_text(self):
        with open(self.log_path, errors="replace") as log:
            return log.read()

    def log_tail(self, lines=30):
        return "\n".join(self.log_text().splitlines()[-lines:])

    def remove(self):
        """Stops the server and forgets its files (a data directory given by the caller stays)."""
        try:
            self.stop()
        finally:
            shutil.rmtree(self.work_dir, ignore_errors=True)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            shutil.rmtree(self.work_dir, ignore_errors=True)
            raise

    def __exit__(self, *unused):
        self.remove()
