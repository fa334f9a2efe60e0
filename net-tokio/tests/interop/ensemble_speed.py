#!/usr/bin/env python3
"""Speed of three Quorate servers beside three Java servers: the same loads, the same machine, the same run.

Each closed loop is three `quorate bench`es, one at each member, at the same time; rounds alternate between the ensembles, and the median
counts. CPU is that of the three servers together, user and system, out of /proc, for each operation of any of the three. Open loops
go at a quarter of Java's best closed-loop rate, a third of it at each member. With `--join`: a follower that has lost its disk comes back to
a leader with so many znodes under light load: how long until it serves, and the leader's p99 meanwhile beside that before. Data lies on a
real disk. Exit status 1: a reply was wrong, or something did not serve. No figure fails the run.

usage: ensemble_speed.py [--java java39] [--rounds 3] [--seconds 5] [--warmup 30] [--join 1000000] [--only closed|open|join]
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time

import ensembles
import servers
import speed

CONNECTIONS = 4
WARMUP_S = 2
# Of a load while a follower joins.
LIGHT_RATE = 200
LIGHT_S = 15
LOADS = [
    ("read, 64 in flight per connection", ["--workload", "read", "--depth", "64"], 1 / 4),
    ("durable set, 64 in flight", ["--workload", "write", "--depth", "64"], 1 / 4),
    ("read, one at a time", ["--workload", "read", "--depth", "1"], 1 / 3),
    ("durable set, one at a time", ["--workload", "write", "--depth", "1"], 1 / 3),
]


OPEN = [("read", ["--workload", "read"]), ("durable set", ["--workload", "write"])]
# What three members take together in a closed loop, if only open loops run.
ASSUMED_RATE = {"read": 60_000, "write": 20_000}


def bench(member, *arguments, seconds, connections=CONNECTIONS, warmup=WARMUP_S):
    command = [servers.quorate_binary(), "bench", "--server", member.address, "--connections", str(connections), "--json",
               "--duration", str(seconds), "--warmup", str(warmup), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def report(running):
    out, err = running.communicate(timeout=300)
    if running.returncode != 0:
        raise RuntimeError(f"bench ended with {running.returncode}:\n{out}{err}")
    return json.loads(out)


def load(ensemble, arguments, seconds):
    """CPU of all members for an operation in microseconds, in the middle of the load; the worst p99 of the three in milliseconds; the rate."""
    members = list(ensemble.members.values())
    benches = [bench(member, *arguments, seconds=seconds) for member in members]
    time.sleep(WARMUP_S + 1)
    cpu, since = sum(speed.cpu_s(member.process.pid) for member in members), time.monotonic()
    time.sleep(seconds - 1.5)
    cpu, took = sum(speed.cpu_s(member.process.pid) for member in members) - cpu, time.monotonic() - since
    reports = [report(running) for running in benches]
    rate = sum(found["operations_per_s"] for found in reports)
    return cpu * 1e6 / (rate * took), max(found["latency_us"]["p99"] for found in reports) / 1000, rate


def row(what, ours, javas, unit, goal):
    """A row of the README's table, with whether Quorate's part of Java's is at most the goal."""
    print(f"| {what} | {ours:.1f} {unit} | {javas:.1f} {unit} | 1 : {javas / ours:.1f} | {'met' if ours <= javas * goal else 'missed'} |", flush=True)


def medians(built, rounds, measure):
    """Of what is measured of each ensemble, by turns: a list for each kind."""
    took = {kind: [] for kind in built}
    for _ in range(rounds):
        for kind, ensemble in built.items():
            took[kind].append(measure(ensemble))
    return [[statistics.median(values) for values in zip(*took[kind])] for kind in built]


def closed_loops(built, given):
    """Answers Java's best rate of reads and of sets."""
    best = dict.fromkeys(ASSUMED_RATE, 0)
    for name, arguments, goal in LOADS:
        ours, javas = medians(built, given.rounds, lambda ensemble, wanted=arguments: load(ensemble, wanted, given.seconds))
        row(f"{name}: CPU of the three", ours[0], javas[0], "µs", goal)
        print(f"  {ours[2]:.0f}/s with p99 {ours[1]:.1f} ms beside {javas[2]:.0f}/s with {javas[1]:.1f} ms", flush=True)
        best[arguments[1]] = max(best[arguments[1]], javas[2])
    return best


def open_loops(built, best, given):
    for name, arguments in OPEN:
        rate = best[arguments[1]] / 4
        wanted = [*arguments, "--rate", f"{rate / 3:.0f}"]
        ours, javas = medians(built, given.rounds, lambda ensemble, wanted=wanted: load(ensemble, wanted, given.seconds))
        row(f"{name}, open loop at {rate:.0f}/s: p99", ours[1], javas[1], "ms", 1.0)


def join(ensemble, znodes):
    """Seconds until a follower without a disk serves, and p99 at the leader before and meanwhile, in milliseconds."""
    leader = ensemble.leader()
    report(bench(ensemble.members[leader], "--workload", "read", "--znodes", str(znodes), "--keep", seconds=1, warmup=0))
    sid = next(sid for sid in ensemble.members if sid != leader)
    follower = ensemble.members[sid]
    ensemble.same_zxid()
    follower.stop()
    follower.lose_disk()
    light = ["--workload", "write", "--rate", str(LIGHT_RATE)]
    # What the leader's compiler still has to do is not what a follower costs.
    calm = report(bench(ensemble.members[leader], *light, seconds=LIGHT_S, warmup=LIGHT_S))["latency_us"]["p99"] / 1000
    busy = bench(ensemble.members[leader], *light, seconds=LIGHT_S)
    time.sleep(WARMUP_S + 0.5)
    since = time.monotonic()
    follower.start()
    while follower.mode() != "follower":
        if time.monotonic() > since + ensembles.SETTLE_TIMEOUT_S:
            raise RuntimeError(f"the follower does not serve:\n{follower.log_tail()}")
        time.sleep(0.01)
    took = time.monotonic() - since
    return took, calm, report(busy)["latency_us"]["p99"] / 1000


def joins(given):
    measured = []
    for kind in (servers.QUORATE, given.java):
        with tempfile.TemporaryDirectory(prefix="quorate-ensemble-speed-", dir="/var/tmp") as root:
            ensemble = made(kind, root)
            try:
                ensemble.start()
                measured.append(join(ensemble, given.join))
            finally:
                ensemble.remove()
        print(f"  {kind}: serves after {measured[-1][0]:.2f} s; p99 {measured[-1][1]:.1f} ms before, {measured[-1][2]:.1f} ms meanwhile", flush=True)
    ours, javas = measured
    row(f"a follower without a disk joins {given.join:,} znodes", ours[0], javas[0], "s", 1 / 3)
    row("p99 of sets at the leader meanwhile", ours[2], javas[2], "ms", 1.0)
    print(f"  {ours[2] / ours[1]:.1f} times that before (at most 2 is the goal) beside {javas[2] / javas[1]:.1f} times")


def made(kind, root):
    return ensembles.Ensemble([kind] * 3, root=root, jvm_options=["-Xmx1000m"], flags=["-Dzookeeper.snapCount=100000"])


def loops(given):
    with tempfile.TemporaryDirectory(prefix="quorate-ensemble-speed-", dir="/var/tmp") as root:
        built = {kind: made(kind, root) for kind in (servers.QUORATE, given.java)}
        try:
            for ensemble in built.values():
                ensemble.start()
            for _, arguments, _ in (LOADS[1], LOADS[0]):
                load(built[given.java], arguments, given.warmup)
            best = closed_loops(built, given) if given.only != "open" else ASSUMED_RATE
            if given.only != "closed":
                open_loops(built, best, given)
        finally:
            for ensemble in built.values():
                ensemble.remove()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--java", choices=(servers.JAVA_38, servers.JAVA_39), default=servers.JAVA_39)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--warmup", type=int, default=30, help="seconds of each of two loads before Java is measured")
    parser.add_argument("--join", type=int, default=1_000_000, metavar="ZNODES")
    parser.add_argument("--only", choices=("closed", "open", "join"), help="a part of it")
    given = parser.parse_args()
    print(json.dumps(vars(given)))
    if given.only != "join":
        loops(given)
    if given.only in (None, "join"):
        joins(given)
    return 0


sys.exit(main())
