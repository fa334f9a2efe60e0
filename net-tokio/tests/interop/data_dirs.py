#!/usr/bin/env python3
"""Passes data directories between Java and another server, and compares the whole trees.

Each trip: Java (3.8 or 3.9) fills a directory and ends, cleanly or by kill -9; the server under test opens it, has to
show the same tree, data, ACLs and stats, and the sessions that were open, fills more, and ends; Java opens it again,
has to show the same, and to find no digest mismatch. `quorate inspect` reads what each leaves behind.
Two trips start with an empty directory.
Exit status 1: anything differs.
"""

import argparse
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

import servers
import tree

FLAGS = ["-Dzookeeper.DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU=",
         "-Dznode.container.checkIntervalMs=3600000", "-Dzookeeper.snapCount=100"]
EXTRA = ["extendedTypesEnabled=true"]
MISMATCH = re.compile(r"digests? (?:are )?not match|digest mismatch", re.IGNORECASE)


class Trip:
    """One data directory on its way through several servers."""

    def __init__(self, name, directory, inspector):
        self.name, self.directory, self.inspector = name, directory, inspector
        self.expected, self.sessions, self.problems, self.fillings, self.zxid = None, [], [], 0, 0

    def visit(self, kind, end):
        """Opens the directory with a server, compares, adds to it, and ends the server by `end` (stop or kill)."""
        with servers.Server(kind, data_dir=self.directory, extra=EXTRA, flags=FLAGS) as server:
            self._compare(kind, server)
            self._fill(server)
            mismatches = server.metric("zk_digest_mismatches_count")
            self._check(mismatches == 0, f"{kind} counts {mismatches} digest mismatches")
            getattr(server, end)()
            found = MISMATCH.search(server.log_text())
            self._check(found is None, f"{kind} logs: {found and found.group(0)}")
            self._inspect(kind)

    def _inspect(self, kind):
        """Quorate's own tool has to read what the server left, checksums and digests included.

        Only the oldest snapshot is named: a Java snapshot taken while a txn is being applied holds a part of that txn
        under the digest of the one before (one in seventy here), which `inspect` calls damage.
        """
        if self.inspector is None:
            return
        snapshots, logs = ([path for _, path in sorted((int(path.rpartition(".")[2], 16), path) for path in glob.glob(
            os.path.join(self.directory, "version-2", name + ".*")))] for name in ("snapshot", "log"))
        files = snapshots[:1] + logs
        done = subprocess.run([self.inspector, "inspect", "--summary"] + files, capture_output=True, text=True, check=False)
        self._check(done.returncode == 0, f"inspect after {kind} gave {done.returncode}: {(done.stdout + done.stderr)[-500:]}")
        self._check("digests right" in done.stdout, f"inspect after {kind} compared no digest: {done.stdout[-500:]}")

    def _compare(self, kind, server):
        zxid = int(re.search(r"Zxid: 0x([0-9a-f]+)", server.four_letter("srvr")).group(1), 16)
        self._check(zxid >= self.zxid, f"{kind} starts at zxid {zxid:#x}, before {self.zxid:#x}")
        if self.expected is not None:
            lines = tree.differences(self.expected, tree.dump(server))
            self._check(not lines, f"{kind} shows another tree:\n      " + "\n      ".join(lines[:20]))
        for session, password in self.sessions:
            again = tree.Client(server, session, password)
            self._check(again.timeout_ms > 0, f"{kind} lost session {session:#x}")
            if again.timeout_ms > 0:
                again.leave()

    def _fill(self, server):
        self.fillings += 1
        left_open = tree.fill(server, f"/filling{self.fillings}")
        self.sessions.append((left_open.session, left_open.password))
        self.expected = tree.dump(server)
        self.zxid = int(re.search(r"Zxid: 0x([0-9a-f]+)", server.four_letter("srvr")).group(1), 16)

    def _check(self, holds, problem):
        if not holds:
            self.problems.append(problem)


def run_trip(name, stops, inspector):
    """`stops` is a list of (server kind, how it ends). True when nothing differed."""
    directory = tempfile.mkdtemp(prefix="quorate-interop-data-", dir=servers.scratch_root())
    trip = Trip(name, directory, inspector)
    try:
        for kind, end in stops:
            trip.visit(kind, end)
    except (AssertionError, OSError, RuntimeError, *tree.Trouble) as error:
        trip.problems.append(f"{type(error).__name__}: {error}")
    finally:
        kept = os.environ.get("QUORATE_INTEROP_KEEP")
        if trip.problems and kept:
            shutil.copytree(directory, os.path.join(kept, os.path.basename(directory)))
        shutil.rmtree(directory)
    for problem in trip.problems:
        print(f"FAILED {name}: {problem}")
    return not trip.problems


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", choices=servers.KINDS, default=servers.QUORATE)
    tested = parser.parse_args().server
    trips = [("from nothing, to 3.9", [(tested, "stop"), (servers.JAVA_39, "stop")]),
             ("from nothing and killed, to 3.8", [(tested, "kill"), (servers.JAVA_38, "stop")])]
    for java in (servers.JAVA_38, servers.JAVA_39):
        for java_end in ("stop", "kill"):
            for tested_end in ("stop", "kill"):
                trips.append((f"{java} ({java_end}), {tested} ({tested_end}) and back",
                              [(java, java_end), (tested, tested_end), (java, "stop")]))
    inspector = servers.quorate_binary() if tested == servers.QUORATE else os.environ.get("QUORATE_BINARY")
    passed = sum(run_trip(name, stops, inspector) for name, stops in trips)
    print(f"data directories of {tested}: {passed} passed, {len(trips) - passed} failed")
    return 0 if passed == len(trips) else 1


sys.exit(main())
