"""Ensembles of Java and Quorate servers in any mix, on 127.0.0.1, each member a process of its own.

A member is named by its id, from 1. `leader_of` and `modes` ask the servers themselves (srvr).
"""

import os
import re
import shutil
import time

import servers
import tree

FLAGS = ["-Dzookeeper.DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU=",
         "-Dznode.container.checkIntervalMs=3600000", "-Dzookeeper.snapCount=100", "-Dzookeeper.extendedTypesEnabled=true"]
SETTLE_TIMEOUT_S = 60
# Held in memory by each server alone while reconfig is off, so it may differ.
OWN_NODES = {"/zookeeper/config"}


class Member(servers.Server):
    """A server of an ensemble: it serves only when others do."""

    def _wait_until_serving(self):
        """Its process runs; whether it serves is the ensemble's affair."""

    def lose_disk(self):
        """Everything but its id."""
        assert not self.is_running, "stop it first"
        shutil.rmtree(os.path.join(self.data_dir, "version-2"))

    @property
    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def listens(self):
        try:
            return bool(self.four_letter("ruok"))
        except OSError:
            return False

    def mode(self):
        """leader, follower or observer; None while it does not serve, or does not run."""
        if not self.is_running:
            return None
        try:
            found = re.search(r"^Mode: (\w+)", self.four_letter("srvr"), re.MULTILINE)
        except OSError:
            return None
        return found.group(1) if found else None

    def zxid(self):
        return int(re.search(r"Zxid: 0x([0-9a-f]+)", self.four_letter("srvr")).group(1), 16)


class Ensemble:
    """Members of the given kinds, ids from 1; those in `observers` have no vote."""

    def __init__(self, kinds, observers=(), tick_ms=500, extra=(), flags=(), root=None, jvm_options=None,
                 own_hosts=False):
        self.own_hosts = own_hosts
        self.observers, self.tick_ms, self.extra, self.flags = set(observers), tick_ms, list(extra), FLAGS + list(flags)
        self.root, self.jvm_options = root, jvm_options
        self.ports = {sid: [servers.Ports.take() for _ in range(3)] for sid in range(1, len(kinds) + 1)}
        self.members = {sid: self._member(sid, kind) for sid, kind in enumerate(kinds, 1)}

    def _lines(self, sid):
        lines = ["initLimit=20", "syncLimit=10"]
        lines += [f"server.{other}=127.0.0.{other if self.own_hosts else 1}:{quorum}:{election}" + (":observer" if other in self.observers else "")
                  for other, (_, quorum, election) in self.ports.items()]
        return lines + (["peerType=observer"] if sid in self.observers else []) + self.extra

    def _member(self, sid, kind, data_dir=None):
        member = Member(kind, data_dir=data_dir, extra=self._lines(sid), flags=self.flags, port=self.ports[sid][0],
                        tick_ms=self.tick_ms, root=self.root, jvm_options=self.jvm_options)
        with open(os.path.join(member.data_dir, "myid"), "w") as myid:
            myid.write(f"{sid}\n")
        return member

    def replace(self, sid, kind):
        """Another kind of server over the same data directory; not started."""
        old = self.members[sid]
        assert not old.is_running, "stop it first"
        self.members[sid] = self._member(sid, kind, data_dir=old.data_dir)
        return self.members[sid]

    def start(self, order=None):
        """Starts members in this order; the first ones are up to form a quorum before the next."""
        for sid in order or sorted(self.members):
            self.members[sid].start()
            deadline = time.monotonic() + SETTLE_TIMEOUT_S
            while not self.members[sid].listens():
                assert time.monotonic() < deadline and self.members[sid].is_running, self.members[sid].log_tail()
                time.sleep(0.02)
        self.settle()
        return self

    def running(self):
        return {sid: member for sid, member in self.members.items() if member.is_running}

    def modes(self):
        return {sid: member.mode() for sid, member in self.running().items()}

    def settle(self, timeout_s=SETTLE_TIMEOUT_S):
        """Waits until every running member serves and exactly one leads; its id."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            for sid, member in self.members.items():
                if member.process is not None and member.process.poll() is not None:
                    raise RuntimeError(f"member {sid} ({member.kind}) ended with {member.process.returncode}:\n{member.log_tail()}")
            modes = self.modes()
            if all(modes.values()) and list(modes.values()).count("leader") == 1:
                return self.leader_of(modes)
            time.sleep(0.02)
        logs = "\n".join(f"--- {sid} {member.kind}\n{member.log_tail(15)}" for sid, member in self.members.items())
        raise RuntimeError(f"not settled within {timeout_s} s: {self.modes()}\n{logs}")

    @staticmethod
    def leader_of(modes):
        return next(sid for sid, mode in modes.items() if mode == "leader")

    def leader(self):
        return self.leader_of(self.modes())

    def connect_string(self):
        return ",".join(member.address for member in self.members.values())

    def disagreements(self):
        """What differs between the members' trees once all have applied the same: lines, none when they agree."""
        for _ in range(5):
            self.same_zxid()
            before = [member.zxid() for member in self.running().values()]
            dumps = {}
            for sid, member in self.running().items():
                found = tree.dump(member)
                dumps[sid] = {path: node for path, node in found.items() if path not in OWN_NODES}
            # A dump is a session, two txns of it; more is a session that has expired meanwhile.
            if all(member.zxid() - was <= 2 * len(dumps) for member, was in zip(self.running().values(), before)):
                break
        (first, expected), *others = dumps.items()
        lines = []
        for sid, got in others:
            lines += [f"{first} and {sid}: {line}" for line in tree.differences(expected, got)]
        return lines + self.digest_disagreements()

    def same_zxid(self, timeout_s=20):
        """Waits until all running members have applied the same; a zxid without a counter is an epoch's beginning."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            client = tree.Client(next(iter(self.running().values())))
            client.must("setData", tree.set_data("/", b""))
            client.close()
            time.sleep(0.1)
            if len({member.zxid() for member in self.running().values()}) == 1:
                return
        raise RuntimeError("members do not come to the same zxid: " +
                           ", ".join(f"{sid} {member.zxid():#x}" for sid, member in self.running().items()))

    def digest_disagreements(self):
        """Of Quorate's members: Java's count what its own fuzzy snapshots leave behind, too."""
        lines = []
        for sid, member in self.running().items():
            count = member.metric("zk_digest_mismatches_count")
            if count and member.kind == servers.QUORATE:
                lines.append(f"member {sid} ({member.kind}) counts {count:.0f} digest mismatches")
        return lines

    def new_mismatches(self, write):
        """Members of any kind that count wrong digests while all run and something is written: lines."""
        counts = {}
        for when in ("before", "after"):
            self.same_zxid()
            counts[when] = {sid: member.metric("zk_digest_mismatches_count") for sid, member in self.running().items()}
            if when == "before":
                write()
        return [f"member {sid} ({self.members[sid].kind}) counts {counts['after'][sid] - count:.0f} digest mismatches more"
                for sid, count in counts["before"].items() if counts["after"][sid] != count]

    def digest_log_disagreements(self):
        """The newest digests that members have logged of the same txn (`hash`); at least two of them have one in common."""
        logs = {sid: dict(re.findall(r"([0-9a-f]+): (-?[0-9]+)", member.four_letter("hash"))) for sid, member in self.running().items()}
        common = {zxid for log in logs.values() for zxid in log if sum(zxid in other for other in logs.values()) > 1}
        if not common:
            return [f"no two members have logged a digest of the same txn: { {sid: len(log) for sid, log in logs.items()} }"]
        newest = max(common, key=lambda zxid: int(zxid, 16))
        digests = {sid: log[newest] for sid, log in logs.items() if newest in log}
        return [] if len(set(digests.values())) == 1 else [f"digests of the tree at {newest} differ: {digests}"]

    def remove(self):
        for member in self.members.values():
            try:
                member.kill()
            finally:
                member.remove()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.remove()


def judge(name, run):
    """Runs a part that passes or fails as a whole; what it returns is said with its verdict. The exit status."""
    started = time.monotonic()
    try:
        said = run()
    except (AssertionError, OSError, RuntimeError, *tree.Trouble) as error:
        print(f"FAILED {type(error).__name__}: {error}")
        print(f"{name}: 0 passed, 1 failed")
        return 1
    print(f"{name}: 1 passed, 0 failed, {said} in {time.monotonic() - started:.0f} s")
    return 0
