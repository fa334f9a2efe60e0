"""A scenario: a part of the tree of its own, some connections, and requests that know what they expect to meet.

The small model kept here (nodes and who owns them) only steers the generator towards requests that succeed; it judges
nothing. What a request leads to is judged by the peer alone.
"""

import struct

from wire import (ALL, OPCODES, OPEN_ACL, auth_packet, buf, create, create_ttl, multi, path_flag, path_version, set_acl,
                  set_data, set_watches)

CREATES = ("create", "create2", "createContainer", "createTTL")
USERS = (b"alice:secret", b"bob:pass:word", b"carol:")


class Node:
    """What the generator remembers of a node."""

    def __init__(self, path, owner=None):
        self.path, self.owner, self.version, self.aversion, self.children = path, owner, 0, 0, 0


class Scenario:
    """One scenario under /<name>. `features` says how the servers are configured."""

    def __init__(self, pair, rng, name, features):
        self.pair, self.rng, self.root, self.features = pair, rng, "/" + name, features
        self.nodes, self.counter, self.connections = {}, 0, []
        self.main = self.connection()
        self.call("create", create(self.root))
        self.nodes[self.root] = Node(self.root)

    # Connections.

    def connection(self, **fields):
        connection = self.pair.connect(read_only=self.rng.choice([True, False, None]),
                                       timeout_ms=self.rng.choice([10_000, 20_000, 30_000, 30_000, 100_000]), **fields)
        self.connections.append(connection)
        return connection

    def any_connection(self):
        alive = [one for one in self.connections if one.raw is not None]
        return self.rng.choice(alive)

    def close(self, connection):
        """Closes a session; its ephemerals are forgotten."""
        self.pair.close_session(connection)
        self.connections.remove(connection)
        for path in [path for path, node in self.nodes.items() if node.owner is connection]:
            self.forget(path)

    def retire(self, connection):
        """A connection the server closed: its session is closed by way of a new one."""
        connection.drop()
        self.connections.remove(connection)
        again = self.pair.connect(session=connection)
        self.connections.append(again)
        for node in self.nodes.values():
            if node.owner is connection:
                node.owner = again
        self.close(again)

    # Requests.

    def call(self, opcode, body, connection=None, label=None, xid=None, operations=None, closes=False):
        return self.pair.request(connection or self.main, opcode, body, label, xid, operations, closes)

    def fresh(self, parent=None):
        """A path nobody used."""
        self.counter += 1
        return f"{parent or self.root}/n{self.counter}"

    def node(self, acl=OPEN_ACL, data=b"", flags=0, connection=None, path=None, parent=None):
        """Creates a node that should succeed, and gives its path."""
        path = path or self.fresh(parent)
        connection = connection or self.main
        reply = self.call("create", create(path, data, acl, flags), connection)
        if reply.err == 0:
            self.remember(path, connection if flags & 1 else None)
        return path

    def remember(self, path, owner=None):
        self.nodes[path] = Node(path, owner)
        parent = self.nodes.get(path.rpartition("/")[0])
        if parent:
            parent.children += 1

    def forget(self, path):
        self.nodes.pop(path, None)
        parent = self.nodes.get(path.rpartition("/")[0])
        if parent:
            parent.children -= 1

    def some_node(self, leaf=False, parent=False):
        """An existing node; a leaf below the root, or one that may have children."""
        found = [node for node in self.nodes.values()
                 if not (leaf and (node.children or node.path == self.root)) and not (parent and node.owner)]
        return self.rng.choice(found) if found else None

    def data(self):
        return self.rng.choice([None, b"", b"x", b"hello", bytes(self.rng.randrange(256) for _ in range(40)), b"y" * 1500])

    # Random requests that mostly succeed.

    def random_request(self):
        weights = {
            self.good_create: 22, self.good_delete: 9, self.good_set_data: 14, self.good_read: 26, self.good_acl: 6,
            self.good_multi: 9, self.good_multi_read: 4, self.good_watch: 8, self.good_other: 6, self.good_pipeline: 3,
        }
        self.rng.choices(list(weights), list(weights.values()))[0]()

    def good_create(self):
        parent = self.some_node(parent=True)
        op = self.rng.choice(CREATES[:4 if self.features.extended else 3])
        flags = {"createContainer": [4], "createTTL": [5, 6]}.get(op, [0, 0, 1, 2, 3])
        flags = self.rng.choice(flags)
        path = self.fresh(parent.path) + self.rng.choice(["", "", "-ünïcödé", " blank", ".dots..", "%d"])
        if flags in (2, 3, 6) and self.rng.random() < 0.2:
            path = parent.path + "/"
        acl = self.rng.choice([OPEN_ACL] * 4 + [OPEN_ACL * 2, [(ALL, "ip", "127.0.0.1"), (1, "world", "anyone")],
                                                [(ALL | 64, "world", "anyone")]])
        connection = self.any_connection()
        if op == "createTTL":
            body = create_ttl(path, self.data(), acl, flags, self.rng.choice([1_000_000, 0xFF_FFFF_FFFF]))
        else:
            body = create(path, self.data(), acl, flags)
        body += self.rng.choice([b"", b"", b"", b"trailing"])
        reply = self.call(op, body, connection)
        if reply.err == 0:
            length = struct.unpack(">i", reply.body[:4])[0]
            self.remember(reply.body[4:4 + length].decode(), connection if flags in (1, 3) else None)

    def good_delete(self):
        node = self.some_node(leaf=True)
        if node is None:
            return self.good_create()
        version = self.rng.choice([-1, node.version])
        if self.call("delete", path_version(node.path, version), self.any_connection()).err == 0:
            self.forget(node.path)
        return None

    def good_set_data(self):
        node = self.some_node()
        version = self.rng.choice([-1, node.version])
        reply = self.call("setData", set_data(node.path, self.data(), version), self.any_connection())
        if reply.err == 0:
            node.version = struct.unpack(">i", reply.body[32:36])[0]

    def good_read(self):
        op = self.rng.choice(["exists", "getData", "getChildren", "getChildren2", "getACL", "getAllChildrenNumber"])
        path = self.some_node().path
        path = self.rng.choices([path, "/", ""], [20, 1, 1])[0]
        body = buf(path) if op in ("getACL", "getAllChildrenNumber") else path_flag(path, self.rng.random() < 0.4)
        self.call(op, body + self.rng.choice([b"", b"", b"\0\1"]), self.any_connection(), label=None if path else f"{op}/empty path")

    def good_acl(self):
        node = self.some_node(leaf=True) or self.some_node()
        acl = self.rng.choice([OPEN_ACL, [(ALL, "world", "anyone"), (1, "ip", "10.0.0.0/8")],
                               [(ALL, "world", "anyone"), (3, "digest", "bob:tK1fpNO1hB0F++FhHpSq0Fa4tv0=")]])
        if self.call("setACL", set_acl(node.path, acl, self.rng.choice([-1, node.aversion])), self.any_connection()).err == 0:
            node.aversion += 1
        self.call("getACL", buf(node.path), self.any_connection())

    def good_operations(self, count):
        """Sub-operations that succeed together, and what they create."""
        operations, created = [], []
        for _ in range(count):
            kind = self.rng.randrange(6)
            if kind <= 1:
                op = self.rng.choice(CREATES[:1 if self.features.old_peer else 4 if self.features.extended else 3])
                path = self.fresh(self.some_node(parent=True).path)
                body = create_ttl(path, self.data()) if op == "createTTL" else create(
                    path, self.data(), OPEN_ACL, 4 if op == "createContainer" else self.rng.choice([0, 0, 1]))
                operations.append((op, body))
                created.append((path, body[-1:] == b"\1" and op in CREATES[:2]))
            elif kind == 2:
                operations.append(("check", path_version(self.some_node().path)))
            elif kind == 3:
                operations.append(("setData", set_data(self.some_node().path, self.data())))
            elif kind == 4:
                path = self.fresh()
                operations += [("create", create(path)), ("setData", set_data(path, b"twice")),
                               ("delete", path_version(path, 1))]
            else:
                operations.append(("create" if self.features.old_peer else "create2",
                                   create(self.root + "/seq-", b"", OPEN_ACL, 2)))
        return operations, created

    def good_multi(self):
        operations, created = self.good_operations(self.rng.randrange(0, 5))
        connection = self.any_connection()
        reply = self.call("multi", multi(operations), connection, operations=[name for name, _ in operations])
        if reply.err == 0 and reply.body[:4] != b"\xff\xff\xff\xff":
            for path, ephemeral in created:
                self.remember(path, connection if ephemeral else None)

    def good_multi_read(self):
        operations = []
        for _ in range(self.rng.randrange(1, 5)):
            path = self.some_node().path
            operations.append((self.rng.choice(["getData", "getChildren"]), path_flag(path, self.rng.random() < 0.3)))
        self.call("multiRead", multi(operations), self.any_connection())

    def good_watch(self):
        path = self.rng.choice([self.some_node().path, self.fresh(self.some_node(parent=True).path)])
        connection = self.any_connection()
        kind = self.rng.randrange(2, 4) if self.features.old_peer else self.rng.randrange(5)
        if kind == 0:
            self.call("addWatch", path_version(path, self.rng.choice([0, 1])), connection)
        elif kind == 1:
            self.call("addWatch", path_version(path, 0), connection)
            self.call("checkWatches", path_version(path, 3), connection)
            self.call("removeWatches", path_version(path, 3), connection)
        elif kind == 2:
            self.call("getData", path_flag(self.some_node().path, True), connection)
        elif kind == 3:
            since = self.rng.choice([0, self.pair.last_zxid, max(0, self.pair.last_zxid - self.rng.randrange(40))])
            lists = [[self.some_node().path, self.fresh()][:self.rng.randrange(3)] for _ in range(3)]
            self.call("setWatches", lambda side: set_watches(self.pair.raw_zxid(side, since), *lists), connection,
                      xid=self.rng.choice([-8, 77]))
        else:
            since = self.rng.choice([0, self.pair.last_zxid])
            lists = [[self.some_node().path][:self.rng.randrange(2)] for _ in range(5)]
            self.call("setWatches2", lambda side: set_watches(self.pair.raw_zxid(side, since), *lists), connection)

    def good_other(self):
        connection = self.any_connection()
        kind = self.rng.randrange(6)
        if kind == 0:
            self.call("sync", buf(self.rng.choice([self.root, "/", "", "nonsense", None])), connection)
        elif kind == 1:
            self.call("ping", b"", connection, xid=self.rng.choice([-2, 5, 0]))
        elif kind == 2:
            self.call("getEphemerals", buf(self.rng.choice(["", "/", self.root, self.root + "/n1", None, " "])), connection)
        elif kind == 3:
            self.call("whoAmI", b"", connection)
        elif kind == 4:
            self.call("auth", auth_packet("digest", self.rng.choice(USERS)), self.main, xid=self.rng.choice([-4, -4, 3]))
        else:
            self.call("getData", path_flag("/zookeeper/config"), connection)

    def good_pipeline(self):
        """Requests sent at once: each must see those before it, though none has been applied yet."""
        path, connection = self.fresh(), self.any_connection()
        choices = [("create", create(path)), ("setData", set_data(path, b"1", 0)), ("create", create(path + "/c")),
                   ("delete", path_version(path)), ("getData", path_flag(path)), ("setData", set_data(path, b"2", 5)),
                   ("delete", path_version(path + "/c")), ("getChildren2", path_flag(path, True)),
                   ("create2", create(path + "/s", b"", OPEN_ACL, 2)), ("exists", path_flag(path, True)),
                   ("ping", b""), ("sync", buf(path)), ("multi", multi([("check", path_version(path, 1))]))]
        picked = [choices[0]] + [self.rng.choice(choices) for _ in range(self.rng.randrange(2, 7))]
        self.pair.pipeline(connection, [(OPCODES[name], body, f"pipelined {name}", connection.next_xid(),
                                         ["check"] if name == "multi" else None) for name, body in picked])
        reply = self.call("exists", path_flag(path))
        if reply.err == 0:
            self.call("setACL", set_acl(path, OPEN_ACL))
