#!/usr/bin/env python3
"""Speed of Quorate beside Java ZooKeeper: the same loads on the same machine in the same run, and one table at the end.

Both servers stand side by side with their data on a real disk, Java with the heap that is named (1,000 MB) and a minute of
warm-up. Every load is `quorate bench`; rounds alternate between the two servers, and the median of the rounds counts. CPU
is the server's own, user and system, out of /proc. Open loops go at half of Java's best closed-loop rate.
Exit status 1: a reply was wrong, or something did not serve. No figure fails the run: a busy machine is no error.

usage: speed.py [--java java39] [--rounds 3] [--seconds 8] [--million] [--json FILE]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import servers

CONNECTIONS = 10
PIPELINED = 64
IDLE_SESSIONS = 10_000
MILLION = 1_000_000
# What each row loads: its name, its arguments, and the goal of Quorate's CPU as a part of Java's.
CLOSED = [
    ("read, 64 in flight per connection", ["--workload", "read", "--depth", str(PIPELINED)], 1 / 5),
    ("durable set, 64 in flight", ["--workload", "write", "--depth", str(PIPELINED)], 1 / 5),
    ("read, one at a time", ["--workload", "read", "--depth", "1"], 1 / 3),
    ("durable set, one at a time", ["--workload", "write", "--depth", "1"], 1 / 3),
]
OPEN = [("read", ["--workload", "read"], 1 / 2), ("durable set", ["--workload", "write"], 1.0)]


def bench(server, *arguments, seconds, warmup=2):
    """One load's report."""
    command = [servers.quorate_binary(), "bench", "--server", server.address, "--connections", str(CONNECTIONS), "--json",
               "--server-pid", str(server.process.pid), "--duration", str(seconds), "--warmup", str(warmup), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def cpu_s(pid):
    """Seconds of CPU that a process has used, user and system."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


def timed_start(server):
    """Starts a server: seconds until it serves, and the CPU seconds that took."""
    begun = time.monotonic()
    server.start()
    return time.monotonic() - begun, cpu_s(server.process.pid)


class Table:
    """Rows of (what, Quorate, Java, ratio, goal), printed as they come and as Markdown at the end."""

    def __init__(self):
        self.rows = []

    def add(self, what, ours, javas, unit, goal=None, digits=2):
        ratio = ours / javas if javas else float("nan")
        verdict = "" if goal is None else ("met" if ratio <= goal else "missed")
        self.rows.append({"what": what, "quorate": round(ours, digits), "java": round(javas, digits), "unit": unit,
                          "ratio": round(ratio, 3), "goal": goal and round(goal, 3), "verdict": verdict})
        print(f"{what}: {ours:.{digits}f} {unit} beside {javas:.{digits}f}, 1 : {javas / ours if ours else 0:.1f} {verdict}",
              flush=True)

    def markdown(self, java):
        lines = [f"| | Quorate | {java} | ratio | goal |", "|---|---|---|---|---|"]
        for row in self.rows:
            goal = "" if row["goal"] is None else f"{row['goal']} {row['verdict']}"
            lines.append(f"| {row['what']} | {row['quorate']} {row['unit']} | {row['java']} {row['unit']} "
                         f"| {row['ratio']} | {goal} |")
        return "\n".join(lines)


def closed_loops(table, ours, java, rounds, seconds):
    """CPU an operation; answers Java's best rate of reads and of sets."""
    best = {"read": 0.0, "write": 0.0}
    for name, arguments, goal in CLOSED:
        reports = {ours: [], java: []}
        for _ in range(rounds):
            for server in (java, ours):
                reports[server].append(bench(server, *arguments, seconds=seconds))
        median = {server: {key: statistics.median(report[key] for report in reports[server])
                           for key in ("server_cpu_us_per_operation", "operations_per_s")} for server in reports}
        table.add(f"{name}: server CPU", median[ours]["server_cpu_us_per_operation"],
                  median[java]["server_cpu_us_per_operation"], "µs", goal)
        table.add(f"{name}: throughput", median[ours]["operations_per_s"], median[java]["operations_per_s"], "/s", digits=0)
        kind = arguments[1]
        best[kind] = max(best[kind], median[java]["operations_per_s"])
    return best


def open_loops(table, ours, java, best, rounds, seconds):
    """Latency at half of Java's best rate, counted from the moment each request should have gone."""
    for name, arguments, goal in OPEN:
        rate = best[arguments[1]] / 2
        reports = {ours: [], java: []}
        for _ in range(rounds):
            for server in (java, ours):
                reports[server].append(bench(server, *arguments, "--rate", f"{rate:.0f}", seconds=seconds))
        for key, label in (("p50", "p50"), ("p99", "p99"), ("p99_9", "p99.9")):
            medians = [statistics.median(report["latency_us"][key] for report in reports[server]) / 1000
                       for server in (ours, java)]
            table.add(f"{name}, open loop at {rate:.0f}/s: {label}", *medians, "ms", goal if key == "p99" else None)


def idle_sessions(table, ours, java):
    reports = [bench(server, "--workload", "idle-sessions", "--connections", str(IDLE_SESSIONS), seconds=5)
               for server in (ours, java)]
    grown = [report["server_rss_connected_kib"] / 1024 for report in reports]
    table.add(f"{IDLE_SESSIONS:,} idle sessions: resident", *grown, "MiB", digits=0)


def fresh(kind, arguments):
    return servers.Server(kind, jvm_options=arguments.jvm, root=arguments.root, extra=["autopurge.purgeInterval=0"])


def start_empty(table, arguments):
    times = {}
    for kind in (servers.QUORATE, arguments.java):
        runs = []
        for _ in range(arguments.rounds):
            server = fresh(kind, arguments)
            try:
                runs.append(timed_start(server)[0] * 1000)
            finally:
                server.remove()
        times[kind] = statistics.median(runs)
    table.add("start, empty", times[servers.QUORATE], times[arguments.java], "ms", digits=0)


def million(table, arguments):
    """Memory with a million znodes, live and after a restart, and the time of that restart."""
    measured = {}
    for kind in (servers.QUORATE, arguments.java):
        server = fresh(kind, arguments)
        try:
            server.start()
            bench(server, "--workload", "read", "--znodes", str(MILLION), "--keep", seconds=1, warmup=0)
            live = resident_mib(server.process.pid)
            server.stop()
            starts = []
            for _ in range(arguments.rounds):
                wall, cpu = timed_start(server)
                starts.append((wall, cpu, resident_mib(server.process.pid)))
                server.stop()
            measured[kind] = (live, *(statistics.median(column) for column in zip(*starts)))
        finally:
            server.remove()
    pairs = list(zip(measured[servers.QUORATE], measured[arguments.java]))
    table.add("1,000,000 znodes of 100 bytes, live: resident", *pairs[0], "MiB", digits=0)
    table.add("1,000,000 znodes, restarted: resident", *pairs[3], "MiB", digits=0)
    table.add("start with 1,000,000 znodes: wall", *pairs[1], "s")
    table.add("start with 1,000,000 znodes: CPU", *pairs[2], "s")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--java", choices=(servers.JAVA_38, servers.JAVA_39), default=servers.JAVA_39)
    parser.add_argument("--jvm", nargs="*", default=["-Xmx1000m"], help="options of the JVM")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=8, help="of each measured window")
    parser.add_argument("--warmup", type=int, default=60, help="seconds of mixed load before Java is measured")
    parser.add_argument("--root", default="/var/tmp", help="where the data lies: a real disk, or syncs cost nothing")
    parser.add_argument("--million", action="store_true", help="also with a million znodes (takes some minutes)")
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    table = Table()
    with fresh(servers.QUORATE, arguments) as ours, fresh(arguments.java, arguments) as java:
        for server in (java, ours):
            bench(server, "--workload", "mixed", "--reads", "50", "--depth", "16",
                  seconds=arguments.warmup if server is java else 2)
        best = closed_loops(table, ours, java, arguments.rounds, arguments.seconds)
        open_loops(table, ours, java, best, arguments.rounds, arguments.seconds)
    with fresh(servers.QUORATE, arguments) as ours, fresh(arguments.java, arguments) as java:
        idle_sessions(table, ours, java)
    start_empty(table, arguments)
    if arguments.million:
        million(table, arguments)
    print("\n" + table.markdown(arguments.java))
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(table.rows, file, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
