"""Directed requests: one small function for each way a request can go wrong, or go right in an odd way.

`producers(features)` gives them by name. Each gets a Scenario of its own part of the tree and sends what sets the stage,
then the request it is named after. Kept out on purpose: createTTL of a plain mode with a negative TTL, which ends the
Java server's process.
"""

import types

from scenario import CREATES
from scenes import (astral_text, auth_acl, auth_truncated, BAD_ACLS, bad_length, BAD_TEXTS, closing, create_body,
                    create_session, digest_acl, ephemerals_by_prefix, failing_multi, handshake_cut_short,
                    handshake_oddities, hidden_watch, ip_acl, IP_FORMS, malformed_user, masked_acl, masked_lines,
                    multi_fires, multi_rolls_back, NULL_ACLS, null_and_empty, null_element, null_id_rolls_back,
                    null_watch, odd, one_shot_and_persistent, queued_read, quota, read_all, read_body, READS,
                    reconnect, recursive_watch, sasl_truncated, sequential_collision, sequential_names, super_user,
                    take_over, two_watchers, unknown_opcode, UNKNOWN_OPCODES, unknown_session, unreadable_limits,
                    unreadable_usage, versions_count, watch_replay, watch_then, without, wrong_password)
from wire import (ADMIN, ALL, CREATE, DELETE, EVENT_XID, MULTI_END, OPEN_ACL, READ, WRITE, auth_packet, buf, create,
                  create_ttl, i32, i64, multi, multi_op, path_flag, path_version, reconfig, set_acl, set_data,
                  set_watches)


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
