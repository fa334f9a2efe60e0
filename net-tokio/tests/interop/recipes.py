#!/usr/bin/env python3
"""Recipes of the Rust client beside kazoo's and Curator's, on the same paths at the same time: who excludes whom, who sees whom.

Each side is a peer: a process that does what it is told of named recipe objects (recipe_peer.rs, Recipes.java), or kazoo in this process.
A scene is played by two peers, each side once by Rust. `--with kazoo` (the default), `--with curator`, `--with rust` (which tests the test),
`--only WORD`, `--server quorate|java39`. Exit status 1: a scene failed.
"""

import argparse
import concurrent.futures
import glob
import itertools
import os
import subprocess
import sys
import threading
import time
import traceback

import servers

sys.path += glob.glob(os.path.join(servers.CACHE, "venv", "lib", "python3*", "site-packages"))

SOON_S, NOT_MS, SOON_MS = 20, 300, 15_000
ROUNDS = 20


class Failed(Exception):
    """A scene went otherwise than it should."""


def want(what, answer, wanted="ok"):
    if answer != wanted:
        raise Failed(f"{what}: {answer!r}, not {wanted!r}")


class Process:
    """A peer in a process of its own."""

    def __init__(self, name, command):
        self.name, self.tags, self.waiting = name, itertools.count(1), {}
        self.ready = threading.Event()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self.listen, daemon=True).start()
        if not self.ready.wait(60):
            raise Failed(f"{name} never said that it is ready")

    def listen(self):
        for line in self.process.stdout:
            tag, _, answer = line.rstrip("\n").partition(" ")
            if tag == "ready":
                self.ready.set()
            elif tag in self.waiting:
                self.waiting.pop(tag).set_result(answer)

    def ask(self, verb, name, *words):
        """What it will answer."""
        tag, future = str(next(self.tags)), concurrent.futures.Future()
        self.waiting[tag] = future
        self.process.stdin.write(" ".join([tag, verb, name, *map(str, words)]) + "\n")
        self.process.stdin.flush()
        return future

    def end(self):
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def rust(address, layout):
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(servers.REPOSITORY, "target"))
    binary = os.path.join(target, "debug", "examples", "recipe_peer")
    assert os.path.exists(binary), f"no {binary}: cargo build -p quorate-client --example recipe_peer"
    return Process("rust", [binary, address, layout])


def curator(address, _layout):
    classes = os.path.join(servers.scratch_root(), f"quorate-recipes-{os.getpid()}")
    path = servers.java_class_path(servers.JAVA_39)
    if not os.path.isdir(classes):
        subprocess.run(["javac", "-cp", path, "-d", classes, os.path.join(servers.HERE, "Recipes.java")], check=True)
    quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"
    return Process("curator", ["java", *servers.JVM_OPTIONS, quiet, "-cp", f"{classes}:{path}", "Recipes", address])


def kazoo(address, _layout):
    import kazoo_peer  # pylint: disable=import-outside-toplevel
    return kazoo_peer.Kazoo(address)


PEERS = {"rust": rust, "kazoo": kazoo, "curator": curator}


class Side:
    """A peer as scenes speak to it: answers, or what is to be answered."""

    def __init__(self, letter, peer):
        self.letter, self.peer, self.numbers = letter, peer, itertools.count(1)

    def begin(self, verb, name, *words):
        return self.peer.ask(verb, name, *words)

    def do(self, verb, name, *words):
        return self.peer.ask(verb, name, *words).result(SOON_S)

    def new(self, verb, *words):
        """A new object's name."""
        name = f"{self.letter}-{verb}-{next(self.numbers)}"
        want(f"{self.peer.name} makes a {verb}", self.do(verb, name, *words))
        return name


# Locks.


def mutex_excludes(a, b, path):
    """Who holds the lock keeps the other out, and who waits gets it at once when it is free."""
    mine, theirs = a.new("mutex", path), b.new("mutex", path)
    want("the first acquires", a.do("acquire", mine, SOON_MS))
    want("the second is kept out", b.do("acquire", theirs, NOT_MS), "no")
    waiting = b.begin("acquire", theirs, SOON_MS)
    want("the first releases", a.do("release", mine))
    want("the second acquires", waiting.result(SOON_S))
    want("the first is kept out", a.do("acquire", mine, NOT_MS), "no")
    want("the second releases", b.do("release", theirs))
    want("the first acquires again", a.do("acquire", mine, SOON_MS))
    want("and releases", a.do("release", mine))


def mutex_is_fair(a, b, path):
    """The lock goes round in the order in which it was asked for."""
    names = [(a, a.new("mutex", path)), (b, b.new("mutex", path)), (a, a.new("mutex", path)), (b, b.new("mutex", path))]
    want("the first acquires", names[0][0].do("acquire", names[0][1], SOON_MS))
    waiting = []
    for side, name in names[1:]:
        waiting.append(side.begin("acquire", name, SOON_MS))
        concurrent.futures.wait(waiting, timeout=0.3)
    for place, (side, name) in enumerate(names):
        done = [future for future in waiting if future.done()]
        want(f"before release {place} so many have acquired", len(done), place)
        want("a release", side.do("release", name))
        if place < len(waiting):
            want("the next acquires", waiting[place].result(SOON_S))


def mutex_excludes_under_contention(a, b, path):
    """Two at each peer contend; never are two inside."""
    inside, most, lock = [], [0], threading.Lock()

    def contend(side):
        name = side.new("mutex", path)
        for _ in range(ROUNDS):
            want("acquired", side.do("acquire", name, SOON_MS))
            with lock:
                inside.append(name)
                most[0] = max(most[0], len(inside))
            threading.Event().wait(0.005)
            with lock:
                inside.remove(name)
            want("released", side.do("release", name))

    with concurrent.futures.ThreadPoolExecutor() as pool:
        for future in [pool.submit(contend, side) for side in (a, b, a, b)]:
            future.result(SOON_S * 3)
    want("inside at once", most[0], 1)


def mutex_is_revoked(a, b, path):
    """Who holds the lock hears that somebody wants it."""
    mine = a.new("mutex", path)
    want("acquired", a.do("acquire", mine, SOON_MS))
    want("asked to go", b.do("revoke", "revoker", path))
    for _ in range(50):
        if a.do("revoked", mine) == "ok":
            break
        threading.Event().wait(0.1)
    want("heard of it", a.do("revoked", mine))
    want("released", a.do("release", mine))


def readers_share_and_writers_do_not(a, b, path):
    """Readers of both are inside together, and keep writers of both out; a writer keeps everybody out."""
    mine, theirs = a.new("read", path), b.new("read", path)
    writer, other = a.new("write", path), b.new("write", path)
    want("the first reads", a.do("acquire", mine, SOON_MS))
    want("the second reads", b.do("acquire", theirs, SOON_MS))
    want("the first's writer is kept out", a.do("acquire", writer, NOT_MS), "no")
    waiting = b.begin("acquire", other, SOON_MS)
    want("the first has read", a.do("release", mine))
    want("the second has read", b.do("release", theirs))
    want("the second writes", waiting.result(SOON_S))
    want("the first's reader is kept out", a.do("acquire", mine, NOT_MS), "no")
    want("the first's writer is kept out", a.do("acquire", writer, NOT_MS), "no")
    want("the second has written", b.do("release", other))
    want("the first writes", a.do("acquire", writer, SOON_MS))
    want("the first has written", a.do("release", writer))


def semaphore_counts_both(a, b, path):
    """Two leases, whoever has them."""
    first, second, third = a.new("semaphore", path, 2), b.new("semaphore", path, 2), a.new("semaphore", path, 2)
    want("the first lease", a.do("acquire", first, SOON_MS))
    want("the second lease", b.do("acquire", second, SOON_MS))
    want("no third", a.do("acquire", third, NOT_MS), "no")
    waiting = a.begin("acquire", third, SOON_MS)
    want("the second is returned", b.do("release", second))
    want("the third has it", waiting.result(SOON_S))
    want("no other", b.do("acquire", second, NOT_MS), "no")
    want("returned", a.do("release", first))
    want("the second has one again", b.do("acquire", second, SOON_MS))
    want("returned", b.do("release", second))
    want("returned", a.do("release", third))


# Leaders.


def latch_has_one_leader(a, b, path):
    """One leads, both know who, and the other follows in its place."""
    mine = a.new("latch", path, "alice")
    want("the first leads", a.do("lead", mine, SOON_MS))
    theirs = b.new("latch", path, "bob")
    want("the second does not", b.do("lead", theirs, NOT_MS), "no")
    want("who leads", b.do("leader", theirs), "ok alice")
    waiting = b.begin("lead", theirs, SOON_MS)
    want("the first resigns", a.do("resign", mine))
    want("the second leads", waiting.result(SOON_S))
    want("who leads", b.do("leader", theirs), "ok bob")
    want("the second resigns", b.do("resign", theirs))


def election_has_one_leader(a, b, path):
    """One leads, and the other when it has resigned."""
    mine = a.new("elect", path, "alice")
    want("the first leads", a.do("lead", mine, SOON_MS))
    theirs = b.new("elect", path, "bob")
    want("the second does not", b.do("lead", theirs, NOT_MS), "no")
    waiting = b.begin("lead", theirs, SOON_MS)
    want("the first resigns", a.do("resign", mine))
    want("the second leads", waiting.result(SOON_S))
    want("the second resigns", b.do("resign", theirs))


# Barriers.


def barrier_stops_until_it_is_lowered(a, b, path):
    """Who comes while it is up waits until it is down."""
    want("raised", a.do("set-barrier", "barrier", path))
    want("nobody passes", b.do("wait-barrier", "barrier", path, NOT_MS), "no")
    waiting = b.begin("wait-barrier", "barrier", path, SOON_MS)
    want("lowered", a.do("remove-barrier", "barrier", path))
    want("all pass", waiting.result(SOON_S))
    want("all pass at once", b.do("wait-barrier", "barrier", path, SOON_MS))


def double_barrier_lets_all_in_and_out_together(a, b, path):
    """Nobody is in before both are, and nobody out before both want to be."""
    for _ in range(3):
        mine, theirs = a.new("double-barrier", path, 2), b.new("double-barrier", path, 2)
        for verb in ("enter", "leave"):
            waiting = a.begin(verb, mine, SOON_MS)
            concurrent.futures.wait([waiting], timeout=NOT_MS / 1000)
            want(f"the first waits to {verb}", waiting.done(), False)
            want(f"the second may {verb}", b.do(verb, theirs, SOON_MS))
            want(f"the first may {verb}", waiting.result(SOON_S))


# Numbers.


def counted(verb):
    def both_count(a, b, path):
        """No addition of either is lost."""
        with concurrent.futures.ThreadPoolExecutor() as pool:
            def count(side, by):
                for _ in range(ROUNDS):
                    answer = side.do(verb, f"counter{by}", path, by)
                    want("added", answer.startswith("ok "), True)
            for future in [pool.submit(count, a, 1), pool.submit(count, b, 100)]:
                future.result(SOON_S * 3)
        want("the sum", a.do(verb, "counter", path, 0), f"ok {ROUNDS * 101}")
        want("the sum", b.do(verb, "counter", path, 0), f"ok {ROUNDS * 101}")
    both_count.__name__ = verb.replace("-", "_") + "_both_count"
    return both_count


# Queues.


def queued(kind):
    def items_go_across(a, b, path):
        """What one puts the other takes, in its order, once; and who waits for an item gets it."""
        for item in range(5):
            want("put", a.do(f"put-{kind}".rstrip("-"), "queue", path, f"item{item}"))
        for item in range(5):
            want("taken", b.do(f"take-{kind}".rstrip("-"), "queue", path, SOON_MS), f"ok item{item}")
        want("no more", b.do(f"take-{kind}".rstrip("-"), "queue", path, NOT_MS), "no")
        waiting = b.begin(f"take-{kind}".rstrip("-"), "queue", path, SOON_MS)
        concurrent.futures.wait([waiting], timeout=NOT_MS / 1000)
        want("put", a.do(f"put-{kind}".rstrip("-"), "queue", path, "late"))
        want("taken", waiting.result(SOON_S), "ok late")
    items_go_across.__name__ = f"{kind or 'distributed'}_queue_items_go_across"
    return items_go_across


def locked_items_are_passed_over(a, b, path):
    """What one deals with the other does not get, and consumed items are gone."""
    for item in ("item0", "item1", "item2"):
        want("put", b.do("put-locking", "queue", path, item))
    want("the first has the first item", a.do("get-locking", "mine", path, SOON_MS), "ok item0")
    want("the second has the next", b.do("get-locking", "theirs", path, SOON_MS), "ok item1")
    want("the first has the last", a.do("get-locking", "more", path, SOON_MS), "ok item2")
    want("no more", b.do("get-locking", "none", path, NOT_MS), "no")
    waiting = b.begin("get-locking", "late", path, SOON_MS)
    for side, name in ((a, "mine"), (b, "theirs"), (a, "more")):
        want("consumed", side.do("consume", name))
    want("put", a.do("put-locking", "queue", path, "item3"))
    want("who waits has it", waiting.result(SOON_S), "ok item3")
    want("consumed", b.do("consume", "late"))


# Members.


def eventually(side, wanted, verb, name):
    answer = side.do(verb, name)
    for _ in range(50):
        if answer == wanted:
            return
        threading.Event().wait(0.1)
        answer = side.do(verb, name)
    want(verb, answer, wanted)


def members_see_each_other(a, b, path):
    """Both lists show both members, and who has left is gone from both."""
    mine, theirs = a.new("join", path, "alice", "data-a"), b.new("join", path, "bob", "data-b")
    kazoo_like = "kazoo" in (a.peer.name, b.peer.name)
    both = "ok alice bob" if kazoo_like else "ok alice=data-a bob=data-b"
    eventually(a, both, "members", mine)
    eventually(b, both, "members", theirs)
    want("left", a.do("quit", mine))
    eventually(b, both.replace("alice ", "").replace("alice=data-a ", ""), "members", theirs)
    want("left", b.do("quit", theirs))


def partitions_are_shared_out(a, b, path):
    """Two members have a half each, and one has all when the other has left."""
    mine, theirs = a.new("partition", path, "p1", "p2", "p3", "p4"), b.new("partition", path, "p1", "p2", "p3", "p4")
    shares = [a.begin("share", mine), b.begin("share", theirs)]
    shares = [share.result(SOON_S * 2) for share in shares]
    want("all is shared out", sorted(" ".join(share.removeprefix("ok") for share in shares).split()), ["p1", "p2", "p3", "p4"])
    want("in halves", sorted(len(share.split()) for share in shares), [3, 3])
    want("one leaves", a.do("leave-partition", mine))
    threading.Event().wait(0.5)
    want("the other has all", sorted(b.begin("share", theirs).result(SOON_S * 2).split()), ["ok", "p1", "p2", "p3", "p4"])
    want("and leaves", b.do("leave-partition", theirs))


def partitions_are_handed_over(a, b, path):
    """Who is alone has all, once nobody has come for a second; and who comes waits until that one has let go."""
    items = ("p1", "p2", "p3", "p4")
    began = time.monotonic()
    mine = a.new("partition", path, *items)
    want("one has all", sorted(a.begin("share", mine).result(SOON_S * 2).split()), ["ok", *items])
    want("at once", time.monotonic() - began < 0.9, False)
    theirs = b.new("partition", path, *items)
    waiting = b.begin("share", theirs)
    concurrent.futures.wait([waiting], timeout=2.5)
    want("the other has something before it is released", waiting.done(), False)
    shares = [a.begin("share", mine), waiting]
    shares = [share.result(SOON_S * 2) for share in shares]
    want("all is shared out", sorted(" ".join(share.removeprefix("ok") for share in shares).split()), [*items])
    for side, name in ((a, mine), (b, theirs)):
        want("leaves", side.do("leave-partition", name))


LOCKS = [mutex_excludes, mutex_is_fair, mutex_excludes_under_contention, readers_share_and_writers_do_not, semaphore_counts_both]
BARRIERS = [barrier_stops_until_it_is_lowered, double_barrier_lets_all_in_and_out_together]
SCENES = {
    "kazoo": [*LOCKS, election_has_one_leader, *BARRIERS, counted("add-text"), counted("add-count"), queued("queue"), queued("locking"),
              locked_items_are_passed_over, members_see_each_other, partitions_are_shared_out, partitions_are_handed_over],
    "curator": [*LOCKS, mutex_is_revoked, latch_has_one_leader, *BARRIERS, counted("add-long"), counted("add-count"), queued("simple"),
                queued(""), members_see_each_other],
}
SCENES["rust"] = [*SCENES["curator"], election_has_one_leader, partitions_are_shared_out]


def play(scene, sides, path):
    name = f"{scene.__name__} {sides[0].peer.name} {sides[1].peer.name}"
    try:
        scene(*sides, path)
    except Exception as trouble:  # pylint: disable=broad-except
        print(f"FAILED {name}: {str(trouble) or 'no answer in time'}")
        if not isinstance(trouble, (Failed, concurrent.futures.TimeoutError)):
            traceback.print_exc()
        return False
    print(f"ok {name}")
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--with", dest="other", choices=sorted(PEERS), default="kazoo")
    parser.add_argument("--server", choices=servers.KINDS, default=servers.QUORATE)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    layout = "kazoo" if arguments.other == "kazoo" else "curator"
    passed = failed = 0
    with servers.Server(arguments.server, tick_ms=500) as server:
        ours, theirs = PEERS["rust"](server.address, layout), PEERS[arguments.other](server.address, layout)
        try:
            for scene in SCENES[arguments.other]:
                if arguments.only not in scene.__name__:
                    continue
                for turn, peers in enumerate(((ours, theirs), (theirs, ours))):
                    good = play(scene, [Side(f"{letter}{turn}", peer) for letter, peer in zip("ab", peers)], f"/recipes/{scene.__name__}-{turn}")
                    passed, failed = passed + good, failed + (not good)
        finally:
            ours.end()
            theirs.end()
    print(f"recipes with {arguments.other} on {arguments.server}: {passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    STATUS = main()
    sys.stdout.flush()
    # A peer in this process may wait for somebody for ever, after a scene that failed.
    os._exit(STATUS)
