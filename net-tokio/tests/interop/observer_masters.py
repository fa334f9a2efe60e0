#!/usr/bin/env python3
"""Observers behind followers (observerMasterPort), Java 3.9 and Quorate on either side.

The port is everybody's, so each server has a loopback address of its own. Each mix: the observer is behind a follower, every kind of
txn is written through it and through the leader, its sessions live on what the follower hands on, the follower is killed and the
observer finds another; at the end all members show the same tree.
Exit status 1: anything differs.
"""

import sys
import time

import ensembles
import servers
import tree

MIXES = {
    "a Java observer behind a Quorate follower": [servers.QUORATE, servers.QUORATE, servers.JAVA_39, servers.JAVA_39],
    "a Java observer where a Quorate leads": [servers.QUORATE, servers.QUORATE, servers.QUORATE, servers.JAVA_39],
    "a Quorate observer behind a Java follower": [servers.JAVA_39, servers.JAVA_39, servers.QUORATE, servers.QUORATE],
}
OBSERVER, LEADER = 4, 3


def behind(ensemble):
    """The follower that the observer is behind, by the followers' own word, once one says so."""
    deadline = time.monotonic() + ensembles.SETTLE_TIMEOUT_S
    while time.monotonic() < deadline:
        for sid, mode in ensemble.modes().items():
            if mode == "follower" and ensemble.members[sid].metric("zk_synced_observers") == 1:
                return sid
        time.sleep(0.1)
    raise RuntimeError(f"no follower has the observer:\n{ensemble.members[OBSERVER].log_tail()}")


def fill(ensemble, name):
    tree.fill(ensemble.members[OBSERVER], f"/observer{name}", updates=30)
    tree.fill(ensemble.members[ensemble.leader()], f"/leader{name}", updates=30)


def steps(ensemble):
    # Equal histories are led by the larger id of the first two, who have to be done with that.
    ensemble.start([LEADER, 1])
    ensemble.start([2, OBSERVER])
    assert ensemble.leader() == LEADER, f"{ensemble.leader()} leads"
    first = behind(ensemble)
    assert ensemble.members[LEADER].metric("zk_synced_observers") == 0, "the leader has the observer"
    fill(ensemble, "first")
    client = tree.Client(ensemble.members[OBSERVER])
    client.must("create", tree.create("/mine", b"", tree.OPEN_ACL, 1))
    client.must("sync", tree.buf("/"))
    client.leave()
    ensemble.members[first].kill()
    ensemble.settle()
    second = behind(ensemble)
    assert second != first
    client = tree.Client(ensemble.members[OBSERVER], client.session, client.password)
    assert client.timeout_ms > 0, "the session is gone"
    client.must("getData", tree.path_flag("/mine"))
    client.close()
    fill(ensemble, "second")
    ensemble.members[first].start()
    ensemble.settle()
    lines = ensemble.disagreements()
    assert not lines, "\n      ".join(lines[:10])


def run(name, kinds):
    started = time.monotonic()
    try:
        extra = [f"observerMasterPort={servers.Ports.take()}"]
        with ensembles.Ensemble(kinds, (OBSERVER,), extra=extra, own_hosts=True) as ensemble:
            steps(ensemble)
    except (AssertionError, OSError, RuntimeError, *tree.Trouble) as error:
        print(f"FAILED {name}: {type(error).__name__}: {error}", flush=True)
        return False
    print(f"{name}: passed in {time.monotonic() - started:.0f} s", flush=True)
    return True


def main():
    passed = sum(run(name, kinds) for name, kinds in MIXES.items())
    print(f"observer masters: {passed} passed, {len(MIXES) - passed} failed")
    return 0 if passed == len(MIXES) else 1


sys.exit(main())
