#!/usr/bin/env python3
"""Local sessions and their upgrade: ensembles of Quorate, and mixed ones, answer as three Java 3.9.5 servers do.

Each scene is a few requests of fresh sessions at one member; what comes back is written down as lines, with what it cost in txns. The
lines of the leader and of a follower, upgrading on and off, have to be those of the same part in Java's ensemble.
Exit status 1: a line differs.
"""

import argparse
import re
import struct
import sys
import time

import ensembles
import servers
from tree import Trouble
from wire import (AUTH_XID, Closed, EVENT_XID, OPCODES, OPEN_ACL, PING_XID, RawConnection, Silence, auth_packet, buf,
                  connect_request, create, create_ttl, i32, multi, path_flag, path_version, set_data, set_watches)

TICK_MS = 500
TIMEOUT_MS = 1000
LONG_MS = 10_000
PERSISTENT, EPHEMERAL, SEQUENTIAL, EPHEMERAL_SEQUENTIAL = 0, 1, 2, 3
XIDS = {"ping": PING_XID, "auth": AUTH_XID}


class Session:
    """A session at a member, new or brought along; its frames are said in words that are the same everywhere."""

    def __init__(self, scene, member, of=None, password=None, timeout_ms=LONG_MS):
        self.scene, self.member, self.xid = scene, member, 0
        self.id, self.password = (of.id, of.password) if of else (0, b"\0" * 16)
        self.raw = RawConnection(member.port)
        self.raw.send_frame(connect_request(timeout_ms=timeout_ms, session=self.id, password=password or self.password))
        try:
            frame = self.raw.frame(5)
        except Closed:
            self.scene.say("connect: closed")
            return
        timeout, self.id, length = struct.unpack(">iqi", frame[4:20])
        self.password = frame[20:20 + length]
        self.scene.say(f"connect: timeout {timeout}" + (", the same" if of and of.id == self.id else ""))
        self.scene.owners[self.id] = "mine"

    def send(self, *requests):
        """Requests in one go."""
        frames = b""
        for name, body in requests:
            self.xid += 1
            frame = i32(XIDS.get(name, self.xid)) + i32(OPCODES[name]) + body
            frames += i32(len(frame)) + frame
        self.raw.send(frames)

    def hear(self, name, wait_s=5):
        """Everything up to the answer."""
        while True:
            try:
                frame = self.raw.frame(wait_s)
            except Closed:
                return self.scene.say(f"{name}: closed")
            except Silence:
                return self.scene.say(f"{name}: silence")
            xid, zxid, err = struct.unpack(">iqi", frame[:16])
            cost = self.scene.cost(zxid) if zxid > 0 else ""
            if xid == EVENT_XID:
                self.scene.say(f"event {cost} {frame[16:].hex()}")
                continue
            return self.scene.say(f"{name}: {err}{cost} {self.body(name, frame[16:])}")

    @staticmethod
    def body(name, body):
        """What is the same on every server and at every time; getEphemerals has no order."""
        if name == "multi":
            return codes(body)
        if name == "create":
            return re.sub(r"^/[a-z]+\d+/", "/…/", body[4:].decode())
        return f"{len(body)} bytes"

    def call(self, name, body=b"", wait_s=5):
        self.send((name, body))
        self.hear(name, wait_s)

    def calls(self, *requests):
        self.send(*requests)
        for name, _ in requests:
            self.hear(name)

    def leave(self):
        self.raw.close()


def codes(body):
    """The results of a multi: what each is, and its error."""
    found, at = [], 0
    while at + 9 <= len(body):
        kind, is_done, err = struct.unpack(">iBi", body[at:at + 9])
        at += 9
        if is_done:
            break
        found.append(f"{kind}:{err}")
        if kind == -1:
            at += 4
        elif kind in (1, 15):
            at += 4 + struct.unpack(">i", body[at:at + 4])[0] + (68 if kind == 15 else 0)
        elif kind == 5:
            at += 68
    return " ".join(found)


class Scene:
    """What one scene says, at a member whose part is the same everywhere."""

    def __init__(self, name, member, other, root):
        self.name, self.member, self.other, self.root = name, member, other, root
        self.lines, self.owners, self.zxid = [], {}, member.zxid()

    def say(self, line):
        self.lines.append(f"{self.name}: {line}")

    def cost(self, zxid):
        """How far history has come since this was asked last."""
        cost, self.zxid = zxid - self.zxid, max(zxid, self.zxid)
        return f" ({cost:+d})" if cost else ""

    def session(self, member=None, **given):
        return Session(self, member or self.member, **given)

    def path(self, name):
        return f"{self.root}/{name}"

    def costs(self, what):
        """What has become of history that nobody was told of."""
        time.sleep(0.2)
        self.say(f"{what} costs{self.cost(self.member.zxid()) or ' nothing'}")

    def is_there(self, path):
        """Whether the other member has the node, and whose it is."""
        time.sleep(0.2)
        quiet = Scene("", self.other, self.other, self.root)
        looker = Session(quiet, self.other)
        looker.send(("exists", path_flag(path)))
        frame = looker.raw.frame(5)
        looker.send(("closeSession", b""))
        looker.leave()
        err = struct.unpack(">i", frame[12:16])[0]
        owner = struct.unpack(">q", frame[60:68])[0] if err == 0 else 0
        short = path.removeprefix(self.root)
        self.say(f"at the other, {short}: {err}" + (f" of {self.owners.get(owner, 'another')}" if owner else ""))


# The scenes.

def a_session_costs_nothing(s):
    one = s.session()
    s.costs("a session")
    one.call("getData", path_flag("/"))
    one.call("create", create(s.path("node"), b"1"))
    one.call("setData", set_data(s.path("node"), b"2"))
    one.call("sync", buf("/"))
    one.call("auth", auth_packet("digest", b"user:pass"))
    one.call("whoAmI")
    one.call("ping")
    one.call("getData", path_flag(s.path("node"), True))
    one.call("setData", set_data(s.path("node"), b"3"))
    one.call("setWatches", set_watches(0, [s.path("node")], [], []))
    one.call("multi", multi([("create", create(s.path("m"))), ("delete", path_version(s.path("m")))]))
    one.call("createContainer", create(s.path("c"), flags=4))
    one.call("createTTL", create_ttl(s.path("t")))
    one.call("delete", path_version(s.path("none")))
    one.call("closeSession")
    one.call("ping")
    s.costs("its end")


def an_ephemeral(s, name, flags):
    one = s.session()
    one.call(name, create(s.path("e"), flags=flags))
    s.is_there(s.path("e"))
    one.call(name, create(s.path("f"), flags=flags))
    one.call("getEphemerals", buf("/"))
    one.call("create", create(s.path("p")))
    one.call("closeSession")
    s.costs("the end")
    s.is_there(s.path("e"))


def create_ephemeral(s):
    an_ephemeral(s, "create", EPHEMERAL)


def create2_ephemeral(s):
    an_ephemeral(s, "create2", EPHEMERAL)


def create_ephemeral_sequential(s):
    an_ephemeral(s, "create", EPHEMERAL_SEQUENTIAL)


def multi_with_an_ephemeral(s):
    one = s.session()
    one.call("multi", multi([("create", create(s.path("p"))), ("create", create(s.path("e"), flags=EPHEMERAL)),
                             ("create2", create(s.path("q")))]))
    s.is_there(s.path("e"))
    one.call("closeSession")
    s.costs("the end")
    s.is_there(s.path("e"))


def multi_with_an_ephemeral_create2(s):
    one = s.session()
    one.call("multi", multi([("create2", create(s.path("e"), flags=EPHEMERAL_SEQUENTIAL))]))
    one.call("closeSession")
    s.costs("the end")


def multi_that_fails_for_another_reason(s):
    one = s.session()
    one.call("multi", multi([("delete", path_version(s.path("none"))), ("create", create(s.path("e"), flags=EPHEMERAL))]))
    one.call("create", create(s.path("e"), flags=EPHEMERAL))
    one.call("closeSession")
    s.costs("the end")


def a_container_with_the_ephemeral_flag(s):
    one = s.session()
    one.call("createContainer", create(s.path("c"), flags=EPHEMERAL))
    one.call("createContainer", create(s.path("d"), flags=EPHEMERAL_SEQUENTIAL))
    one.call("createTTL", create_ttl(s.path("t"), flags=EPHEMERAL))
    one.call("multi", multi([("createContainer", create(s.path("c"), flags=EPHEMERAL))]))
    one.call("multi", multi([("createContainer", create(s.path("c"), flags=EPHEMERAL)),
                             ("create", create(s.path("e"), flags=EPHEMERAL))]))
    one.call("closeSession")
    s.costs("the end")


def a_container_with_the_ephemeral_flag_once_global(s):
    one = s.session()
    one.call("create", create(s.path("e"), flags=EPHEMERAL))
    one.call("createContainer", create(s.path("c"), flags=EPHEMERAL))
    one.call("closeSession")
    s.costs("the end")


def flags_of_no_kind(s):
    one = s.session()
    one.call("create", create(s.path("x"), flags=99))
    one.call("create", create(s.path("t"), flags=5))
    one.call("closeSession")
    s.costs("the end")


def ephemerals_that_fail(s):
    one = s.session()
    one.call("create", create(s.path("none/e"), flags=EPHEMERAL))
    one.call("create", create("nopath", flags=EPHEMERAL))
    one.call("create", create(s.root, flags=EPHEMERAL))
    one.call("create", create(s.path("e"), acl=[], flags=EPHEMERAL))
    one.call("closeSession")
    s.costs("the end")


def null_paths(s):
    """Of a body that can't be decoded nothing is asked here: what is left of it confuses Java's leader, and ends its followers."""
    one = s.session()
    one.call("multi", multi([("create", create(None, flags=EPHEMERAL))]))
    one.call("create", create(None, flags=EPHEMERAL))
    one.call("closeSession")
    s.costs("the end")


def it_comes_back(s):
    one = s.session()
    one.leave()
    again = s.session(of=one)
    again.call("create", create(s.path("p")))
    s.session(of=one, password=b"\1" * 16)
    s.session(member=s.other, of=again)
    last = s.session(of=again)
    last.call("create", create(s.path("q")))
    last.call("closeSession")
    s.session(of=again)
    s.costs("all")


def it_comes_back_upgraded(s):
    one = s.session()
    one.call("create", create(s.path("e"), flags=EPHEMERAL))
    one.leave()
    there = s.session(member=s.other, of=one)
    there.call("ping")
    there.leave()
    again = s.session(of=one)
    again.call("getEphemerals", buf("/"))
    again.call("closeSession")
    s.costs("all")


def it_expires(s):
    one = s.session(timeout_ms=TIMEOUT_MS)
    one.call("create", create(s.path("p")))
    one.leave()
    time.sleep(3 * TIMEOUT_MS / 1000)
    s.session(of=one)
    s.costs("its end")


def it_expires_upgraded(s):
    one = s.session(timeout_ms=TIMEOUT_MS)
    one.call("create", create(s.path("e"), flags=EPHEMERAL))
    one.leave()
    time.sleep(4 * TIMEOUT_MS / 1000)
    s.session(of=one)
    s.is_there(s.path("e"))
    s.costs("its end")


def it_lives_while_it_is_heard_of(s):
    one = s.session(timeout_ms=TIMEOUT_MS)
    for _ in range(6):
        time.sleep(TIMEOUT_MS / 2000)
        one.call("ping")
    one.call("create", create(s.path("e"), flags=EPHEMERAL))
    for _ in range(6):
        time.sleep(TIMEOUT_MS / 2000)
        one.call("ping")
    one.call("closeSession")
    s.costs("the end")


def closed_behind_an_ephemeral(s):
    one = s.session()
    one.calls(("create", create(s.path("e"), flags=EPHEMERAL)), ("closeSession", b""))
    s.is_there(s.path("e"))
    s.costs("the end")


def closed_behind_a_write(s):
    one = s.session()
    one.calls(("create", create(s.path("p"))), ("exists", path_flag(s.path("p"))), ("closeSession", b""))
    s.costs("the end")


def pipelined_ephemerals(s):
    one = s.session()
    one.calls(("create", create(s.path("p"))), ("create", create(s.path("e"), flags=EPHEMERAL)),
              ("create2", create(s.path("f"), flags=EPHEMERAL)), ("getEphemerals", buf("/")),
              ("multi", multi([("create", create(s.path("g"), flags=EPHEMERAL))])))
    one.call("closeSession")
    s.is_there(s.path("g"))
    s.costs("the end")


def what_operators_see(s):
    before = counts(s.member)
    local, upgraded = s.session(), s.session()
    upgraded.call("create", create(s.path("e"), flags=EPHEMERAL))
    after = counts(s.member)
    s.say("mntr: " + ", ".join(f"{name} {after[name] - before[name]:+d}" for name in before))
    # Java keeps empty sets for a while, and its sets have no order.
    lists, _, _ = s.member.four_letter("dump").partition("Connections dump")
    for session, word in ((local, "local"), (upgraded, "upgraded")):
        lists = lists.replace(f"0x{session.id & (1 << 64) - 1:x}", word)
    for head, *entries in (part.splitlines() for part in re.split(r"\n(?=[A-Za-z][^\n]*:\n)", lists)):
        kept = sorted(line for line in entries if "expire at" not in line and "0x" not in line)
        head = re.sub(r"\(\d+\)(/\(\d+\))?:", "(N):", head)
        s.say(f"dump: {head} {kept}")
    local.call("closeSession")
    upgraded.call("closeSession")


def counts(member):
    return {name: int(member.metric(name)) for name in ("zk_local_sessions", "zk_global_sessions")}


SCENES = [a_session_costs_nothing, create_ephemeral, create2_ephemeral, create_ephemeral_sequential, multi_with_an_ephemeral,
          multi_with_an_ephemeral_create2, multi_that_fails_for_another_reason, a_container_with_the_ephemeral_flag,
          a_container_with_the_ephemeral_flag_once_global, flags_of_no_kind, ephemerals_that_fail, null_paths,
          it_comes_back, it_comes_back_upgraded, it_expires, it_expires_upgraded, it_lives_while_it_is_heard_of,
          closed_behind_an_ephemeral, closed_behind_a_write, pipelined_ephemerals, what_operators_see]


def account(kinds, upgrading, parts=("leader", "follower"), only=""):
    """What each scene says at a member of each part; the third of the kinds leads, the first is the follower that is asked."""
    extra = ["localSessionsEnabled=true", f"localSessionsUpgradingEnabled={'true' if upgrading else 'false'}"]
    said = {}
    with ensembles.Ensemble(kinds, tick_ms=TICK_MS, extra=extra) as ensemble:
        ensemble.start([3, 2, 1])
        assert ensemble.leader() == 3, f"{ensemble.leader()} leads, not 3"
        for part in parts:
            member, other = (3, 1) if part == "leader" else (1, 2)
            for number, scene in enumerate(SCENES):
                if only not in scene.__name__:
                    continue
                root = f"/{part}{number}"
                maker = Session(Scene("", ensemble.members[3], None, ""), ensemble.members[3])
                maker.call("create", create(root))
                maker.call("closeSession")
                time.sleep(0.1)
                one = Scene(scene.__name__, ensemble.members[member], ensemble.members[other], root)
                try:
                    scene(one)
                except Trouble as error:
                    one.say(f"{type(error).__name__}")
                said[(part, scene.__name__)] = one.lines
    return said


# A create2 within a multi is a create in Quorate's log, which 3.8 can apply; a Java follower answers what is in the log.
CREATE2 = ("15:0", "1:0")
MIXES = [("three of Quorate", ["quorate"] * 3, ("leader", "follower")),
         ("Quorate follows Java", ["quorate", "java39", "java39"], ("follower",)),
         ("Java follows Quorate", ["java39", "quorate", "quorate"], ("follower",))]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--show", choices=servers.KINDS, help="only say what an ensemble of these says")
    parser.add_argument("--scene", default="", help="only scenes whose name contains this")
    parser.add_argument("--mix", default="", help="only mixes whose name contains this")
    given = parser.parse_args()
    mixes = [mix for mix in MIXES if given.mix in mix[0]]
    wanted = [part for part in ("leader", "follower") if any(part in parts for _, _, parts in mixes)]
    passed = failed = 0
    for upgrading in (False, True):
        words = "upgrading on" if upgrading else "upgrading off"
        expected = account([given.show or servers.JAVA_39] * 3, upgrading, wanted, given.scene)
        if given.show:
            for (part, _), lines in expected.items():
                print("\n".join(f"{words}, {part}: {line}" for line in lines), flush=True)
            continue
        for name, kinds, parts in mixes:
            for key, lines in account(kinds, upgrading, parts, given.scene).items():
                java_lines = expected[key]
                if name == "Java follows Quorate":
                    java_lines, lines = ([line.replace(*CREATE2) for line in each] for each in (java_lines, lines))
                if lines == java_lines:
                    passed += 1
                    continue
                failed += 1
                print(f"FAILED {name}, {words}, {key[0]}: {key[1]}")
                for at in range(max(len(lines), len(java_lines))):
                    java, got = (x[at].split(": ", 1)[1] if at < len(x) else "" for x in (java_lines, lines))
                    print(f"  {'=' if java == got else '!'} {java}" + ("" if java == got else f"\n    {got}"))
    print(f"local sessions: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
