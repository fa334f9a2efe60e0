#!/usr/bin/env python3
"""Speed of three Quorate servers beside three Java servers: the same loads, the same machine, the same run.

Each load is three `quorate bench`es, one at each member, at the same time; rounds alternate between the ensembles, and the median
counts. CPU is that of the three servers together, user and system, out of /proc, for each operation of any of the three. Data lies on a
real disk. Exit status 1: a reply was wrong, or something did not serve. No figure fails the run.

usage: ensemble_speed.py [--java java39] [--rounds 3] [--seconds 5] [--warmup 30]
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
LOADS = [
    ("read, 64 in flight per connection", ["--workload", "read", "--depth", "64"], 1 / 4),
    ("durable set, 64 in flight", ["--workload", "write", "--depth", "64"], 1 / 4),
    ("read, one at a time", ["--workload", "read", "--depth", "1"], 1 / 3),
    ("durable set, one at a time", ["--workload", "write", "--depth", "1"], 1 / 3),
]


def load(ensemble, arguments, seconds):
    """CPU of all members for an operation in microseconds, in the middle of the load, and the worst p99 of the three in milliseconds."""
    members = list(ensemble.members.values())
    benches = [subprocess.Popen([servers.quorate_binary(), "bench", "--server", member.address, "--connections", str(CONNECTIONS),
                                 "--json", "--duration", str(seconds), "--warmup", str(WARMUP_S), *arguments],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for member in members]
    time.sleep(WARMUP_S + 1)
    cpu, since = sum(speed.cpu_s(member.process.pid) for member in members), time.monotonic()
    time.sleep(seconds - 1.5)
    cpu, took = sum(speed.cpu_s(member.process.pid) for member in members) - cpu, time.monotonic() - since
    reports = []
    for bench in benches:
        out, err = bench.communicate(timeout=60)
        if bench.returncode != 0:
            raise RuntimeError(f"bench ended with {bench.returncode}:\n{out}{err}")
        reports.append(json.loads(out))
    rate = sum(report["operations_per_s"] for report in reports)
    return cpu * 1e6 / (rate * took), max(report["latency_us"]["p99"] for report in reports) / 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--java", choices=(servers.JAVA_38, servers.JAVA_39), default=servers.JAVA_39)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--warmup", type=int, default=30)
    given = parser.parse_args()
    print(json.dumps(vars(given)))
    with tempfile.TemporaryDirectory(prefix="quorate-ensemble-speed-", dir="/var/tmp") as root:
        built = {kind: ensembles.Ensemble([kind] * 3, root=root, jvm_options=["-Xmx1000m"], flags=["-Dzookeeper.snapCount=100000"]) for kind in (servers.QUORATE, given.java)}
        try:
            for ensemble in built.values():
                ensemble.start()
            for arguments in (LOADS[1][1], LOADS[0][1]):
                load(built[given.java], arguments, given.warmup)
            for name, arguments, goal in LOADS:
                took = {kind: [] for kind in built}
                for _ in range(given.rounds):
                    for kind, ensemble in built.items():
                        took[kind].append(load(ensemble, arguments, given.seconds))
                (ours, our_p99), (javas, java_p99) = (
                    [statistics.median(values) for values in zip(*took[kind])] for kind in (servers.QUORATE, given.java))
                print(f"| {name} | {ours:.1f} µs | {javas:.1f} µs | 1 : {javas / ours:.1f} | {'met' if ours <= javas * goal else 'missed'} | "
                      f"p99 {our_p99:.1f} ms | {java_p99:.1f} ms |", flush=True)
        finally:
            for ensemble in built.values():
                ensemble.remove()
    return 0


sys.exit(main())
