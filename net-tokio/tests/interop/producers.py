"""Directed requests: one small function for each way a request can go wrong, or go right in an odd way.

`producers(features)` gives them by name. Each gets a Scenario of its own part of the tree and sends what sets the stage,
then the request it is named after. Kept out on purpose: createTTL of a plain mode with a negative TTL, which ends the
Java server's process.
"""

import base64
import hashlib
import types

from pair import PairConnection
from scenario import CREATES, USERS
from wire import (ADMIN, ALL, CREATE, DELETE, EVENT_XID, MULTI_END, OPEN_ACL, READ, WRITE, auth_packet, buf, create,
                  create_ttl, i32, i64, multi, multi_op, path_flag, path_version, reconfig, set_acl, set_data, set_watches)

BAD_COMPONENTS = ["/./x", "/../x", "//x", "/x/", "/.", "/..", "/a\u0001", "/a\u001f", "/a\u007f", "/a\u009f",
                  b"/a\xed\xa0\x80", "/a\ue000", "/a\uf8ff", "/a\ufff0", "/a\uffff", "/a\U0001f600", b"/a\xff", b"/a\xc3"]
BAD_ACLS = [None, [], [(ALL, "world", "nobody")], [(ALL, "nosuch", "x")], [(ALL, "digest", "a:b:c")],
            [(ALL, "digest", "nocolon")], [(ALL, "ip", "300.1.1.1")], [(ALL, "ip", "10.0.0.0/33")], [(ALL, "super", "")],
            [(ALL, None, "x")], [(ALL, "", "")], [(ALL, "auth", "")], [(ALL, "World", "anyone")],
            OPEN_ACL + [(READ, "nosuch", "x")], [(ALL, "sasl", "x")], [(ALL, "auth", None)]]
# Entries that are compared with each other, permissions first: a null of the later one ends that.
NULL_ACLS = [[(ALL, None, "x"), (ALL, None, "x")], OPEN_ACL + [(ALL, None, "x")], [(ALL, None, "x")] + OPEN_ACL,
             OPEN_ACL + [(ALL, "auth", None)], [(ALL, "auth", None), (ALL, "auth", None)], OPEN_ACL + [(READ, None, None)],
             [(ALL, "digest", None), (ALL, "digest", "a:b")], [(ALL, "digest", "a:b"), (ALL, "digest", None)],
             OPEN_ACL + [(ALL, "nosuch", "x"), (ALL, "world", None)], [(ALL, "ip", None)] + OPEN_ACL]
IP_FORMS = ["1.2.3.4/", "01.2.3.4", "+1.2.3.4", "1.2.3", "1.2.3.4/0", "1.2.3.4/33", "1.2.3.4/-1", "1.2.3.4/+8", "::1", "::1/128",
            "::1/129", "::/0", "::ffff:1.2.3.4", "::1.2.3.4", "1:2:3:4:5:6:1.2.3.4", "::ffff:1.2.3.4/96", "1:2:3:4:5:6:7::",
            "1:2:3:4:5:6:7:8:9", "1::2::3", "00001::1", "ABCD::ef", "g::1", ":", "1:", "::1/", "", "localhost"]
# Bytes that are no UTF-8, surrogates among them.
BAD_TEXTS = [b"/\xed\xa0\x80", b"/\xed\xa0\xbd\xed\xb8\x80", b"/\xed\xa0", b"/\xed\xa0x", b"/\xc0\x80", b"/\xe4\xb8", b"/\xe4s",
             b"/\xf5\x80\x80\x80", b"/\xf0\x80\x80\x80", b"/\xf4\x90\x80\x80", b"/\xf0\x9f\x98s", b"/\xf8\x88\x80\x80\x80", b"/\xff\xfe"]
BAD_LIMITS = [None, b"garbage", b"count=x,bytes=1", b"count", b"=", b"count= 5", b"count=,bytes=", b",count=1",
              b"count=99999999999999999999"]
READS = ("exists", "getData", "getChildren", "getChildren2", "getACL", "getAllChildrenNumber")
UNKNOWN_OPCODES = (0, -1, 10, 13, 23, 99, 108, 1000, -12, -2147483648, 2147483647)


def without(permission):
    return [(ALL & ~permission, "world", "anyone")]


def digest_id(credentials):
    user = credentials.split(b":")[0].decode()
    return user + ":" + base64.b64encode(hashlib.sha1(credentials).digest()).decode()


def create_body(op, path, data=b"", acl=OPEN_ACL):
    return create_ttl(path, data, acl) if op == "createTTL" else create(path, data, acl, 4 if op == "createContainer" else 0)


def read_body(op, path, watch=False):
    return buf(path) if op in ("getACL", "getAllChildrenNumber") else path_flag(path, watch)


class Producers:
    """Collects the functions by name."""

    def __init__(self, features):
        self.features, self.found = features, {}
        self.creates = CREATES if features.extended else CREATES[:3]
        for add in (self.create_errors, self.create_modes, self.write_errors, self.read_errors, self.truncations,
                    self.multi_errors, self.multi_oddities, self.multi_reads, self.watches, self.identities, self.sessions,
                    self.frames, self.quotas, self.system_nodes):
            add()

    def add(self, name, function):
        assert name not in self.found, name
        self.found[name] = function

    # Creates.

    def create_errors(self):
        for op in self.creates:
            def call(s, path, op=op, acl=OPEN_ACL, label=None):
                return s.call(op, create_body(op, path, b"d", acl), label=f"{op}/{label}" if label else None)

            def no_auth(s, call=call):
                call(s, s.node(without(CREATE)) + "/x")

            def exists(s, call=call):
                call(s, s.node())

            def ephemeral_parent(s, call=call):
                call(s, s.node(flags=1) + "/x")

            def odd_path(s, call=call):
                call(s, odd(s), label="bad path")

            def null_id(s, call=call):
                call(s, s.fresh(), acl=[(ALL, s.rng.choice(["world", "digest", "ip"]), None)], label="null id")

            self.add(f"{op} no auth", no_auth)
            self.add(f"{op} exists", exists)
            self.add(f"{op} below ephemeral", ephemeral_parent)
            self.add(f"{op} bad path", odd_path)
            self.add(f"{op} bad path again", odd_path)
            self.add(f"{op} null id", null_id)
            self.add(f"{op} no parent", lambda s, call=call: call(s, s.fresh() + "/x"))
            self.add(f"{op} no slash", lambda s, call=call: call(s, s.rng.choice(["x", "", "a/b", "/a\0b", "."])))
            self.add(f"{op} null path", lambda s, call=call: call(s, None, label="null path"))
            self.add(f"{op} root", lambda s, call=call: call(s, s.rng.choice(["/", "/zookeeper", "/zookeeper/quota"])))
            self.add(f"{op} bad acl", lambda s, call=call: call(s, s.fresh(), acl=s.rng.choice(BAD_ACLS), label="bad acl"))
            self.add(f"{op} nulls in acl", lambda s, call=call: call(
                s, s.fresh(), acl=s.rng.choice(NULL_ACLS), label="nulls in acl"))
            self.add(f"{op} bad acl before no parent",
                     lambda s, call=call: call(s, s.fresh() + "/x", acl=s.rng.choice(BAD_ACLS)))
            self.add(f"{op} bad flag", lambda s, op=op: s.call(op, create(s.fresh(), b"", OPEN_ACL, s.rng.choice(
                [7, 99, -1, -2147483648])) + i64(5), label=f"{op}/bad flag"))

    def create_modes(self):
        for op in ("create", "create2"):
            self.add(f"{op} container flag", lambda s, op=op: s.call(op, create(s.fresh(), b"", OPEN_ACL, 4)))
            self.add(f"{op} ttl flag", lambda s, op=op: s.call(op, create(s.fresh(), b"", OPEN_ACL, s.rng.choice([5, 6]))))
        for flag in (0, 1, 2, 3, 5, 6):
            self.add(f"createContainer flag {flag}", lambda s, flag=flag: s.call(
                "createContainer", create(s.fresh(), b"", OPEN_ACL, flag), label=f"createContainer/flag {flag}"))
        for flag in (0, 1, 2, 3, 4):
            self.add(f"createTTL flag {flag}", lambda s, flag=flag: s.call(
                "createTTL", create_ttl(s.fresh(), b"", OPEN_ACL, flag, s.rng.choice([0, 1, 100])),
                label=f"createTTL/flag {flag}"))
        for flag in (5, 6):
            self.add(f"createTTL bad ttl {flag}", lambda s, flag=flag: s.call(
                "createTTL", create_ttl(s.fresh(), b"", OPEN_ACL, flag, s.rng.choice([0, -1, 1 << 40, -1 << 63]))))
            self.add(f"createTTL mode {flag}", lambda s, flag=flag: s.call("createTTL", create_ttl(s.fresh(), b"", flags=flag)))
        self.add("sequential collision", sequential_collision)
        self.add("sequential names", sequential_names)

    # Other writes.

    def write_errors(self):
        def delete_no_auth(s):
            parent = s.node(without(DELETE))
            path = s.rng.choice([s.node(parent=parent), parent + "/missing"])
            s.call("delete", path_version(path))

        def delete_not_empty(s):
            path = s.node()
            s.node(parent=path)
            s.call("delete", path_version(path, s.rng.choice([-1, 0])))

        bad = ["x", "", None, "/a\0", "/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"]
        self.add("delete no auth", delete_no_auth)
        self.add("delete not empty", delete_not_empty)
        self.add("delete bad version", lambda s: s.call("delete", path_version(s.node(), s.rng.choice([1, -2, 2147483647]))))
        self.add("delete missing", lambda s: s.call("delete", path_version(s.fresh() + s.rng.choice(["", "/x", "//", "/."]))))
        self.add("delete bad path", lambda s: s.call("delete", path_version(s.rng.choice(bad))))
        self.add("setData missing", lambda s: s.call("setData", set_data(s.fresh())))
        self.add("setData no auth", lambda s: s.call("setData", set_data(s.node(without(WRITE)), b"x", s.rng.choice([-1, 5]))))
        self.add("setData bad version", lambda s: s.call("setData", set_data(s.node(), b"x", s.rng.choice([1, -2, 7]))))
        self.add("setData bad path", lambda s: s.call("setData", set_data(odd(s), b"x")))
        self.add("setData odd path", lambda s: s.call("setData", set_data(s.rng.choice([None, "", "x", "/a/", "/a\0"]))))
        self.add("setACL missing", lambda s: s.call("setACL", set_acl(s.fresh())))
        self.add("setACL no auth", lambda s: s.call("setACL", set_acl(s.node(without(ADMIN)), OPEN_ACL, s.rng.choice([-1, 5]))))
        self.add("setACL bad version", lambda s: s.call("setACL", set_acl(s.node(), OPEN_ACL, s.rng.choice([1, -2, 7]))))
        self.add("setACL bad path", lambda s: s.call("setACL", set_acl(odd(s))))
        self.add("setACL odd path", lambda s: s.call("setACL", set_acl(s.rng.choice([None, "", "x", "/a/"]))))
        self.add("setACL bad acl", lambda s: s.call("setACL", set_acl(
            s.rng.choice([s.fresh(), s.node()]), s.rng.choice(BAD_ACLS)), label="setACL/bad acl"))
        self.add("setACL null id", lambda s: s.call("setACL", set_acl(s.node(), [(ALL, "digest", None)])))
        self.add("versions count", versions_count)
        self.add("null and empty data", null_and_empty)
        self.add("reconfig", lambda s: s.call("reconfig", reconfig(*s.rng.choice(
            [("server.2=h:1:2;3", None, None), (None, "1", None), (None, None, "server.1=h:1:2;3"), (None, None, None)]))))
        self.add("deleteContainer from a client", lambda s: s.call("deleteContainer", buf(s.rng.choice(
            [s.fresh(), s.node(), s.node(flags=1)])), label="deleteContainer/from a client"))

    # Reads.

    def read_errors(self):
        for op in READS:
            self.add(f"{op} missing", lambda s, op=op: s.call(op, read_body(op, s.fresh(), True)))
            self.add(f"{op} odd path", lambda s, op=op: s.call(op, read_body(op, odd(s))))
            self.add(f"{op} odd path again", lambda s, op=op: s.call(op, read_body(op, s.rng.choice(["x", "/a/", "//"]))))
            self.add(f"{op} empty path", lambda s, op=op: s.call(op, read_body(op, ""), label=f"{op}/empty path"))
            self.add(f"{op} NUL", lambda s, op=op: s.call(op, read_body(op, "/a\0b")))
            self.add(f"{op} null path", lambda s, op=op: s.call(op, read_body(op, None), label=f"{op}/null path"))
            closed = READ | ADMIN if op == "getACL" else READ
            self.add(f"{op} no auth", lambda s, op=op, closed=closed: s.call(
                op, read_body(op, s.node(without(closed)), True), label=f"{op}/no auth"))
            self.add(f"{op} bits", lambda s, op=op: s.call(op, read_body(op, s.node([(s.rng.choice(
                [READ, WRITE, CREATE, DELETE, ADMIN, 0, 32 | READ]), "world", "anyone")])), label=f"{op}/bits"))

    def truncations(self):
        """Every request cut short somewhere in its body."""
        def bodies(s):
            path = s.root
            return {
                "create": create(path), "create2": create(path), "createContainer": create(path, flags=4),
                "createTTL": create_ttl(path), "delete": path_version(path), "exists": path_flag(path),
                "getData": path_flag(path), "setData": set_data(path, b"xy"), "getACL": buf(path), "setACL": set_acl(path),
                "getChildren": path_flag(path), "getChildren2": path_flag(path), "sync": buf(path),
                "reconfig": reconfig("a", "b", "c"), "checkWatches": path_version(path, 1),
                "removeWatches": path_version(path, 1), "multi": multi([("check", path_version(path))]),
                "multiRead": multi([("getData", path_flag(path))]), "setWatches": set_watches(0, [], [], []),
                "setWatches2": set_watches(0, [], [], [], [], []), "getEphemerals": buf(path),
                "getAllChildrenNumber": buf(path), "addWatch": path_version(path, 0), "deleteContainer": buf(path),
            }
        for op in bodies(types.SimpleNamespace(root="/")):
            self.add(f"{op} truncated", lambda s, op=op: s.call(
                op, bodies(s)[op][:s.rng.randrange(len(bodies(s)[op]))], label=f"{op}/truncated"))
            self.add(f"{op} bad length", lambda s, op=op: s.call(
                op, bad_length(s, op, bodies(s)[op]), label=f"{op}/bad length"))

    # Multi.

    def multi_errors(self):
        failing = {
            "create": lambda s: create(s.root),
            "create2": lambda s: create(s.fresh() + "/x"),
            "createContainer": lambda s: create(s.node(without(CREATE)) + "/x", flags=4),
            "delete": lambda s: path_version(s.fresh()),
            "setData": lambda s: set_data(s.root, b"", 99),
            "check": lambda s: path_version(s.root, 99),
        }
        if self.features.extended:
            failing["createTTL"] = lambda s: create_ttl(s.root)
        for op, body in failing.items():
            for position in range(4):
                self.add(f"multi {op} fails at {position}",
                         lambda s, op=op, body=body, position=position: failing_multi(s, op, body(s), position))
        for op in self.creates:
            for code, body in self.create_failures(op).items():
                self.add(f"multi {op} {code}", lambda s, op=op, body=body: failing_multi(s, op, body(s), s.rng.randrange(3)))
        others = {
            "delete -8": lambda s: path_version(s.rng.choice(["/", "/zookeeper", "x"])),
            "delete -101": lambda s: path_version(s.fresh()),
            "delete -102": lambda s: path_version(s.node(parent=s.node(without(DELETE)))),
            "delete -103": lambda s: path_version(s.node(), 9),
            "delete -111": lambda s: path_version(s.root),
            "setData -8": lambda s: set_data(odd(s)),
            "setData -101": lambda s: set_data(s.fresh()),
            "setData -102": lambda s: set_data(s.node(without(WRITE))),
            "setData -103": lambda s: set_data(s.node(), b"", 3),
            "check -8": lambda s: path_version(odd(s)),
            "check -101": lambda s: path_version(s.fresh()),
            "check -102": lambda s: path_version(s.node(without(READ))),
            "check -103": lambda s: path_version(s.node(), 3),
        }
        for name, body in others.items():
            self.add(f"multi {name}", lambda s, op=name.split()[0], body=body: failing_multi(s, op, body(s), s.rng.randrange(3)))

    @staticmethod
    def create_failures(op):
        return {
            "-8": lambda s: create_body(op, odd(s)),
            # Some odd paths have no parent, so that another code wins: a certain one beside them.
            "-8 for sure": lambda s: create_body(op, s.root + "/."),
            "-101": lambda s: create_body(op, s.fresh() + "/x"),
            "-102": lambda s: create_body(op, s.node(without(CREATE)) + "/x"),
            "-108": lambda s: create_body(op, s.node(flags=1) + "/x"),
            "-110": lambda s: create_body(op, s.node()),
            "-114": lambda s: create_body(op, s.fresh(), acl=[(ALL, "nosuch", "x")]),
        }

    def multi_oddities(self):
        """Multis that can't be decoded, and those that are odd but fine."""
        def send(label, make, operations=None):
            def produce(s):
                s.call("multi", make(s), label=f"multi/{label}", operations=operations)
            self.add(f"multi {label}", produce)

        send("unknown type", lambda s: multi([("check", path_version(s.root)), (s.rng.choice([3, 6, 7, 16, 99, 0, -2]), b"")]))
        send("read inside", lambda s: multi([("getData", path_flag(s.root))]))
        send("mixed kinds", lambda s: multi([("check", path_version(s.root)), ("getData", path_flag(s.root))]))
        send("no terminator", lambda s: multi_op("check", path_version(s.root)))
        send("ttl flag", lambda s: multi([("create", create(s.fresh(), flags=5))]))
        send("bad flag", lambda s: multi([("create", create(s.fresh())), ("create2", create(s.fresh(), flags=77))]))
        send("null acl", lambda s: multi([("create", create(s.fresh(), acl=None))]))
        send("empty acl", lambda s: multi([("create", create(s.fresh(), acl=[]))]))
        send("null path", lambda s: multi([("check", path_version(s.root)), ("delete", path_version(None))]))
        send("null id", lambda s: multi([("create", create(s.fresh())), ("create2", create(
            s.fresh(), acl=[(ALL, s.rng.choice(["world", "digest", "ip"]), None)]))]))
        send("null id behind a failure", lambda s: multi([("check", path_version(s.fresh())), ("create", create(
            s.fresh(), acl=[(ALL, "digest", None)]))]), ["check", "create"])
        self.add("multi null id, then its first node", null_id_rolls_back)
        send("after terminator", lambda s: multi([("create", create(s.fresh()))]) + multi_op("check", path_version("/no")))
        send("leading terminator", lambda s: MULTI_END + multi([("check", path_version("/no"))]))
        send("odd header fields", lambda s: i32(13) + b"\0" + i32(55) + path_version(s.root) + i32(77) + b"\1" + i32(3))
        send("container flag", lambda s: multi([("create", create(s.fresh(), flags=4)), ("create2", create(s.fresh(), flags=4))]))
        send("container op, plain flag", lambda s: multi([("createContainer", create(s.fresh(), flags=0))]))
        if self.features.extended:
            send("ttl op, plain flag", lambda s: multi([("createTTL", create_ttl(s.fresh(), flags=s.rng.choice([0, 2, 4]), ttl=5))]))
            send("ttl op, bad flag", lambda s: multi([("createTTL", create_ttl(s.fresh(), flags=77))]), ["createTTL"])
            send("ttl op, bad ttl", lambda s: multi([("createTTL", create_ttl(s.fresh(), ttl=0))]), ["createTTL"])
            send("ttl", lambda s: multi([("createTTL", create_ttl(s.fresh())), ("createTTL", create_ttl(s.fresh(), flags=6))]))
        else:
            send("ttl off", lambda s: multi([("create", create(s.fresh())), ("createTTL", create_ttl(s.fresh()))]),
                 ["create", "createTTL"])
        self.add("multi rolls back counters", multi_rolls_back)
        self.add("multi fires watches", multi_fires)

    def multi_reads(self):
        def send(label, make, op="getData"):
            self.add(f"multiRead {label}", lambda s: s.call("multiRead", make(s), label=f"multiRead/{label}",
                                                            operations=[op] + ["getData"] * 2))
        for op in ("getData", "getChildren"):
            send(f"{op} missing", lambda s, op=op: multi([(op, path_flag(s.fresh())), ("getData", path_flag(s.root))]), op)
            send(f"{op} no auth", lambda s, op=op: multi([(op, path_flag(s.node(without(READ)))), (op, path_flag(s.root))]), op)
            send(f"{op} later", lambda s, op=op: multi([("getData", path_flag(s.root)), (op, path_flag(s.fresh()))]))
            send(f"{op} empty path", lambda s, op=op: multi([(op, path_flag(""))]))
            send(f"{op} null path", lambda s, op=op: multi([(op, path_flag(None))]))
        send("of writes", lambda s: multi([("create", create(s.fresh()))]))
        send("mixed kinds", lambda s: multi([("getData", path_flag(s.root)), ("create", create(s.fresh()))]))
        send("empty", lambda s: MULTI_END)
        send("unknown type", lambda s: multi([("exists", path_flag(s.root))]))

    # Watches.

    def watches(self):
        for kind in (1, 2, 3, 4, 5):
            for op in ("checkWatches", "removeWatches"):
                self.add(f"{op} {kind} none", lambda s, op=op, kind=kind: s.call(
                    op, path_version(s.rng.choice([s.fresh(), s.node()]), kind), label=f"{op}/type {kind}"))
                self.add(f"{op} {kind} some", lambda s, op=op, kind=kind: watch_then(s, op, kind))
        for op in ("checkWatches", "removeWatches"):
            self.add(f"{op} bad type", lambda s, op=op: s.call(op, path_version(s.root, s.rng.choice([0, 6, -1, 99]))))
            self.add(f"{op} null path", lambda s, op=op: s.call(op, path_version(None, s.rng.choice([1, 2, 3]))))
        self.add("addWatch bad mode", lambda s: s.call("addWatch", path_version(s.root, s.rng.choice([2, -1, 99]))))
        self.add("addWatch odd path", lambda s: s.call("addWatch", path_version(s.rng.choice([None, "", "x", "/a/", "//"]), 0)))
        self.add("setWatches null list", lambda s: s.call("setWatches", set_watches(0, [], None, [])))
        self.add("setWatches2 null list", lambda s: s.call("setWatches2", set_watches(0, [], [], [], None, [])))
        for op in ("setWatches", "setWatches2"):
            for place in range(3):
                self.add(f"{op} null element {place}", lambda s, op=op, place=place: null_element(s, op, place))
        self.add("addWatch null path", lambda s: null_watch(s, lambda connection: s.call(
            "addWatch", path_version(None, s.rng.choice([0, 1])), connection)))
        self.add("setWatches2 null persistent", lambda s: null_watch(s, lambda connection: s.call(
            "setWatches2", s.rng.choice([set_watches(0, [], [], [], [None], []), set_watches(0, [], [], [], [], [None])]), connection)))
        self.add("watch replay", watch_replay)
        self.add("recursive watch", recursive_watch)
        self.add("watch hidden by an ACL", hidden_watch)
        self.add("watches of two clients", two_watchers)
        self.add("one-shot and persistent", one_shot_and_persistent)

    # Identities.

    def identities(self):
        def packet(label, scheme, credentials):
            def produce(s):
                connection = s.connection()
                reply = s.call("auth", auth_packet(scheme, credentials), connection, xid=s.rng.choice([-4, 9]),
                               label=f"auth/{label}")
                if reply.err == -115:
                    s.retire(connection)
            self.add(f"auth {label}", produce)

        for scheme in (None, "", "world", "auth", "super", "DIGEST", "nosuch", "sasl"):
            packet(f"scheme {scheme}", scheme, b"a:b")
        packet("x509", "x509", b"CN=x")
        packet("null credentials", "digest", None)
        packet("ip", "ip", b"1.2.3.4")
        packet("no colon", "digest", b"justme")
        packet("empty", "digest", b"")
        self.add("auth truncated", auth_truncated)
        self.add("sasl truncated", sasl_truncated)
        self.add("sasl", lambda s: s.call("sasl", buf(s.rng.choice([b"", b"token", b"\0" * 40]))))
        self.add("auth acl", auth_acl)
        self.add("digest acl", digest_acl)
        self.add("ip acl", ip_acl)
        self.add("ip acl forms", lambda s: s.call("create", create(s.fresh(), acl=[(ALL, "ip", s.rng.choice(IP_FORMS))])))
        self.add("ip acl with an IPv4 address in an IPv6 one", lambda s: s.call("create", create(
            s.fresh(), acl=[(ALL, "ip", s.rng.choice([form for form in IP_FORMS if "." in form and ":" in form]))])))
        self.add("queued read", queued_read)
        self.add("acl masked line by line", masked_lines)
        self.add("malformed text", lambda s: s.call("sync", buf(s.rng.choice(BAD_TEXTS)), label="sync/malformed text"))
        self.add("malformed user", malformed_user)
        self.add("astral text", astral_text)
        self.add("ephemerals by prefix", ephemerals_by_prefix)
        self.add("acl masked for readers", masked_acl)
        self.add("super", super_user)

    # Sessions and frames.

    def sessions(self):
        self.add("reconnect", reconnect)
        self.add("reconnect with a wrong password", wrong_password)
        self.add("unknown session", unknown_session)
        self.add("take over", take_over)
        self.add("handshake oddities", handshake_oddities)
        self.add("future zxid", lambda s: s.pair.connect("connect/future zxid", last_zxid=s.pair.last_zxid + 1_000_000))
        self.add("closing drops ephemerals", closing)
        self.add("createSession from a client", create_session)
        for code in UNKNOWN_OPCODES:
            self.add(f"opcode {code}", lambda s, code=code: unknown_opcode(s, code))

    def frames(self):
        def raw(label, data):
            def produce(s):
                connection = s.connection()
                s.pair.raw_bytes(connection, data, f"frame/{label}")
                s.retire(connection)
            self.add(f"frame {label}", produce)
        raw("negative length", i32(-1) + b"xxxx")
        raw("too long", i32(0x100000) + b"x" * 100)
        raw("empty", i32(0))
        raw("half a header", i32(5) + b"\0\0\0\1\0")
        for xid in (0, -100, -8, -4, 2147483647, -2147483648):
            self.add(f"xid {xid}", lambda s, xid=xid: s.call("getData", path_flag(s.root), xid=xid))
        assert EVENT_XID == -1  # A reply with that xid would look like an event, so it is not asked for.
        self.add("handshake cut short", handshake_cut_short)

    # Quotas and what servers keep for themselves.

    def quotas(self):
        for kind in ("count", "byte"):
            self.add(f"{kind} quota", lambda s, kind=kind: quota(s, kind, self.features.quota, self.creates))

        self.add("unreadable usage", unreadable_usage)
        self.add("unreadable limits", lambda s: unreadable_limits(s, self.creates))

    def system_nodes(self):
        for path in ("/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"):
            self.add(f"reads of {path}", lambda s, path=path: read_all(s, path))


def producers(features):
    """All directed requests for servers configured so, by name."""
    return Producers(features).found


def odd(s):
    """A path below an existing node that the full validation refuses."""
    tail = s.rng.choice(BAD_COMPONENTS)
    return s.root.encode() + tail if isinstance(tail, bytes) else s.root + tail


def bad_length(s, op, body):
    """The body with its first length field made impossible."""
    at = {"setWatches": 8, "setWatches2": 8, "multi": 9, "multiRead": 9}.get(op, 0)
    wrong = s.rng.choice([-2, -100, 0x7FFFFFFF, 3_000_000, len(body) + 1])
    return body[:at] + i32(wrong) + body[at + 4:]


def failing_multi(s, op, body, position):
    """A multi whose operation `position` fails, with good ones around it."""
    good = [("create", create(s.fresh())), ("check", path_version(s.root)), ("setData", set_data(s.root, b"m")),
            ("create2", create(s.root + "/q-", flags=2))]
    operations = good[:position] + [(op, body)] + good[position:][:s.rng.randrange(3)]
    s.call("multi", multi(operations), operations=[name for name, _ in operations])
    s.call("exists", path_flag(s.root))


def null_id_rolls_back(s):
    """What fails the whole multi leaves nothing of it. Java sees that once the error is applied, and not in a pipeline."""
    path = s.fresh()
    s.call("multi", multi([("create", create(path)), ("create", create(s.fresh(), acl=[(ALL, "digest", None)]))]))
    s.call("create", create(path))
    s.call("getData", path_flag(path))


def multi_rolls_back(s):
    path = s.node()
    s.call("multi", multi([("create", create(path + "/s-", flags=2)), ("create", create(path + "/s-", flags=2)),
                           ("delete", path_version(path + "/none"))]), operations=["create", "create", "delete"])
    s.call("create", create(path + "/s-", flags=2))
    s.call("getChildren2", path_flag(path))


def multi_fires(s):
    other, path = s.connection(), s.node()
    s.call("addWatch", path_version(path, s.rng.choice([0, 1])), other)
    s.call("getData", path_flag(path, True), other)
    s.call("multi", multi([("setData", set_data(path, b"1")), ("create", create(path + "/a")), ("delete", path_version(path + "/a")),
                           ("setData", set_data(path, b"2")), ("delete", path_version(path)), ("create", create(path))]),
           operations=["setData", "create", "delete", "setData", "delete", "create"])
    s.call("ping", b"", other, xid=-2)


def sequential_collision(s):
    path = s.node()
    s.call("create", create(path + "/s0000000001"))
    s.call("create", create(path + "/s", flags=2))
    s.call("create", create(path + "/s", flags=2))
    s.call("create", create(path + "/other"))
    s.call("create", create(path + "/s", flags=2))


def sequential_names(s):
    path = s.node()
    for name in ("/", "/.", "/%s", "/ü", "//", "/a/", "/..", "/\u0001"):
        s.call(s.rng.choice(["create", "create2"]), create(path + name, b"", OPEN_ACL, s.rng.choice([2, 3])))


def versions_count(s):
    path = s.node()
    for version in range(3):
        s.call("setData", set_data(path, b"x" * version, version))
        s.call("setACL", set_acl(path, OPEN_ACL, version))
    s.call("getData", path_flag(path))
    s.call("delete", path_version(path, 3))


def null_and_empty(s):
    path = s.node(data=s.rng.choice([None, b""]))
    s.call("getData", path_flag(path))
    s.call("setData", set_data(path, s.rng.choice([None, b""])))
    s.call("getData", path_flag(path))


def register(s, connection, path, kind):
    """A watch of one of five kinds."""
    {
        1: lambda: s.call("getChildren", path_flag(path, True), connection),
        2: lambda: s.call("getData", path_flag(path, True), connection),
        3: lambda: s.call("exists", path_flag(path, True), connection),
        4: lambda: s.call("addWatch", path_version(path, 0), connection),
        5: lambda: s.call("addWatch", path_version(path, 1), connection),
    }[kind]()


def watch_then(s, op, kind):
    """Registers some watches, then checks or removes one kind, and shows which are left."""
    path = s.node()
    for registered in s.rng.sample([1, 2, 3, 4, 5], s.rng.randrange(1, 4)) + [kind]:
        register(s, s.main, path, registered)
    s.call(op, path_version(path, kind), label=f"{op}/type {kind} with watches")
    s.call("setData", set_data(path, b"1"))
    s.call("create", create(path + "/c"))
    s.call("delete", path_version(path + "/c"))
    s.call("delete", path_version(path))


def watch_replay(s):
    """Watches registered again with an old zxid, after changes of each kind."""
    kept, changed, gone, parent, born = s.node(), s.node(), s.node(), s.node(), s.fresh()
    since = s.pair.last_zxid
    s.call("setData", set_data(changed, b"new"))
    s.call("delete", path_version(gone))
    s.call("create", create(parent + "/child"))
    s.call("create", create(born))
    every = [kept, changed, gone, parent, born]
    again = s.connection()
    lists = [s.rng.sample(every, s.rng.randrange(6)) for _ in range(5)]
    op = s.rng.choice(["setWatches", "setWatches2"])
    lists = lists[:3] if op == "setWatches" else lists
    zxid = s.rng.choice([since, since, 0, s.pair.last_zxid, -1])
    s.call(op, lambda side: set_watches(s.pair.raw_zxid(side, zxid), *lists), again, xid=s.rng.choice([-8, 4]))
    for path in (kept, changed, parent):
        s.call("setData", set_data(path, b"again"))
        s.call("create", create(path + "/again"))
    s.call("ping", b"", again, xid=-2)


def null_element(s, op, place):
    """A null ends the request where it stands: what precedes it is done."""
    connection, path = s.connection(), s.node()
    lists = [[path] if s.rng.random() < 0.5 else [] for _ in range(3 if op == "setWatches" else 5)]
    lists[place] = lists[place] + [None] + s.rng.choice([[], [path]])
    since = s.rng.choice([0, s.pair.last_zxid])
    s.call(op, lambda side: set_watches(s.pair.raw_zxid(side, since), *lists), connection, label=f"{op}/null element")
    s.call("checkWatches", path_version(path, s.rng.choice([1, 2])), connection)


def null_watch(s, register_it):
    connection = s.connection()
    register_it(connection)
    op = s.rng.choice(["checkWatches", "removeWatches"])
    s.call(op, path_version(None, 3), connection, label=f"{op}/null watch")


def recursive_watch(s):
    path, other = s.node(), s.connection()
    s.call("addWatch", path_version(path, 1), other, label="addWatch/recursive")
    if s.rng.random() < 0.5:
        s.call("getChildren", path_flag(path, True), other)
    child = s.node(parent=path)
    s.call("setData", set_data(child, b"1"))
    grandchild = s.node(parent=child)
    s.call("setACL", set_acl(child, OPEN_ACL))
    s.call("delete", path_version(grandchild))
    s.call("delete", path_version(child))
    s.call("ping", b"", other, xid=-2)
    s.call("removeWatches", path_version(path, 3), other)
    s.call("delete", path_version(path))
    s.call("ping", b"", other, xid=-2)


def hidden_watch(s):
    """A watch fires only for who may read the node; a one-shot one is used up all the same."""
    path, other = s.node(), s.connection()
    register(s, other, path, s.rng.choice([1, 2, 4, 5]))
    s.call("setACL", set_acl(path, without(READ)))
    s.call("setData", set_data(path, b"hidden"))
    s.call("create", create(path + "/c"))
    s.call("ping", b"", other, xid=-2)
    s.call("setACL", set_acl(path, OPEN_ACL))
    s.call("setData", set_data(path, b"shown"))
    s.call("delete", path_version(path + "/c"))
    s.call("ping", b"", other, xid=-2)


def two_watchers(s):
    path, one, two = s.node(), s.connection(), s.connection()
    for connection in (one, two, s.main):
        for kind in s.rng.sample([1, 2, 3, 4, 5], 2):
            register(s, connection, path, kind)
    child = s.node(parent=path, flags=1, connection=two)
    s.call("setData", set_data(child, b"x"), one)
    s.close(two)
    s.call("ping", b"", one, xid=-2)
    s.call("ping", b"", xid=-2)


def one_shot_and_persistent(s):
    path = s.node()
    s.call("addWatch", path_version(path, s.rng.choice([0, 1])), label="addWatch/before one-shot")
    register(s, s.main, path, s.rng.choice([1, 2]))
    for value in (b"1", b"2"):
        s.call("setData", set_data(path, value))
        s.call("create", create(path + "/" + value.decode()))


def auth_truncated(s):
    connection = s.connection()
    body = auth_packet("digest", b"a:b")
    s.call("auth", body[:s.rng.randrange(len(body))], connection, xid=-4, label="auth/truncated", closes=True)
    s.retire(connection)


def sasl_truncated(s):
    connection = s.connection()
    body = buf(b"token")
    s.call("sasl", body[:s.rng.randrange(len(body))], connection, label="sasl/truncated", closes=True)
    s.retire(connection)


def queued_read(s):
    """A read that waits behind a write is judged by who its client was when it asked."""
    owner = s.connection()
    s.call("auth", auth_packet("digest", b"queued:read"), owner, xid=-4)
    secret, open_one = s.node([(ALL, "auth", "")], data=b"S", connection=owner), s.node()
    connection = s.connection()
    op, body = s.rng.choice([(op, read_body(op, secret)) for op in READS] + [
        ("multiRead", multi([("getData", path_flag(secret)), ("getChildren", path_flag(secret))])), ("whoAmI", b"")])
    s.pair.overtaken(connection, [("setData", set_data(open_one, b"x" * 500), connection.next_xid()),
                                  (op, body, connection.next_xid()),
                                  ("auth", auth_packet("digest", b"queued:read"), -4)], f"{op}/queued")
    s.call("getData", path_flag(secret), connection)


def masked_lines(s):
    entries = [(READ, "world", "anyone")] + [(ALL, "digest", text) for text in
                                             ("a:b\nc", "a:b\r\nc", "a\n:b", "a:b\u0085c", "a:b\u2028c", "a:b\fc")]
    s.call("getACL", buf(s.node(entries)))


def malformed_user(s):
    connection = s.connection()
    s.call("auth", auth_packet("digest", b"u\xed\xa0\x80:p"), connection, xid=-4)
    s.call("whoAmI", b"", connection)


def astral_text(s):
    """Java writes what lies beyond the basic plane as two surrogates of three bytes each."""
    connection = s.connection()
    s.call("auth", auth_packet("digest", "\U0001f600:p".encode()), connection, xid=-4)
    path = s.node([(ALL, "digest", "\U0001f600:x"), (READ, "world", "anyone")])
    op, body = s.rng.choice([("whoAmI", b""), ("sync", buf("/\U0001f600")), ("getACL", buf(path))])
    s.call(op, body, connection, label=f"{op}/astral")


def ephemerals_by_prefix(s):
    connection = s.connection()
    path = s.node(flags=1, connection=connection)
    s.node(flags=1, connection=connection, path=path + "2")
    for prefix in s.rng.sample([" / ", "/ ", "\x01", " ", "\u00a0", "\u2003", path, path + " ", " " + path, path + "/", "//"], 4):
        s.call("getEphemerals", buf(prefix), connection)


def auth_acl(s):
    """The scheme `auth` stands for the identities of who creates the node."""
    connection, user = s.connection(), s.rng.choice(USERS)
    s.call("auth", auth_packet("digest", user), connection, xid=-4)
    path = s.node([(ALL, "auth", s.rng.choice(["", "ignored", None]) if s.rng.random() < 0.5 else "")], connection=connection)
    s.call("getACL", buf(path), connection)
    s.call("getData", path_flag(path), connection)
    s.call("getData", path_flag(path), s.connection())
    s.call("setACL", set_acl(path, [(ALL, "auth", "")]), connection)
    s.call("setData", set_data(path, b"x"), connection)


def digest_acl(s):
    user, connection = s.rng.choice(USERS), s.connection()
    path = s.node([(s.rng.choice([ALL, READ, ADMIN]), "digest", digest_id(user))])
    s.call("getData", path_flag(path), connection)
    s.call("auth", auth_packet("digest", user), connection, xid=-4)
    s.call("getData", path_flag(path), connection)
    s.call("getACL", buf(path), connection)
    s.call("whoAmI", b"", connection)


def ip_acl(s):
    for address in s.rng.sample(["127.0.0.1", "127.0.0.0/8", "10.0.0.0/8", "0.0.0.0/0", "127.0.0.1/32", "128.0.0.0/1"], 3):
        path = s.node([(ALL, "ip", address)])
        s.call("getData", path_flag(path))
        s.call("create", create(path + "/x"))


def masked_acl(s):
    entries = [(READ, "world", "anyone"), (ALL, "digest", digest_id(USERS[0])), (READ, "digest", ":b"), (WRITE, "ip", "1.2.3.4")]
    path = s.node(entries)
    s.call("getACL", buf(path))
    connection = s.connection()
    s.call("auth", auth_packet("digest", USERS[0]), connection, xid=-4)
    s.call("getACL", buf(path), connection)


def super_user(s):
    connection = s.connection()
    path = s.node([(0, "world", "anyone")])
    s.call("getData", path_flag(path), connection)
    s.call("auth", auth_packet("digest", b"super:test"), connection, xid=-4)
    s.call("whoAmI", b"", connection)
    s.call("getData", path_flag(path), connection)
    s.call("getACL", buf(path), connection)
    s.call("setACL", set_acl(path, [(ALL, "auth", "")]), connection)
    s.call("getACL", buf(path), connection)


def reconnect(s):
    """The same session on a new connection: ephemerals stay, watches and identities don't."""
    connection = s.connection()
    path = s.node(flags=1, connection=connection)
    s.call("getData", path_flag(path, True), connection)
    connection.drop()
    s.connections.remove(connection)
    again = s.connection(session=connection, last_zxid=s.rng.choice([0, s.pair.last_zxid]))
    s.call("getEphemerals", buf(""), again)
    s.call("setData", set_data(path, b"x"))
    s.call("ping", b"", again, xid=-2)
    s.close(again)
    s.call("exists", path_flag(path))


def wrong_password(s):
    connection = s.connection()
    path = s.node(flags=1, connection=connection)
    connection.drop()
    s.connections.remove(connection)
    s.pair.connect("connect/wrong password", session=connection,
                   wrong_password=s.rng.choice([b"", b"\0" * 16, b"x" * 15, b"y" * 40]))
    again = s.connection(session=connection)
    s.call("exists", path_flag(path))
    s.close(again)


def unknown_session(s):
    s.pair.connect("connect/unknown session", password=s.rng.choice([b"\1" * 16, b"", None]),
                   read_only=s.rng.choice([True, False, None]),
                   session_id=s.rng.choice([1, -1, 0x0100_0000_0000_0001, 0x7FFF_FFFF_FFFF_FFFF]))


def take_over(s):
    """A second connection of a session ends the first."""
    connection = s.connection()
    again = s.connection(session=connection)
    s.pair.raw_bytes(connection, b"", "frame/taken over")
    connection.drop()
    s.connections.remove(connection)
    s.call("ping", b"", again, xid=-2)


def handshake_oddities(s):
    connection = s.pair.connect("connect/odd", password=s.rng.choice([None, b"", b"12345678", b"z" * 64]),
                                timeout_ms=s.rng.choice([0, -1, 1, 5000, 2147483647, -2147483648]),
                                last_zxid=s.rng.choice([0, -5, s.pair.last_zxid]), read_only=s.rng.choice([True, False, None]))
    if connection:
        s.connections.append(connection)
        s.call("ping", b"", connection, xid=-2)


def closing(s):
    connection = s.connection()
    parent = s.node()
    paths = [s.node(flags=1, connection=connection, parent=parent) for _ in range(s.rng.randrange(1, 5))]
    for path in paths:
        register(s, s.main, path, s.rng.choice([2, 3]))
    register(s, s.main, parent, s.rng.choice([4, 5]))
    register(s, connection, paths[0], 2)
    s.close(connection)
    s.call("getChildren2", path_flag(parent))


def create_session(s):
    connection = s.connection()
    s.call("createSession", i32(10_000), connection, label="createSession/from a client")


def unknown_opcode(s, code):
    connection = s.connection()
    body = path_version(s.root) if code == 13 else b""
    s.call(code, body, connection, label="check/bare" if code == 13 else f"unknown/{code}", closes=True)
    s.retire(connection)


def handshake_cut_short(s):
    connection = PairConnection(s.pair)
    connection.open()
    body = s.rng.choice([b"", b"\0" * 20, i32(0) + i64(0) + i32(1000) + i64(0), i32(0) + i64(0) + i32(1000) + i64(0) + i32(-2)])
    s.pair.raw_bytes(connection, i32(len(body)) + body, "frame/handshake cut short")
    connection.drop()


def quota(s, kind, enforced, creates):
    """A hard limit, reached by creates, by setData and inside multis; then lifted."""
    limits = "/zookeeper/quota" + s.root
    s.call("create", create(limits))
    hard = "count=-1,bytes=-1=;byteHardLimit=20;countHardLimit=-1" if kind == "byte" else \
        "count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=3"
    used = s.node(data=b"12345")
    s.call("create", create(limits + "/zookeeper_limits", hard.encode()))
    s.call("create", create(limits + "/zookeeper_stats", b"count=0,bytes=0"))
    s.call("getData", path_flag(limits + "/zookeeper_stats"))
    if kind == "count":
        s.node(data=b"")
    big = b"x" * 30
    for op in creates:
        s.call(op, create_body(op, s.fresh(), big), label=f"{op}/over quota")
        s.call("multi", multi([(op, create_body(op, s.fresh(), big))]), operations=[op], label=f"multi/{op} over quota")
    s.call("setData", set_data(used, big, s.rng.choice([-1, 0, 9])), label="setData/over quota")
    s.call("multi", multi([("check", path_version(s.root)), ("setData", set_data(used, big))]),
           operations=["check", "setData"])
    s.call("getData", path_flag(limits + "/zookeeper_stats"))
    for path in ("/zookeeper_limits", "/zookeeper_stats", ""):
        s.call("delete", path_version(limits + path))
    s.call("setData", set_data(used, big))
    assert enforced in (True, False)


def unreadable_usage(s):
    """Without limits beside it, since usage that can't be parsed ends Java's server with the next change it counts."""
    stats = "/zookeeper/quota" + s.root
    s.call("create", create(stats))
    s.call("create", create(stats + "/zookeeper_stats", b"garbage"))
    s.call("getData", path_flag(stats + "/zookeeper_stats"))
    s.call("setData", set_data(stats + "/zookeeper_stats", b"count=3,bytes=4"))
    s.call("setData", set_data(stats + "/zookeeper_stats", s.rng.choice(BAD_LIMITS)), label="setData/unreadable usage")


def unreadable_limits(s, creates):
    """Limits that can't be parsed fail what they govern, where quotas are enforced."""
    limits = "/zookeeper/quota" + s.root
    s.call("create", create(limits))
    used = s.node(data=b"12345")
    s.call("create", create(limits + "/zookeeper_limits", s.rng.choice(BAD_LIMITS)))
    s.call("create", create(limits + "/zookeeper_stats"))
    op = s.rng.choice(creates)
    path = s.fresh()
    s.call(op, create_body(op, path), label="create/unreadable quota")
    s.call("setData", set_data(used, s.rng.choice([b"", b"54321"])), label="setData/unreadable quota")
    s.call("multi", multi([("check", path_version(used)), ("setData", set_data(used, b"x"))]), label="multi/unreadable quota")
    for leaf in ("/zookeeper_limits", "/zookeeper_stats", ""):
        s.call("delete", path_version(limits + leaf))
    s.call("setData", set_data(used, b"done"))


def read_all(s, path):
    for op in READS:
        s.call(op, read_body(op, path))
