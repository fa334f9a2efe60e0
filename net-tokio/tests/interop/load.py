"""kazoo under load: writes, holds an ephemeral, contends for a mutex and watches through whatever happens to the servers, until its
standard input ends. One line for each thing that rolling.py judges, as Load.java's.
"""

import glob
import os
import sys
import threading
import time

import servers

sys.path += glob.glob(os.path.join(servers.CACHE, "venv", "lib", "python3*", "site-packages"))

from kazoo.client import KazooClient, KazooState  # noqa: E402  pylint: disable=wrong-import-position
from kazoo.exceptions import (  # noqa: E402  pylint: disable=wrong-import-position
    ConnectionClosedError, ConnectionLoss, NodeExistsError, NoNodeError, OperationTimeoutError, SessionExpiredError)
from kazoo.handlers.threading import KazooTimeoutError  # noqa: E402  pylint: disable=wrong-import-position

CUT_OFF = (ConnectionLoss, ConnectionClosedError, OperationTimeoutError, KazooTimeoutError)
PAUSE_S = 0.005


def say(*words):
    sys.stdout.write(" ".join(str(word) for word in words) + "\n")
    sys.stdout.flush()


def retry(action):
    """Does it until the connection bears it; the outcome of what was cut off is unknown."""
    while True:
        try:
            return action()
        except CUT_OFF:
            time.sleep(PAUSE_S)


class Load:
    """One session and what it does."""

    def __init__(self, hosts, name, timeout_ms):
        self.name, self.over, self.server = name.encode(), threading.Event(), None
        self.client = KazooClient(hosts=hosts, timeout=timeout_ms / 1000)
        self.client.add_listener(self.hear)
        self.client.start(timeout=60)

    def hear(self, state):
        if state == KazooState.LOST:
            if not self.over.is_set():
                say("LOST session")
        elif state == KazooState.CONNECTED:
            address = self.client._connection._socket.getpeername()  # pylint: disable=protected-access
            say("SERVER", "%s:%s" % address[:2])

    def write(self):
        count = 0
        while not self.over.is_set():
            count += 1
            data = b"%s-%d" % (self.name, count)
            try:
                path = self.client.create("/acks/k-", data, sequence=True)
                say("ACK", path, data.decode(), time.monotonic_ns())
                time.sleep(PAUSE_S)
            except CUT_OFF:
                time.sleep(PAUSE_S)
            except SessionExpiredError as error:
                return say("LOST write", repr(error))

    def contend(self):
        while not self.over.is_set():
            try:
                self.client.create("/mutex", self.name, ephemeral=True)
            except NodeExistsError:
                gone = threading.Event()
                try:
                    # After a loss of connection it may be one's own.
                    holder, _ = retry(lambda: self.client.get("/mutex", lambda event: gone.set()))  # pylint: disable=cell-var-from-loop
                except NoNodeError:
                    continue
                if holder != self.name:
                    gone.wait(1)
                    continue
            except CUT_OFF:
                time.sleep(PAUSE_S)
                continue
            since = time.monotonic_ns()
            time.sleep(0.003)
            say("HELD", since, time.monotonic_ns())
            try:
                # Not again where the outcome is unknown: by then it may be another's. Whether it is still one's own, the next create tells.
                self.client.delete("/mutex")
            except (NoNodeError, *CUT_OFF):
                pass
            time.sleep(PAUSE_S)

    def run(self):
        mine = "/ephemerals/" + self.name.decode()
        try:
            retry(lambda: self.client.create(mine, self.name, ephemeral=True))
        except NodeExistsError:
            pass
        threads = [threading.Thread(target=self.write), threading.Thread(target=self.contend)]
        for thread in threads:
            thread.start()
        sys.stdin.read()
        self.over.set()
        for thread in threads:
            thread.join()
        if retry(lambda: self.client.exists(mine)) is None:
            say("LOST ephemeral", mine)
        self.client.stop()


Load(sys.argv[1], sys.argv[2], int(sys.argv[3])).run()
