#!/usr/bin/env python3
"""Groups and weights (`group.N`, `weight.N`) in an ensemble of Java 3.9 and Quorate.

Five servers in three groups: 1, 2 and 5, of which 5 weighs nothing; 3; 4. Two groups decide, so 3 and 4 alone do, and so do 1, 2 and one
of them, but neither 1, 2 and 5 nor 1, 5 and 4, which are three of five. Judged: the first two serve; whatever decides goes on after a
kill -9 of its leader, of either kind; what does not decide serves nobody, and nobody of it leads, however long it tries; who weighs
nothing never leads, though it has the largest id; at the end all members show the same tree and the same digests. With `--pure` all are
of one kind, to test the test.
Exit status 1: anything differs.
"""

import argparse
import sys
import time

import ensembles
import servers
import tree
from wire import Closed, RawConnection, Silence, connect_request

EXTRA = ["group.1=1:2:5", "group.2=3", "group.3=4", "weight.1=1", "weight.2=1", "weight.3=1", "weight.4=1", "weight.5=0"]
KINDS = [servers.JAVA_39, servers.QUORATE, servers.JAVA_39, servers.QUORATE, servers.QUORATE]
WEIGHTLESS = 5
# Those who can't decide try for so long: a round of an election takes 200 ms and more.
TRIED_S = 3.0
NOTICED_S = 10.0


class Groups:
    """The ensemble, and what is done to it."""

    def __init__(self, ensemble):
        self.ensemble, self.fillings, self.killed = ensemble, 0, set()

    def settle(self):
        leader = self.ensemble.settle()
        assert leader != WEIGHTLESS, "a server of no weight leads"
        return leader

    def fill(self, sid):
        self.fillings += 1
        tree.fill(self.ensemble.members[sid], f"/filling{self.fillings}", updates=20)

    def start(self, *sids):
        for sid in sids:
            self.ensemble.members[sid].start()
        self.settle()

    def kill_leader(self):
        """Others lead at once, and it comes back."""
        leader = self.settle()
        self.killed.add(self.ensemble.members[leader].kind)
        self.ensemble.members[leader].kill()
        self.settle()
        self.fill(next(iter(self.ensemble.running())))
        self.start(leader)
        self.fill(leader)

    def refuses(self, *sids):
        """These run, as more than half of the servers do, and none of them serves or leads."""
        running = self.ensemble.running()
        assert sorted(running) == sorted(sids) and 2 * len(sids) > len(KINDS), f"{sorted(running)} run"
        deadline = time.monotonic() + NOTICED_S
        while any(self.ensemble.modes().values()):
            assert time.monotonic() < deadline, f"{sids} decide without a quorum of groups: {self.ensemble.modes()}"
            time.sleep(0.05)
        until = time.monotonic() + TRIED_S
        while time.monotonic() < until:
            modes = self.ensemble.modes()
            assert not any(modes.values()), f"{sids} decide without a quorum of groups: {modes}"
            for member in running.values():
                assert not greets(member), f"{member.kind} greets a session without a quorum of groups"
            time.sleep(0.1)

    def run(self):
        self.ensemble.start([3, 4])
        self.fill(3)
        self.start(1, 2, 5)
        for sid in self.ensemble.members:
            self.fill(sid)
        for _ in range(4):
            if self.killed < set(kinds_that_lead(self.ensemble)):
                self.kill_leader()
        assert self.killed == set(kinds_that_lead(self.ensemble)), f"only leaders of {self.killed} were killed"
        for sid in (3, 4):
            self.ensemble.members[sid].kill()
        self.refuses(1, 2, 5)
        self.start(4)
        self.fill(2)
        self.ensemble.members[2].kill()
        self.refuses(1, 4, 5)
        self.start(3)
        self.fill(5)
        self.start(2)
        lines = self.ensemble.new_mismatches(lambda: self.fill(1))
        lines += self.ensemble.disagreements() + self.ensemble.digest_log_disagreements()
        assert not lines, "\n      ".join(lines[:10])


def greets(member):
    """Whether it takes a new session."""
    try:
        raw = RawConnection(member.port)
        raw.send_frame(connect_request())
        try:
            raw.frame(1)
        finally:
            raw.close()
    except (OSError, Closed, Silence):
        return False
    return True


def kinds_that_lead(ensemble):
    return {member.kind for sid, member in ensemble.members.items() if sid != WEIGHTLESS}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pure", choices=servers.KINDS)
    given = parser.parse_args()

    def run():
        kinds = [given.pure] * len(KINDS) if given.pure else KINDS
        with ensembles.Ensemble(kinds, extra=EXTRA) as ensemble:
            Groups(ensemble).run()
            return f"{len(kinds)} servers"

    return ensembles.judge("groups and weights", run)


sys.exit(main())
