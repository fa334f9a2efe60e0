"""A plain client of one server, a way to fill a tree with every kind of txn, and a way to write a whole tree down."""

import struct

from wire import (ALL, Closed, EVENT_XID, OPCODES, OPEN_ACL, PING_XID, RawConnection, READ, Silence, auth_packet, buf,
                  connect_request, create, create_ttl, i32, multi, path_flag, path_version, set_acl, set_data)

REPLY_TIMEOUT_S = 10
Trouble = (Closed, Silence)
SUPER = auth_packet("digest", b"super:test")
SESSION_TIMEOUT_MS = 40_000
NO_NODE = -101


class Client:
    """One session on one server; replies are (err, body)."""

    def __init__(self, server, session=0, password=b"\0" * 16):
        self.raw, self.xid = RawConnection(server.port), 0
        # 3.8.0's commit processor may miss a wake-up and leave a read until anything else comes: clients ping.
        self.pings = getattr(server, "kind", None) == "java38"
        self.raw.send_frame(connect_request(timeout_ms=SESSION_TIMEOUT_MS, session=session, password=password))
        frame = self.raw.frame(REPLY_TIMEOUT_S)
        self.timeout_ms, self.session, length = struct.unpack(">iqi", frame[4:20])
        self.password = frame[20:20 + length]

    def call(self, opcode, body=b""):
        self.xid += 1
        self.raw.send_frame(i32(PING_XID if opcode == "ping" else self.xid) + i32(OPCODES[opcode]) + body)
        while True:
            try:
                frame = self.raw.frame(REPLY_TIMEOUT_S)
            except Silence:
                if not self.pings:
                    raise
                self.pings = False
                self.raw.send_frame(i32(PING_XID) + i32(OPCODES["ping"]))
                continue
            xid, _, err = struct.unpack(">iqi", frame[:16])
            if xid == EVENT_XID or (xid == PING_XID and opcode != "ping"):
                continue
            return err, frame[16:]

    def must(self, opcode, body=b""):
        err, reply = self.call(opcode, body)
        assert err == 0, f"{opcode} {body!r} gave {err}"
        return reply

    def fails(self, opcode, body, code):
        err, _ = self.call(opcode, body)
        assert err == code, f"{opcode} {body!r} gave {err}, not {code}"

    def close(self):
        self.must("closeSession")
        self.raw.close()

    def leave(self):
        """Drops the connection; the session lives on until it expires."""
        self.raw.close()


def fill(server, root, updates=150):
    """Every kind of txn under `root`; gives a session left open that owns an ephemeral node."""
    client, leaving = Client(server), Client(server)
    client.must("create", create(root, b"root of a filling"))
    for name, data in (("null", None), ("empty", b""), ("bytes", bytes(range(256))), ("large", b"z" * 100_000)):
        client.must("create", create(f"{root}/{name}", data))
    for name in ("ünïcödé", "漢字", "with blank", "...", "a..b", "%d", "\uffe6", "ｗｉｄｅ"):
        client.must("create2", create(f"{root}/{name}", name.encode()))
        client.must("create", create(f"{root}/{name}/child"))
    for _ in range(12):
        client.must("create", create(f"{root}/sequential-", b"s", OPEN_ACL, 2))
    client.must("create", create(f"{root}/parent"))
    for index in range(12):
        client.must("create", create(f"{root}/parent/c{index}"))
    for index in range(0, 12, 2):
        client.must("delete", path_version(f"{root}/parent/c{index}", 0))
    client.must("createContainer", create(f"{root}/container", b"c", OPEN_ACL, 4))
    client.must("create", create(f"{root}/container/inside"))
    client.must("createTTL", create_ttl(f"{root}/ttl", b"t", OPEN_ACL, 5, 900_000_000))
    client.must("createTTL", create_ttl(f"{root}/ttl-", b"t", OPEN_ACL, 6, 0xFF_FFFF_FFFF))
    fill_acls(client, root)
    fill_multis(client, root)
    fill_quota(client, root)
    for index in range(updates):
        client.must("setData", set_data(f"{root}/bytes", b"%d" % index * (index % 7), index))
    client.must("setData", set_data(root, None))
    client.must("setData", set_data(f"{root}/null", b""))
    client.must("setData", set_data(f"{root}/empty", None))
    for name in ("one", "two"):
        leaving.must("create", create(f"{root}/gone-{name}", b"", OPEN_ACL, 1))
    leaving.must("create", create(f"{root}/gone-", b"", OPEN_ACL, 3))
    leaving.close()
    staying = Client(server)
    staying.must("create", create(f"{root}/ephemeral", b"e", OPEN_ACL, 1))
    staying.must("create", create(f"{root}/ephemeral-", b"e", OPEN_ACL, 3))
    client.close()
    staying.leave()
    return staying


def fill_acls(client, root):
    lists = [OPEN_ACL, [(READ, "world", "anyone")], [(ALL, "digest", "user:smGaoVKd/cQkjm7b88GyorAUz20=")],
             [(ALL, "ip", "10.0.0.0/8"), (READ, "world", "anyone")], [(0, "world", "anyone")], OPEN_ACL]
    for index, acl in enumerate(lists):
        client.must("create", create(f"{root}/acl{index}", b"", acl))
    for acl in lists[2::-1]:
        client.must("setACL", set_acl(f"{root}/acl0", acl + OPEN_ACL))
    client.fails("setData", set_data(f"{root}/acl4"), -102)


def fill_multis(client, root):
    client.must("multi", multi([("create", create(f"{root}/m")), ("create2", create(f"{root}/m/s-", b"x", OPEN_ACL, 2)),
                                ("setData", set_data(f"{root}/m", b"1")), ("setData", set_data(f"{root}/m", b"2", 1)),
                                ("create", create(f"{root}/m/gone")), ("delete", path_version(f"{root}/m/gone")),
                                ("check", path_version(f"{root}/m", 2)),
                                ("createContainer", create(f"{root}/m/box", b"", OPEN_ACL, 4)),
                                ("createTTL", create_ttl(f"{root}/m/ttl"))]))
    client.must("multi", multi([("create", create(f"{root}/never")), ("check", path_version(f"{root}/m", 99)),
                                ("delete", path_version(f"{root}/m"))]))
    client.must("multi", multi([]))
    client.fails("delete", path_version(f"{root}/m"), -111)
    client.fails("setData", set_data(f"{root}/m", b"", 77), -103)
    client.fails("create", create(f"{root}/missing/x"), -101)
    client.must("create", create(f"{root}/m/after-", b"", OPEN_ACL, 2))


def fill_quota(client, root):
    quota = f"/zookeeper/quota{root}"
    client.must("create", create(quota))
    client.must("create", create(f"{quota}/zookeeper_limits", b"count=1000,bytes=1000000=;byteHardLimit=-1;countHardLimit=2000"))
    client.must("create", create(f"{quota}/zookeeper_stats", b"count=0,bytes=0"))
    client.must("create", create(f"{root}/counted", b"12345"))


def dump(server):
    """The whole tree as a super user sees it: {path: (data, ACL, stat)}, every byte as the server sent it.

    Ephemerals of a session that expires meanwhile may be missing.
    """
    client = Client(server)
    client.must("auth", SUPER)
    found, left = {}, ["/"]
    while left:
        path = left.pop()
        answers = [client.call("getData", path_flag(path)), client.call("getACL", buf(path)), client.call("getChildren", path_flag(path))]
        if NO_NODE in [err for err, _ in answers]:
            continue
        assert all(err == 0 for err, _ in answers), f"{path}: {[err for err, _ in answers]}"
        data, acl, children = [body for _, body in answers]
        found[path] = (data[:-68].hex(), acl[:-68].hex(), data[-68:].hex())
        at = 4
        while at < len(children):
            length = struct.unpack(">i", children[at:at + 4])[0]
            left.append(path.rstrip("/") + "/" + children[at + 4:at + 4 + length].decode())
            at += 4 + length
    client.close()
    return found


def differences(expected, got):
    """What differs between two dumps, a line each."""
    lines = [f"missing: {path}" for path in sorted(expected.keys() - got.keys())]
    lines += [f"unexpected: {path}" for path in sorted(got.keys() - expected.keys())]
    for path in sorted(expected.keys() & got.keys()):
        for part, wanted, seen in zip(("data", "acl", "stat"), expected[path], got[path]):
            if wanted != seen:
                lines.append(f"{path} {part}: {wanted[:300]} became {seen[:300]}")
    return lines
