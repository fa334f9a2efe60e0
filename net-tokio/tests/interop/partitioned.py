#!/usr/bin/env python3
"""Read-only mode (`readonlymode.enabled`) in an ensemble of Java 3.9 and Quorate that loses its quorum.

Of two Java servers and two of Quorate one of each kind is killed, and a Java member and a Quorate one are left, of one history. Judged:
both say the same byte for byte to clients that accept a read-only server, to those that don't and to a session of the ensemble
(pair.py, read_only.py); `isro` says `ro` at both; kazoo reads there, is refused its writes, goes through the same states at either, and
writes again when the quorum is back. Then `isro` says `rw`, the read-only connections are closed and their sessions unknown, and the
session of the ensemble goes on, with its ephemeral. With `--pure` all are of one kind, to test the test.
Exit status 1: anything differs.
"""

import argparse
import glob
import os
import random
import sys
import time

import ensembles
import read_only
import servers
import tree
from pair import Diverged, Pair
from wire import OPEN_ACL, buf, create, path_flag, set_data

# setup.sh keeps kazoo in an environment of its own.
sys.path += glob.glob(os.path.join(servers.CACHE, "venv", "lib", "python3*", "site-packages"))

from kazoo.client import KazooClient  # noqa: E402  pylint: disable=wrong-import-position
from kazoo.exceptions import NotReadOnlyCallError  # noqa: E402  pylint: disable=wrong-import-position
from kazoo.protocol.states import KeeperState  # noqa: E402  pylint: disable=wrong-import-position

KINDS = [servers.JAVA_39, servers.QUORATE, servers.JAVA_39, servers.QUORATE]
LEFT, GONE = (1, 2), (3, 4)
EXTRA = ["localSessionsEnabled=true", "localSessionsUpgradingEnabled=true"]
EPHEMERAL = 1
WAIT_S = 20


def wait(what, holds):
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline, f"not within {WAIT_S} s: {what}"
        time.sleep(0.02)


class Partition:
    """The ensemble, its two members that stay, and what they were asked."""

    def __init__(self, ensemble):
        self.ensemble = ensemble
        self.left = [ensemble.members[sid] for sid in LEFT]

    def owner(self, at):
        """A session of the ensemble: it owns an ephemeral."""
        client = tree.Client(self.left[at])
        client.must("create", create(f"/owned{at}", b"", OPEN_ACL, EPHEMERAL))
        client.leave()
        return client

    def kazoo(self, member):
        """A client of this member alone, and the states it goes through."""
        client, states = KazooClient(hosts=member.address, timeout=10, read_only=True), []
        client.add_listener(lambda _: states.append(client.client_state))
        client.start(timeout=WAIT_S)
        return client, states

    def lose_quorum(self):
        for sid in GONE:
            self.ensemble.members[sid].kill()
        for member in self.left:
            wait(f"{member.kind} serves read-only", lambda member=member: member.four_letter("isro") == "ro")
            assert member.mode() == "read", member.four_letter("srvr")

    def ask(self, owners):
        """The same of both; a connection that stays open on each."""
        pair = Pair(self.left, [], True)
        try:
            # Its zxids count from the ensemble's last.
            pair.last_zxid = pair.sides[0].zxid(self.left[0].zxid())
            read_only.run(pair, random.Random(1))
            staying = pair.connect("connect/read-only", read_only=True)
            pair.request(staying, "getData", path_flag("/filling1/bytes", True))
            pair.request(staying, "getChildren", path_flag("/"))
            pair.request(staying, "getEphemerals", buf("/"))
            pair.request(staying, "setData", set_data("/filling1/bytes"))
            for owner in owners:
                for accepts in (True, False, None):
                    pair.connect("connect/session of the ensemble", session_id=owner.session, password=owner.password, read_only=accepts)
            return pair, staying
        except Diverged:
            raise AssertionError(f"they differ: {pair.differences}") from None

    @staticmethod
    def come_back(pair, staying):
        """The read-only connection is closed, and its session is nobody's."""
        try:
            pair.request(staying, "ping", b"", xid=-2, closes=True)
            pair.connect("connect/session of a read-only server", session=staying, read_only=True)
        except Diverged:
            raise AssertionError(f"they differ when the quorum is back: {pair.differences}") from None
        for ended in (("ping", "closed"), ("connect/session of a read-only server", "refused")):
            assert pair.coverage[ended] == 1, f"{ended}: {pair.coverage}"

    def run(self):
        # Who stays follows, so that both leave the same part.
        self.ensemble.start([4, 3, 2, 1])
        assert self.ensemble.leader() in GONE, f"{self.ensemble.leader()} leads"
        tree.fill(self.left[0], "/filling1", updates=30)
        owners = [self.owner(at) for at in (0, 1)]
        self.ensemble.same_zxid()
        kazoos = [self.kazoo(member) for member in self.left]
        self.lose_quorum()
        for client, _ in kazoos:
            wait("kazoo is connected read-only", lambda client=client: client.client_state == KeeperState.CONNECTED_RO)
            assert client.get("/filling1/large")[0] == b"z" * 100_000, "kazoo reads something else"
            try:
                client.set("/filling1/bytes", b"")
                raise AssertionError("a read-only server takes a write")
            except NotReadOnlyCallError:
                pass
        pair, staying = self.ask(owners)
        for sid in GONE:
            self.ensemble.members[sid].start()
        self.ensemble.settle()
        for member in self.left:
            assert member.four_letter("isro") == "rw", member.four_letter("isro")
        self.come_back(pair, staying)
        for at, owner in enumerate(owners):
            back = tree.Client(self.left[1 - at], owner.session, owner.password)
            assert back.timeout_ms > 0, f"the session of {self.left[at].kind} is gone"
            back.must("getData", path_flag(f"/owned{at}"))
            back.must("setData", set_data(f"/owned{at}", b"again"))
            back.leave()
        for client, _ in kazoos:
            wait("kazoo writes again", lambda client=client: client.client_state == KeeperState.CONNECTED)
            client.set("/filling1/bytes", bytes(range(255, -1, -1)))
            client.stop()
            client.close()
        (_, java), (_, ours) = kazoos
        assert java == ours, f"kazoo at Java: {java}; at Quorate: {ours}"
        lines = self.ensemble.disagreements()
        assert not lines, "\n      ".join(lines[:10])
        return pair.requests


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pure", choices=servers.KINDS)
    given = parser.parse_args()

    def run():
        kinds = [given.pure] * len(KINDS) if given.pure else KINDS
        with ensembles.Ensemble(kinds, extra=EXTRA, flags=read_only.FLAGS) as ensemble:
            return f"{Partition(ensemble).run()} requests"

    return ensembles.judge("read-only members", run)


sys.exit(main())
