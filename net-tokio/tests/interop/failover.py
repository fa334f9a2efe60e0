#!/usr/bin/env python3
"""How long writes stop when a leader goes, Quorate beside Java in one run: killed by kill -9, or stopped by SIGSTOP.

A raw client tries the survivors every 10 ms, each time with a new connection and its old session, until a write is acknowledged;
the time from the signal to that is printed as median and worst of `--rounds`. Both ensembles have the same tickTime and limits.
Judged with `--judge`: a kill takes Quorate at most Java's median, and at most the finalize wait plus 100 ms; a stopped leader at most
syncLimit times tickTime plus 500 ms.
"""

import argparse
import signal
import statistics
import sys
import time

import ensembles
import servers
import tree

RETRY_S = 0.01
FINALIZE_WAIT_MS = 200


def write_until_acknowledged(members, session, password):
    """Tries the members in turn; when a write is acknowledged, the time of that."""
    at = 0
    while True:
        member = members[at % len(members)]
        at += 1
        try:
            client = tree.Client(member, session, password)
            if client.timeout_ms > 0:
                client.must("setData", tree.set_data("/failover", b"x"))
                now = time.monotonic()
                client.leave()
                return now
            client.leave()
        except (AssertionError, OSError, *tree.Trouble):
            pass
        time.sleep(RETRY_S)


def one_round(ensemble, how):
    leader = ensemble.settle()
    survivors = [member for sid, member in ensemble.running().items() if sid != leader]
    client = tree.Client(survivors[0])
    client.call("create", tree.create("/failover"))
    member = ensemble.members[leader]
    since = time.monotonic()
    member.process.send_signal(how)
    took_ms = (write_until_acknowledged(survivors, client.session, client.password) - since) * 1000
    member.process.send_signal(signal.SIGCONT)
    if how == signal.SIGKILL:
        member.kill()
        member.start()
    ensemble.settle()
    return took_ms


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--tick-ms", type=int, default=500)
    parser.add_argument("--kinds", nargs="+", choices=servers.KINDS, default=[servers.QUORATE, servers.JAVA_39])
    parser.add_argument("--judge", action="store_true")
    given = parser.parse_args()
    medians, problems = {}, []
    for name, how in (("kill -9", signal.SIGKILL), ("SIGSTOP", signal.SIGSTOP)):
        built = {kind: ensembles.Ensemble([kind] * 3, tick_ms=given.tick_ms) for kind in given.kinds}
        try:
            took = {kind: [] for kind in built}
            for ensemble in built.values():
                ensemble.start()
            for _ in range(given.rounds):
                for kind, ensemble in built.items():
                    took[kind].append(one_round(ensemble, how))
        finally:
            for ensemble in built.values():
                ensemble.remove()
        for kind, times in took.items():
            medians[name, kind] = statistics.median(times), max(times)
            print(f"{name} {kind}: median {medians[name, kind][0]:.0f} ms, worst {max(times):.0f} ms of {len(times)}", flush=True)
    if given.judge and servers.QUORATE in given.kinds:
        median, _ = medians["kill -9", servers.QUORATE]
        bound = FINALIZE_WAIT_MS + 100
        if median > bound:
            problems.append(f"after kill -9 {median:.0f} ms, at most {bound} wanted")
        if ("kill -9", servers.JAVA_39) in medians and median > medians["kill -9", servers.JAVA_39][0]:
            problems.append("after kill -9 slower than Java")
        stop = 10 * given.tick_ms + 500
        if medians["SIGSTOP", servers.QUORATE][1] > stop:
            problems.append(f"after SIGSTOP up to {medians['SIGSTOP', servers.QUORATE][1]:.0f} ms, at most {stop} wanted")
    for problem in problems:
        print(f"FAILED {problem}")
    return 1 if problems else 0


sys.exit(main())
