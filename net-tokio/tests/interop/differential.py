#!/usr/bin/env python3
"""Sends the same requests to two servers and compares their answers byte for byte.

The requests come from a seed: random ones that mostly succeed (scenario.py) and directed ones for each way to go wrong
(producers.py), against two configurations, one as shipped and one with extended types, quotas and reconfig on; a few go to
servers in read-only mode (read_only.py). What is masked is said in masking.py. Differences are allowed only by `differential-allowed.json`.

Exit status 1: a difference that is not allowed, fewer than half of the requests succeeded, or (with --requests 10000
or more, against 3.9) a pair of operation and error code was met fewer than five times.
"""

import argparse
import collections
import os
import random
import sys
import time

import read_only
import servers
from pair import Diverged, Pair, load_allowed
from producers import producers
from required import required_pairs
from scenario import Scenario

ALLOWED = os.path.join(servers.HERE, "differential-allowed.json")
SUPER_DIGEST = "-Dzookeeper.DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU="
# Reaping would delete containers at a moment of its own, differently on each server.
NO_REAPING = "-Dznode.container.checkIntervalMs=3600000"
FULL_RUN = 10_000
TIMES = 5
SHOWN_DIFFERENCES = 40

# `old_peer`: random requests avoid what 3.8 does otherwise almost every time; directed ones don't.
Features = collections.namedtuple("Features", "name extended quota extra old_peer")
PHASES = (
    Features("plain", False, False, (), False),
    Features("extended", True, True, ("extendedTypesEnabled=true", "enforceQuota=true", "reconfigEnabled=true"), False),
)


class Schedule:
    """Each directed request comes round once before any comes twice."""

    def __init__(self, rng, features):
        self.rng, self.all, self.left, self.rounds = rng, producers(features), [], -1

    def next(self):
        if not self.left:
            self.left = sorted(self.all)
            self.rng.shuffle(self.left)
            self.rounds += 1
        name = self.left.pop()
        return name, self.all[name]


def run_scenario(pair, rng, name, features, schedule):
    """A dozen directed requests with random ones between them, over one to three connections."""
    pair.context = name
    try:
        scenario = Scenario(pair, rng, name, features)
        for _ in range(rng.randrange(0, 3)):
            scenario.connection()
        for _ in range(rng.randrange(8, 16)):
            for _ in range(rng.randrange(0, 2)):
                pair.context = f"{name} random"
                scenario.random_request()
            label, produce = schedule.next()
            pair.context = f"{name} {label}"
            produce(scenario)
        pair.context = f"{name} end"
        for connection in list(scenario.connections):
            scenario.close(connection)
        pair.end_scenario()
    except Diverged:
        pair.recover(["/" + name, "/zookeeper/quota/" + name])


def run_phase(options, features, share):
    rng = random.Random(f"{options.seed} {features.name}")
    features = features._replace(old_peer=options.peer == servers.JAVA_38)
    flags = [SUPER_DIGEST, NO_REAPING]
    allowed = load_allowed(ALLOWED, options.peer)
    with servers.Server(options.peer, extra=features.extra, flags=flags) as peer, \
            servers.Server(options.server, extra=features.extra, flags=flags) as tested:
        pair = Pair([peer, tested], allowed, servers.JAVA_38 not in (options.peer, options.server))
        schedule = Schedule(rng, features)
        scenario = 0
        rounds = TIMES if options.requests >= FULL_RUN else 0
        while (pair.requests < share or schedule.rounds < rounds) and len(pair.differences) < options.stop_after:
            scenario += 1
            run_scenario(pair, rng, f"{features.name[0]}{scenario}", features, schedule)
        # Java's own digest goes wrong when a plain create has the container flag, so only Quorate's is looked at.
        if tested.kind == servers.QUORATE and tested.metric("zk_digest_mismatches_count") != 0:
            pair.differences.append(("end", "digest_mismatches_count", "", str(tested.metric("zk_digest_mismatches_count"))))
    return pair


def run_read_only(options):
    allowed = load_allowed(ALLOWED, options.peer)
    peer = servers.Server(options.peer, extra=read_only.extra(), flags=read_only.FLAGS)
    tested = servers.Server(options.server, extra=read_only.extra(), flags=read_only.FLAGS)
    for server in (peer, tested):
        read_only.make_member(server)
    with peer, tested:
        pair = Pair([peer, tested], allowed, servers.JAVA_38 not in (options.peer, options.server))
        try:
            read_only.run(pair, random.Random(f"{options.seed} read-only"))
        except Diverged:
            pass
    return pair


def report(options, pairs, seconds):
    """Prints the account; True when everything is as it has to be."""
    requests = sum(pair.requests for pair in pairs)
    succeeded = sum(pair.succeeded for pair in pairs)
    coverage = sum((pair.coverage for pair in pairs), collections.Counter())
    differences = [difference for pair in pairs for difference in pair.differences]
    print(f"{requests} requests in {seconds:.0f} s, {succeeded} succeeded ({100 * succeeded // max(requests, 1)} %)")
    by_name = collections.defaultdict(dict)
    for (name, result), count in coverage.items():
        by_name[name][result] = count
    for name in sorted(by_name):
        print(f"  {name}: " + ", ".join(f"{result} ×{by_name[name][result]}" for result in sorted(by_name[name], key=str)))
    allowed = pairs[0].allowed
    seen = sum((pair.allowed_seen for pair in pairs), collections.Counter())
    for number, rule in enumerate(allowed):
        print(f"  allowed ×{seen[number]}: {rule['request']} {rule.get('where', '')}: {rule['reason']}")
    kinds = collections.Counter(label for _, label, _, _ in differences)
    for where, label, expected, got in differences[:SHOWN_DIFFERENCES]:
        print(f"DIFFERENCE {label} ({where})\n    {options.peer}: {expected}\n    {options.server}: {got}")
    if differences:
        print("differences by request: " + ", ".join(f"{label} ×{count}" for label, count in kinds.most_common()))
    coverage += sum((pair.labels for pair in pairs), collections.Counter())
    rare = [f"{name} {result} ×{coverage[(name, result)]}" for name, result in required_pairs()
            if coverage[(name, result)] < TIMES]
    complete = options.requests >= FULL_RUN and options.peer == servers.JAVA_39
    if complete and rare:
        print("met fewer than five times: " + ", ".join(rare))
    enough = 2 * succeeded >= requests and not (complete and rare)
    failed = len(differences) + (not enough)
    print(f"differential {options.server} against {options.peer}, seed {options.seed}: "
          f"{requests - len(differences)} passed, {failed} failed")
    return failed == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", choices=servers.KINDS, default=servers.QUORATE)
    parser.add_argument("--peer", choices=(servers.JAVA_38, servers.JAVA_39), default=servers.JAVA_39)
    parser.add_argument("--requests", type=int, default=FULL_RUN)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stop-after", type=int, default=500, help="differences after which a phase ends")
    options = parser.parse_args()
    started = time.monotonic()
    pairs = [run_phase(options, features, options.requests // len(PHASES)) for features in PHASES]
    pairs.append(run_read_only(options))
    return 0 if report(options, pairs, time.monotonic() - started) else 1


sys.exit(main())
