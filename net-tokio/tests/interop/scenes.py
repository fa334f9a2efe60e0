"""What the directed requests are made of: odd values, and scenes of more than one request.

Each scene is a function of a Scenario; producers.py gives it its names.
"""

import base64
import hashlib

from pair import PairConnection
from scenario import USERS
from wire import (ADMIN, ALL, OPEN_ACL, READ, WRITE, auth_packet, buf, create, create_ttl, i32, i64, multi,
                  path_flag, path_version, set_acl, set_data, set_watches)

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
