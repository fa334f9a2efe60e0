#!/usr/bin/env python3
"""How long writes stop when a leader goes, Quorate beside Java in one run: killed by kill -9, frozen by SIGSTOP, or told to end by SIGTERM.

A raw client tries the survivors every 10 ms, each time with a new connection and its old session, until a write is acknowledged;
the time from the signal to that is printed as median and worst of `--rounds`. A leader that is told to end still serves for a moment:
there it is the longest time between two acknowledgements until one comes that was asked for behind the leader's end. Both
ensembles have the same tickTime and limits.
Judged with `--judge`: a kill takes Quorate at most Java's median, and at most the finalize wait plus 100 ms; a frozen leader at most
syncLimit times tickTime plus 500 ms; a planned end 300 ms in the median. Nobody loses a session.
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
PLANNED_MS = 300
WAIT_S = 60


def write_until_acknowledged(members, session, password):
    """Tries the members in turn; when a write is acknowledged, the time of that."""
    at, deadline = 0, time.monotonic() + WAIT_S
    while True:
        assert time.monotonic() < deadline, f"no write is acknowledged within {WAIT_S} s"
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


def longest_gap(members, client, process):
    """Seconds between two acknowledged writes, from now until the process has ended and one was asked for after that."""
    last, longest, is_over = time.monotonic(), 0, False
    while not is_over:
        is_over = process.poll() is not None
        now = write_until_acknowledged(members, client.session, client.password)
        last, longest = now, max(longest, now - last)
    return longest


def one_round(ensemble, how):
    leader = ensemble.settle()
    survivors = [member for sid, member in ensemble.running().items() if sid != leader]
    client = tree.Client(survivors[0])
    client.call("create", tree.create("/failover"))
    member = ensemble.members[leader]
    since = time.monotonic()
    member.process.send_signal(how)
    if how == signal.SIGTERM:
        took = longest_gap(survivors, client, member.process)
    else:
        took = write_until_acknowledged(survivors, client.session, client.password) - since
    if how == signal.SIGSTOP:
        member.process.send_signal(signal.SIGCONT)
    else:
        member.kill()
        member.start()
    ensemble.settle()
    return took * 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--tick-ms", type=int, default=500)
    parser.add_argument("--kinds", nargs="+", choices=servers.KINDS, default=[servers.QUORATE, servers.JAVA_39])
    parser.add_argument("--judge", action="store_true")
    given = parser.parse_args()
    medians, problems = {}, []
    for name, how in (("kill -9", signal.SIGKILL), ("SIGTERM", signal.SIGTERM), ("SIGSTOP", signal.SIGSTOP)):
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
        planned, _ = medians["SIGTERM", servers.QUORATE]
        if planned > PLANNED_MS:
            problems.append(f"after SIGTERM {planned:.0f} ms, at most {PLANNED_MS} wanted")
        stop = 10 * given.tick_ms + 500
        if medians["SIGSTOP", servers.QUORATE][1] > stop:
            problems.append(f"after SIGSTOP up to {medians['SIGSTOP', servers.QUORATE][1]:.0f} ms, at most {stop} wanted")
    for problem in problems:
        print(f"FAILED {problem}")
    return 1 if problems else 0


sys.exit(main())
