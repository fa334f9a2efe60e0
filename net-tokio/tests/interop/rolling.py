#!/usr/bin/env python3
"""Replaces three Java servers by Quorate one at a time, under load, and then goes back: the steps of MIGRATING.md.

The load (load.py, Load.java): sessions of kazoo and of the Java client that write, hold ephemerals, contend for a mutex. First the same
rolling restart among Java servers alone, in the same run, for comparison. Each time the first member to come back has lost its disk.
Judged: no session and no ephemeral is lost, nothing acknowledged is missing, the mutex has one holder at a time, every session finds
a server again in each phase, either kind led the other and brought it up to date by a DIFF and by a SNAP, and the longest gap between
acknowledged writes is at most that of Java alone. Those clients wait for up to seconds before they connect again; so that the gap
is the servers', a raw client writes too that tries the members every 10 ms.
Exit status 1: anything of that is not so.
"""

import argparse
import collections
import sys
import threading
import time

import ensembles
import servers
import tree
import wire
import workers

SEQUENTIAL = 2
PAUSE_S = 2.0
RETRY_S = 0.01


class Prober:
    """A session that writes all the time, and tries the members in turn when it is cut off."""

    def __init__(self, ensemble):
        self.ensemble, self.acks, self.lost, self.over = ensemble, [], [], threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        session, password, turn = 0, b"\0" * 16, 0
        while not self.over.is_set():
            members = list(self.ensemble.members.values())
            turn += 1
            try:
                client = tree.Client(members[turn % len(members)], session, password)
                if client.timeout_ms <= 0:
                    self.lost.append(f"{session:#x}")
                    session, password = 0, b"\0" * 16
                    continue
                session, password = client.session, client.password
                self._write(client)
            except (AssertionError, OSError, *tree.Trouble):
                time.sleep(RETRY_S)

    def _write(self, client):
        while not self.over.is_set():
            data = f"raw-{len(self.acks)}"
            path = client.must("create", wire.create("/acks/k-", data.encode(), flags=SEQUENTIAL))[4:].decode()
            self.acks.append((path, data, time.monotonic_ns()))
            time.sleep(RETRY_S)
        client.close()

    def stop(self):
        self.over.set()
        self.thread.join(30)


class Migration:
    """The whole run."""

    def __init__(self, java, through, kazoo_clients, java_clients):
        self.java, self.through, self.problems = java, through, []
        # What a JVM misses while it starts is sent as a DIFF, whatever the load's pace.
        self.ensemble = ensembles.Ensemble([java] * 3, flags=["-Dzookeeper.commitLogCount=20000"])
        self.clients = (kazoo_clients, java_clients)
        self.workers, self.prober, self.phases, self.reigns = [], None, [], []
        # Who brought whom up to date, and how: (leader's kind, learner's kind, DIFF or SNAP), and how often.
        self.synchronised = collections.Counter()
        # For each phase, how often each worker had been connected when it began.
        self.connected = []
        # What was done to a member, and when.
        self.steps = []

    def check(self, holds, problem):
        if not holds:
            self.problems.append(problem)

    def run(self):
        try:
            self.ensemble.start()
            client = tree.Client(self.ensemble.members[1])
            for path in ("/acks", "/ephemerals"):
                client.must("create", tree.create(path))
            client.close()
            hosts, (kazoo, java) = self.ensemble.connect_string(), self.clients
            self.workers = [workers.kazoo(hosts, f"kazoo{at}") for at in range(kazoo)]
            self.workers += [workers.java(hosts, f"java{at}") for at in range(java)]
            self.prober = Prober(self.ensemble)
            workers.wait_until_all_write(self.workers)
            self._phase("Java alone", self.java)
            self._phase("to Quorate", self.through)
            self._phase("back to Java", self.java)
            time.sleep(PAUSE_S)
            for worker in (*self.workers, self.prober):
                worker.stop()
            self._judge()
        except (AssertionError, OSError, RuntimeError, *tree.Trouble) as error:
            self.problems.append(f"{type(error).__name__}: {error}")
        finally:
            for worker in self.workers:
                worker.process.kill()
            if self.prober:
                self.prober.over.set()
            self.ensemble.remove()
        return self.problems

    def _phase(self, name, kind):
        """Followers first, the leader last."""
        time.sleep(PAUSE_S)
        since = time.monotonic_ns()
        self.connected.append([len(worker.said("SERVER")) for worker in self.workers])
        leader = self.ensemble.leader()
        order = [sid for sid in self.ensemble.members if sid != leader] + [leader]
        for sid in order:
            self._step(f"member {sid}, {self.ensemble.members[sid].kind}{', which led,' if sid == leader else ''} was stopped")
            self.ensemble.members[sid].stop()
            self._note()
            before = self._synchronised_by(self.ensemble.settle())
            member = self.ensemble.replace(sid, kind)
            if sid == order[0]:
                member.lose_disk()
            self._step(f"member {sid}, {kind}, was started")
            member.start()
            self._note_synchronisation(kind, before, self._synchronised_by(self.ensemble.settle()))
            self._note()
            self._step(f"member {sid} served")
            time.sleep(PAUSE_S)
        self.phases.append((name, since, time.monotonic_ns()))

    def _synchronised_by(self, leader):
        """The leader, and how often it has sent what."""
        member = self.ensemble.members[leader]
        return leader, {how: member.metric(f"zk_{how.lower()}_count") or 0 for how in ("DIFF", "SNAP")}

    def _note_synchronisation(self, learner, before, after):
        """What a leader has sent since `before`, when it is the same one: somebody of the kind `learner` came to it."""
        (leader, sent_before), (still, sent) = before, after
        if leader == still:
            kind = self.ensemble.members[leader].kind
            self.synchronised.update({(kind, learner, how): int(sent[how] - sent_before[how]) for how in sent})

    def _note(self):
        """Who leads whom."""
        try:
            modes = self.ensemble.modes()
            leader = self.ensemble.members[self.ensemble.leader_of(modes)].kind
        except StopIteration:
            return
        followers = sorted({self.ensemble.members[sid].kind for sid, mode in modes.items() if mode == "follower"})
        if (leader, followers) not in self.reigns:
            self.reigns.append((leader, followers))

    def _step(self, what):
        self.steps.append((time.monotonic_ns(), what))

    def _acks(self):
        """Everything acknowledged: path, data, when."""
        return [ack for worker in self.workers for ack in worker.acks()] + list(self.prober.acks)

    def _gap(self, since, until):
        """The longest time without an acknowledged write of anybody, in ms, and what was done last before it."""
        inside = sorted(at for _, _, at in self._acks() if since <= at <= until)
        gaps = ((later - earlier, earlier) for earlier, later in zip(inside, inside[1:]))
        gap, begun = max(gaps, default=(until - since, since))
        done = [(at, what) for at, what in self.steps if at <= begun + gap / 2]
        at, what = done[-1] if done else (since, "it began")
        return gap / 1e6, f"{(begun - at) / 1e6:+.0f} ms from when {what}"

    def _judge(self):
        gaps = {}
        for name, since, until in self.phases:
            gaps[name], place = self._gap(since, until)
            print(f"{name}: longest gap in acknowledged writes {gaps[name]:.0f} ms, {place}", flush=True)
        for name in ("to Quorate", "back to Java"):
            self.check(gaps[name] <= gaps["Java alone"], f"{name}: a gap of {gaps[name]:.0f} ms, Java alone {gaps['Java alone']:.0f} ms")
        for worker in self.workers:
            lost = worker.said("LOST")
            self.check(not lost, f"{worker.name} lost {lost}")
        self._judge_moves()
        self.check(not self.prober.lost, f"the raw client lost {self.prober.lost}")
        self._judge_acks()
        self._judge_mutex()
        for leader, followers in self.reigns:
            print(f"{leader} led {' and '.join(followers)}")
        java, quorate = self.java, self.through
        self.check(any(leader == java and quorate in followers for leader, followers in self.reigns), "Java never led Quorate")
        self.check(any(leader == quorate and java in followers for leader, followers in self.reigns), "Quorate never led Java")
        for pair in ((java, quorate), (quorate, java)):
            for how in ("DIFF", "SNAP"):
                times = self.synchronised[(*pair, how)]
                print(f"{pair[0]} brought {pair[1]} up to date by {how} {times} times")
                self.check(times > 0, f"{pair[0]} never brought {pair[1]} up to date by {how}")
        lines = self.ensemble.disagreements()
        self.check(not lines, "at the end:\n      " + "\n      ".join(lines[:10]))

    def _judge_moves(self):
        """Every member stops once in a phase, and who was on it has to find another, or it again."""
        connected = [*self.connected, [len(worker.said("SERVER")) for worker in self.workers]]
        for (name, *_), before, after in zip(self.phases, connected, connected[1:]):
            for worker, was, now in zip(self.workers, before, after):
                self.check(now > was, f"{name}: {worker.name} was not cut off, it is at {worker.servers()[-1]}")

    def _judge_acks(self):
        acks = self._acks()
        self.problems += workers.wrong_acks(acks, tree.dump(self.ensemble.members[self.ensemble.leader()]))
        print(f"{len(acks)} acknowledged writes of {len(self.workers) + 1} sessions")

    def _judge_mutex(self):
        held, overlaps = workers.holds(self.workers)
        self.check(not overlaps, f"the mutex was held twice: {overlaps[:3]}")
        print(f"the mutex was held {held} times, {len(overlaps)} times by two")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--java", choices=(servers.JAVA_38, servers.JAVA_39), default=servers.JAVA_39)
    parser.add_argument("--through", choices=servers.KINDS, default=servers.QUORATE, help="Java here tests the test")
    parser.add_argument("--kazoo", type=int, default=2, help="sessions of kazoo")
    parser.add_argument("--java-clients", type=int, default=1, help="sessions of the Java client")
    given = parser.parse_args()
    problems = Migration(given.java, given.through, given.kazoo, given.java_clients).run()
    for problem in problems:
        print(f"FAILED {problem}")
    print(f"rolling migration from {given.java} and back: {'failed' if problems else 'passed'}")
    return 1 if problems else 0


sys.exit(main())
