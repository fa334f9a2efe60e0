"""Client processes under load (load.py, Load.java), what they have said, and what that has to be."""

import os
import subprocess
import sys
import threading
import time

import servers

SESSION_TIMEOUT_MS = 10_000
START_TIMEOUT_S = 60


class Worker:
    """A process under load, and what it has said."""

    def __init__(self, name, command):
        self.name, self.lines = name, []
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.split())

    def said(self, word):
        return [line[1:] for line in list(self.lines) if line and line[0] == word]

    def servers(self):
        """Where its session was, each change once."""
        visited = []
        for (address, *_) in self.said("SERVER"):
            if not visited or visited[-1] != address:
                visited.append(address)
        return visited

    def acks(self):
        """Everything acknowledged: path, data, when."""
        return [(path, data, int(at)) for path, data, at in self.said("ACK")]

    def stop(self):
        self.process.stdin.close()
        self.process.wait(60)
        self.reader.join(10)


def kazoo(hosts, name):
    return Worker(name, [sys.executable, os.path.join(servers.HERE, "load.py"), hosts, name, str(SESSION_TIMEOUT_MS)])


def java(hosts, name, version=servers.JAVA_39, pace_ms=5):
    """The Java client of this version, with so long between its writes."""
    return Worker(name, ["java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=off",
                         "-cp", servers.java_class_path(version), os.path.join(servers.HERE, "Load.java"), hosts, name,
                         str(SESSION_TIMEOUT_MS), str(pace_ms)])


def wait_until_all_write(workers, count=20):
    """Until each has so many writes acknowledged beyond those it has."""
    wanted = {worker: len(worker.said("ACK")) + count for worker in workers}
    deadline = time.monotonic() + START_TIMEOUT_S
    while waiting := [worker.name for worker, count in wanted.items() if len(worker.said("ACK")) < count]:
        assert time.monotonic() < deadline, f"no load of {waiting}"
        time.sleep(0.02)


def wrong_acks(acks, found):
    """What a tree says against the acknowledged writes: sentences, none when it has them all."""
    missing = [path for path, data, _ in acks if path not in found or bytes.fromhex(found[path][0])[4:] != data.encode()]
    problems = [f"{len(missing)} of {len(acks)} acknowledged writes are missing: {missing[:5]}"] if missing else []
    paths = [path for path, *_ in acks]
    return problems + (["a sequential name was given twice"] if len(set(paths)) != len(paths) else [])


def holds(workers):
    """How often the mutex was held, and when by two."""
    held = sorted((int(since), int(until), worker.name) for worker in workers for since, until in worker.said("HELD"))
    return len(held), [(a, b) for a, b in zip(held, held[1:]) if b[0] < a[1] and a[2] != b[2]]
