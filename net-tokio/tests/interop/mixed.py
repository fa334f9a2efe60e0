#!/usr/bin/env python3
"""Ensembles of Java and Quorate together: Quorate follows, observes and leads, with Java 3.8 and 3.9.

Each mix: every kind of txn is written through every member, a session moves through all of them, kazoo takes a contended lock over
all members; members are stopped, and with 3.9 killed by kill -9, and come back, with 3.9 whoever leads among them and Quorate where it
can lead. Two sessions of the Java client of that version go on meanwhile: one knows Quorate's member alone, the other all of them. At
the end all members show the same tree and the same digests, and the Java client has lost nothing. Quorate counts no digest mismatch, and
Java none but what its own fuzzy snapshots leave behind.
Exit status 1: anything differs.
"""

import argparse
import glob
import os
import sys
import threading
import time

import ensembles
import servers
import tree
import workers

# setup.sh keeps kazoo in an environment of its own.
sys.path += glob.glob(os.path.join(servers.CACHE, "venv", "lib", "python3*", "site-packages"))

JAVA = {servers.JAVA_38: "3.8", servers.JAVA_39: "3.9"}


class Mix:
    """One mix and what went wrong with it."""

    def __init__(self, name, kinds, observers, leader):
        self.name, self.kinds, self.observers, self.wanted_leader = name, kinds, observers, leader
        self.problems, self.ensemble, self.fillings, self.workers = [], None, 0, []
        # The kinds of those that led when they were killed.
        self.killed_leaders = set()

    def check(self, holds, problem):
        if not holds:
            self.problems.append(problem)

    def run(self):
        started = time.monotonic()
        try:
            with ensembles.Ensemble(self.kinds, self.observers) as self.ensemble:
                self.steps()
        except (AssertionError, OSError, RuntimeError, *tree.Trouble) as error:
            self.problems.append(f"{type(error).__name__}: {error}")
        finally:
            for worker in self.workers:
                worker.process.kill()
        for problem in self.problems:
            print(f"FAILED {self.name}: {problem}", flush=True)
        if not self.problems:
            print(f"{self.name}: passed in {time.monotonic() - started:.0f} s", flush=True)
        return not self.problems

    def steps(self):
        # The wanted leader and another voter first: equal histories are led by the larger id, and later ones follow.
        voters = [sid for sid in self.ensemble.members if sid not in self.observers]
        order = [self.wanted_leader] + [sid for sid in voters if sid != self.wanted_leader]
        self.ensemble.start(order + sorted(self.observers))
        leader = self.ensemble.leader()
        self.check(leader == self.wanted_leader, f"{leader} leads, not {self.wanted_leader}")
        for member in self.ensemble.members.values():
            self.fill(member)
        self.move_a_session()
        self.contend()
        self.compare("after the first writes")
        self.start_java_clients()
        for sid in list(self.ensemble.members):
            self.restart(sid, "stop")
        if servers.JAVA_38 not in self.kinds:
            self.kill_each()
        self.stop_java_clients()
        self.compare("at the end")

    def kill_each(self):
        """kill -9 of each member in turn, of leaders of either kind among them."""
        for sid in list(self.ensemble.members):
            self.restart(sid, "kill")
        java = next(sid for sid, kind in enumerate(self.kinds, 1) if kind != servers.QUORATE)
        for wanted in {self.wanted_leader, java}:
            if self.kinds[wanted - 1] not in self.killed_leaders:
                self.make_lead(wanted)
                self.restart(wanted, "kill")
        missing = {self.kinds[self.wanted_leader - 1], self.kinds[java - 1]} - self.killed_leaders
        self.check(not missing, f"no leader of {missing} was killed")

    def make_lead(self, wanted):
        """It has everything while the others stop and come back, one by one: with equal histories, the last two vote for the larger id."""
        for _ in range(5):
            leader = self.ensemble.leader()
            if leader == wanted:
                return
            self.restart(leader, "stop")

    def start_java_clients(self):
        """One session at each kind of place: Quorate's member alone, and everywhere."""
        client = tree.Client(next(iter(self.ensemble.members.values())))
        for path in ("/acks", "/ephemerals"):
            client.must("create", tree.create(path))
        client.close()
        version = next((kind for kind in self.kinds if kind != servers.QUORATE), servers.JAVA_39)
        own = next((member for member in self.ensemble.members.values() if member.kind == servers.QUORATE), None)
        places = {"everywhere": self.ensemble.connect_string(), "at-Quorate": own.address if own else self.ensemble.connect_string()}
        # Every write is a znode that is read back at every member.
        self.workers = [workers.java(hosts, name, version, pace_ms=50) for name, hosts in places.items()]
        workers.wait_until_all_write(self.workers)

    def stop_java_clients(self):
        """They write to the end, and have what they were promised."""
        workers.wait_until_all_write(self.workers)
        for worker in self.workers:
            worker.stop()
            lost = worker.said("LOST")
            self.check(not lost, f"the Java client {worker.name} lost {lost}")
            self.check(worker.process.returncode == 0, f"the Java client {worker.name} ended with {worker.process.returncode}")
        acks = [ack for worker in self.workers for ack in worker.acks()]
        self.problems += workers.wrong_acks(acks, tree.dump(self.ensemble.members[self.ensemble.leader()]))
        held, overlaps = workers.holds(self.workers)
        self.check(held and not overlaps, f"the mutex was held {held} times, by two at {overlaps[:3]}")
        moves = len(self.workers[0].said("SERVER"))
        self.check(moves >= 2, "the Java client that knows all members stayed where it was")

    def fill(self, member):
        self.fillings += 1
        tree.fill(member, f"/filling{self.fillings}", updates=30)

    def compare(self, when):
        lines = self.ensemble.new_mismatches(lambda: self.fill(self.ensemble.members[self.ensemble.leader()]))
        lines += self.ensemble.disagreements() + self.ensemble.digest_log_disagreements()
        self.check(not lines, f"{when}:\n      " + "\n      ".join(lines[:10]))

    def move_a_session(self):
        members = list(self.ensemble.members.values())
        client = tree.Client(members[0])
        client.must("create", tree.create("/moving", b"", tree.OPEN_ACL, 1))
        for member in members[1:] + members[:1]:
            client.leave()
            client = tree.Client(member, client.session, client.password)
            self.check(client.timeout_ms > 0, f"member {member.kind} does not know a session that moves")
            if client.timeout_ms <= 0:
                return
            client.must("sync", tree.buf("/"))
            client.must("getData", tree.path_flag("/moving"))
        client.close()

    def contend(self):
        """Five kazoo clients, each preferring another member, add to a number under one lock."""
        from kazoo.client import KazooClient

        rounds, hosts = 5, [member.address for member in self.ensemble.members.values()]
        clients = [KazooClient(hosts=",".join(hosts[at % len(hosts):] + hosts[:at % len(hosts)]), timeout=10,
                               randomize_hosts=False) for at in range(5)]
        for client in clients:
            client.start(timeout=20)
        clients[0].create("/number", b"0")
        errors = []

        def add(client, name):
            try:
                for _ in range(rounds):
                    with client.Lock("/lock", name):
                        client.sync("/number")
                        client.set("/number", str(int(client.get("/number")[0]) + 1).encode())
            except Exception as error:  # pylint: disable=broad-except
                errors.append(f"{name}: {error!r}")

        threads = [threading.Thread(target=add, args=(client, f"c{at}")) for at, client in enumerate(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        number = int(clients[0].get("/number")[0])
        clients[0].delete("/number")
        clients[0].delete("/lock", recursive=True)
        for client in clients:
            client.stop()
            client.close()
        self.check(not errors, f"kazoo: {errors}")
        self.check(number == rounds * len(clients), f"the lock let {number} of {rounds * len(clients)} additions through")

    def restart(self, sid, how):
        """A member goes while others write, and comes back; with the leader another one leads."""
        member = self.ensemble.members[sid]
        if how == "kill" and self.ensemble.leader() == sid:
            self.killed_leaders.add(member.kind)
        code = getattr(member, how)()
        self.check(how == "kill" or code in (0, 143), f"{member.kind} {sid} ended with {code} when stopped")
        self.ensemble.settle()
        self.fill(next(iter(self.ensemble.running().values())))
        member.start()
        self.ensemble.settle()
        self.fill(member)


def mixes(java):
    version = JAVA[java]
    quorate = servers.QUORATE
    return [
        Mix(f"Quorate follows {version}", [quorate, java, java], (), 3),
        Mix(f"Quorate leads {version}", [java, java, quorate], (), 3),
        Mix(f"Quorate observes {version}", [java, java, java, quorate], (4,), 3),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--java", choices=list(JAVA), action="append", help="only this version; may be repeated")
    parser.add_argument("--only", help="only mixes whose name contains this")
    parser.add_argument("--pure", choices=servers.KINDS, help="instead: three servers of this kind, to test the test")
    given = parser.parse_args()
    if given.pure:
        chosen = [Mix(f"three of {given.pure}", [given.pure] * 3, (), 3)]
    else:
        chosen = [mix for java in given.java or JAVA for mix in mixes(java)]
    chosen = [mix for mix in chosen if not given.only or given.only in mix.name]
    passed = sum(mix.run() for mix in chosen)
    print(f"mixed ensembles: {passed} passed, {len(chosen) - passed} failed")
    return 0 if passed == len(chosen) else 1


sys.exit(main())
