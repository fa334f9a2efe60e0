"""kazoo's recipes as a peer of recipes.py, in its process: what is asked of one name is done in its order, on a thread of that name's own."""

import concurrent.futures
import threading
import time

from kazoo.client import KazooClient
from kazoo.exceptions import LockTimeout
from kazoo.recipe.barrier import Barrier, DoubleBarrier
from kazoo.recipe.election import Election
from kazoo.recipe.lock import Lock, ReadLock, Semaphore, WriteLock
from kazoo.recipe.party import Party
from kazoo.recipe.partitioner import SetPartitioner
from kazoo.recipe.queue import LockingQueue, Queue


def done(is_done):
    return "ok" if is_done else "no"


class Kazoo:
    """See the module's words."""

    name = "kazoo"

    def __init__(self, address):
        self.client = KazooClient(hosts=address, timeout=10)
        self.client.start(timeout=30)
        self.threads, self.objects = {}, {}

    def ask(self, verb, name, *words):
        """What it will answer."""
        thread = self.threads.setdefault(name, concurrent.futures.ThreadPoolExecutor(max_workers=1))
        return thread.submit(self.run, verb.replace("-", "_"), name, *words)

    def run(self, verb, name, *words):
        method = getattr(self, verb, None)
        if method is None:
            return f"error no verb {verb}"
        try:
            return method(name, *words)
        except Exception as error:  # pylint: disable=broad-except
            return f"error {error!r}"

    def end(self):
        self.client.stop()
        for thread in self.threads.values():
            thread.shutdown(wait=False)

    def keep(self, name, made):
        self.objects[name] = made
        return "ok"

    # Locks.

    def mutex(self, name, path):
        return self.keep(name, Lock(self.client, path, name))

    def read(self, name, path):
        return self.keep(name, ReadLock(self.client, path, name))

    def write(self, name, path):
        return self.keep(name, WriteLock(self.client, path, name))

    def semaphore(self, name, path, leases):
        return self.keep(name, Semaphore(self.client, path, name, max_leases=int(leases)))

    def acquire(self, name, longest_ms):
        try:
            return done(self.objects[name].acquire(timeout=int(longest_ms) / 1000))
        except LockTimeout:
            return "no"

    def release(self, name):
        self.objects[name].release()
        return "ok"

    # Leaders.

    def elect(self, name, path, identifier):
        leads, over = threading.Event(), threading.Event()

        def lead():
            leads.set()
            over.wait()

        thread = threading.Thread(target=Election(self.client, path, identifier).run, args=(lead,), daemon=True)
        thread.start()
        return self.keep(name, (leads, over, thread))

    def lead(self, name, longest_ms):
        return done(self.objects[name][0].wait(int(longest_ms) / 1000))

    def resign(self, name):
        _leads, over, thread = self.objects[name]
        over.set()
        thread.join()
        return "ok"

    # Barriers.

    def set_barrier(self, _name, path):
        return done(Barrier(self.client, path).create() is not False)

    def remove_barrier(self, _name, path):
        return done(Barrier(self.client, path).remove())

    def wait_barrier(self, _name, path, longest_ms):
        return done(Barrier(self.client, path).wait(int(longest_ms) / 1000))

    def double_barrier(self, name, path, members):
        return self.keep(name, DoubleBarrier(self.client, path, int(members), name))

    def enter(self, name, _longest_ms):
        self.objects[name].enter()
        return "ok"

    def leave(self, name, _longest_ms):
        self.objects[name].leave()
        return "ok"

    # Numbers.

    def add_text(self, _name, path, number):
        counter = self.client.Counter(path)
        counter += int(number)
        return f"ok {counter.value}"

    def add_count(self, _name, path, number):
        counter = self.client.Counter(path, support_curator=True)
        counter += int(number)
        return f"ok {counter.value}"

    # Queues.

    def put_queue(self, _name, path, item):
        Queue(self.client, path).put(item.encode())
        return "ok"

    def take_queue(self, _name, path, longest_ms):
        until = time.monotonic() + int(longest_ms) / 1000
        while True:
            item = Queue(self.client, path).get()
            if item is not None:
                return f"ok {item.decode()}"
            if time.monotonic() > until:
                return "no"
            time.sleep(0.02)

    def put_locking(self, _name, path, item):
        LockingQueue(self.client, path).put(item.encode())
        return "ok"

    def take_locking(self, _name, path, longest_ms):
        queue = LockingQueue(self.client, path)
        item = queue.get(timeout=int(longest_ms) / 1000)
        if item is None:
            return "no"
        queue.consume()
        return f"ok {item.decode()}"

    def get_locking(self, name, path, longest_ms):
        queue = LockingQueue(self.client, path)
        self.keep(name, queue)
        item = queue.get(timeout=int(longest_ms) / 1000)
        return "no" if item is None else f"ok {item.decode()}"

    def consume(self, name):
        return done(self.objects[name].consume())

    # Members.

    def join(self, name, path, member, _data):
        party = Party(self.client, path, member)
        party.join()
        return self.keep(name, party)

    def members(self, name, _path=None):
        return "ok " + " ".join(sorted(self.objects[name]))

    def quit(self, name):
        self.objects[name].leave()
        return "ok"

    def partition(self, name, path, *shares):
        return self.keep(name, SetPartitioner(self.client, path, set(shares), identifier=name, time_boundary=1))

    def share(self, name):
        partitioner = self.objects[name]
        until = time.monotonic() + 10
        while not partitioner.acquired and time.monotonic() < until:
            if partitioner.release:
                partitioner.release_set()
            elif partitioner.allocating:
                partitioner.wait_for_acquire(1)
        return "ok " + " ".join(sorted(partitioner)) if partitioner.acquired else "no"

    def leave_partition(self, name):
        self.objects[name].finish()
        return "ok"
