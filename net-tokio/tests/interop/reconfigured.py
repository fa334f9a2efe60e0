#!/usr/bin/env python3
"""Java 3.9 changes the ensemble's configuration (reconfig) while Quorate follows and observes, under load.

Quorate can't change its configuration while it runs. Judged, for a voter that is removed and for one that is added: Java does it and
answers; Quorate's follower and its observer end by themselves, with exit code 1 and the reason in the log; started again with the old
configuration they find the leader, and end the same way before they serve; started with the new one they serve, their
`/zookeeper/config` is the leader's, and all members show the same tree. Nothing that any member has acknowledged is missing. When
the leader is killed then, Java follows Quorate's voter.
Exit status 1: anything differs.
"""

import struct
import sys
import threading
import time

import ensembles
import servers
import tree
import workers
from wire import Closed, Silence, buf, create, path_flag, reconfig

KINDS = [servers.JAVA_39] * 4 + [servers.QUORATE] * 2
LEADER, CHANGED, FOLLOWER, OBSERVER = 4, 2, 5, 6
OURS = (FOLLOWER, OBSERVER)
EXTRA = ["reconfigEnabled=true"]
SEQUENTIAL = 2
LEAVES_S = 10
REASONS = ("the leader changes the ensemble's configuration", "the leader's configuration")


class Writer:
    """A session at one member that writes until it is cut off or told to end."""

    def __init__(self, member):
        self.acks, self.over, self.client = [], threading.Event(), tree.Client(member)
        self.kind = member.kind
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            while not self.over.is_set():
                data = f"{self.client.session:x}-{len(self.acks)}"
                path = self.client.must("create", create("/acks/k-", data.encode(), flags=SEQUENTIAL))[4:].decode()
                self.acks.append((path, data, time.monotonic_ns()))
        except (AssertionError, OSError, Closed, Silence):
            pass

    def stop(self):
        self.over.set()
        self.thread.join(30)


class Changes:
    """The ensemble and what was acknowledged in it."""

    def __init__(self, ensemble):
        self.ensemble, self.members, self.acks = ensemble, ensemble.members, []

    def config(self, sid):
        """`/zookeeper/config` at this member, with its stat."""
        client = tree.Client(self.members[sid])
        client.must("sync", buf("/"))
        found = client.must("getData", path_flag("/zookeeper/config"))
        client.close()
        length = struct.unpack(">i", found[:4])[0]
        return found[4:4 + length].decode(), found[4 + length:].hex()

    def change(self, joining, leaving):
        """A reconfig at the leader while every member is written to."""
        writers = [Writer(member) for member in self.ensemble.running().values()]
        time.sleep(0.5)
        client = tree.Client(self.members[self.ensemble.leader()])
        client.must("auth", tree.SUPER)
        client.must("reconfig", reconfig(joining, leaving, None))
        client.close()
        for sid in OURS:
            self.ends(sid)
        time.sleep(0.5)
        for writer in writers:
            writer.stop()
            assert writer.acks, f"nothing was written at {writer.kind}"
            self.acks += writer.acks

    def ends(self, sid):
        """It ends by itself and says why."""
        member = self.members[sid]
        code = member.process.wait(LEAVES_S)
        member.process = None
        assert code == 1, f"Quorate {sid} ended with {code}:\n{member.log_tail()}"
        last = member.log_text().splitlines()[-5:]
        said = [line for line in last if any(reason in line for reason in REASONS)]
        assert said and "  " not in said[-1], f"it does not say why: {last}"
        print(f"  {sid}: {said[-1][-260:]}", flush=True)

    def refuses_to_follow(self, sid):
        """With the old configuration it finds a leader, and ends before it serves."""
        member = self.members[sid]
        member.start()
        deadline = time.monotonic() + LEAVES_S
        while member.is_running and time.monotonic() < deadline:
            assert member.mode() is None, f"Quorate {sid} serves with the old configuration, as {member.mode()}"
            time.sleep(0.02)
        assert not member.is_running, f"Quorate {sid} goes on looking:\n{member.log_tail()}"
        self.ends(sid)

    def learn_config(self, sid, text):
        """Its zoo.cfg gets the ensemble's new lines."""
        member = self.members[sid]
        with open(member.config_path) as config:
            kept = [line for line in config.read().splitlines() if not line.startswith("server.")]
        with open(member.config_path, "w") as config:
            config.write("\n".join(kept + [line for line in text.splitlines() if line.startswith("server.")]) + "\n")

    def come_back(self):
        for sid in OURS:
            self.refuses_to_follow(sid)
        config = self.config(self.ensemble.leader())
        for sid in OURS:
            self.learn_config(sid, config[0])
            self.members[sid].start()
        self.ensemble.settle()
        for sid in OURS:
            assert self.config(sid) == config, f"{sid}: {self.config(sid)}, not {config}"
        lines = self.ensemble.disagreements() + self.ensemble.digest_log_disagreements()
        lines += workers.wrong_acks(self.acks, tree.dump(self.members[self.ensemble.leader()]))
        assert not lines, "\n      ".join(lines[:10])

    def run(self):
        # Java leads before a larger id comes.
        self.ensemble.start([LEADER, 3, CHANGED])
        self.ensemble.start([1, FOLLOWER, OBSERVER])
        assert self.ensemble.leader() == LEADER, f"{self.ensemble.leader()} leads"
        client = tree.Client(self.members[LEADER])
        client.must("create", create("/acks"))
        client.close()
        line = next(line for line in self.config(LEADER)[0].splitlines() if line.startswith(f"server.{CHANGED}="))
        self.change(None, str(CHANGED))
        self.members[CHANGED].kill()
        self.come_back()
        # A server that was removed does not start again by itself, and is not needed.
        self.change(f"{line};127.0.0.1:{self.members[CHANGED].port}", None)
        self.come_back()
        # Java follows nobody whose configuration is older than its own: Quorate has learned its version.
        self.members[LEADER].kill()
        assert self.ensemble.settle() == FOLLOWER, f"{self.ensemble.leader()} leads"


def run():
    with ensembles.Ensemble(KINDS, (OBSERVER,), extra=EXTRA) as ensemble:
        changes = Changes(ensemble)
        changes.run()
        return f"{len(changes.acks)} writes"


sys.exit(ensembles.judge("reconfigured by Java", run))
