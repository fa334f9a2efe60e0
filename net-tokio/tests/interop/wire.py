"""Jute and ZooKeeper's client frames, written from the protocol's description and from no client library.

Encoders take what the protocol can carry, wrong values included: a test must be able to say anything. Only requests are
encoded here; replies are understood in masking.py.
"""

import socket
import struct

OPCODES = {
    "create": 1, "delete": 2, "exists": 3, "getData": 4, "setData": 5, "getACL": 6, "setACL": 7, "getChildren": 8,
    "sync": 9, "ping": 11, "getChildren2": 12, "check": 13, "multi": 14, "create2": 15, "reconfig": 16,
    "checkWatches": 17, "removeWatches": 18, "createContainer": 19, "deleteContainer": 20, "createTTL": 21,
    "multiRead": 22, "auth": 100, "setWatches": 101, "sasl": 102, "getEphemerals": 103, "getAllChildrenNumber": 104,
    "setWatches2": 105, "addWatch": 106, "whoAmI": 107, "createSession": -10, "closeSession": -11,
}
PING_XID, AUTH_XID, EVENT_XID = -2, -4, -1
READ, WRITE, CREATE, DELETE, ADMIN, ALL = 1, 2, 4, 8, 16, 31
OPEN_ACL = [(ALL, "world", "anyone")]
MULTI_END = b"\xff\xff\xff\xff\x01\xff\xff\xff\xff"


def i32(value):
    return struct.pack(">i", value)


def i64(value):
    return struct.pack(">q", value)


def boolean(value):
    return b"\x01" if value else b"\x00"


def buf(value):
    """A buffer or a string; None is the null one. Bytes pass unchanged, so that bad UTF-8 can be sent."""
    if value is None:
        return i32(-1)
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogatepass")
    return i32(len(value)) + value


def vec(items, encode=buf):
    if items is None:
        return i32(-1)
    return i32(len(items)) + b"".join(encode(item) for item in items)


def acl_entry(entry):
    perms, scheme, identity = entry
    return i32(perms) + buf(scheme) + buf(identity)


def acls(entries):
    return vec(entries, acl_entry)


def create(path, data=b"", acl=OPEN_ACL, flags=0):
    return buf(path) + buf(data) + acls(acl) + i32(flags)


def create_ttl(path, data=b"", acl=OPEN_ACL, flags=5, ttl=100_000_000):
    return create(path, data, acl, flags) + i64(ttl)


def path_version(path, version=-1):
    return buf(path) + i32(version)


def path_flag(path, watch=False):
    return buf(path) + boolean(watch)


def set_data(path, data=b"", version=-1):
    return buf(path) + buf(data) + i32(version)


def set_acl(path, acl=OPEN_ACL, version=-1):
    return buf(path) + acls(acl) + i32(version)


def reconfig(joining, leaving, members, config_id=-1):
    return buf(joining) + buf(leaving) + buf(members) + i64(config_id)


def auth_packet(scheme, credentials, kind=0):
    return i32(kind) + buf(scheme) + buf(credentials)


def set_watches(zxid, *lists):
    return i64(zxid) + b"".join(vec(paths) for paths in lists)


def multi_op(name, body):
    return i32(OPCODES[name] if isinstance(name, str) else name) + b"\x00" + i32(-1) + body


def multi(operations):
    return b"".join(multi_op(name, body) for name, body in operations) + MULTI_END


def connect_request(last_zxid=0, timeout_ms=30_000, session=0, password=b"\x00" * 16, read_only=False):
    """`read_only` None leaves the optional byte out."""
    body = i32(0) + i64(last_zxid) + i32(timeout_ms) + i64(session) + buf(password)
    return body if read_only is None else body + boolean(read_only)


class Closed(Exception):
    """The server closed the connection."""


class Silence(Exception):
    """The server sent nothing in time."""


class RawConnection:
    """One TCP connection that sends bytes and splits what comes back into frames."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError:
            pass  # Reading tells that the connection is gone.

    def send_frame(self, body):
        self.send(i32(len(body)) + body)

    def _fill(self, length, timeout_s):
        self.socket.settimeout(timeout_s)
        while len(self.buffer) < length:
            try:
                chunk = self.socket.recv(65536)
            except socket.timeout:
                raise Silence() from None
            except OSError:
                raise Closed() from None
            if not chunk:
                raise Closed()
            self.buffer += chunk

    def frame(self, timeout_s):
        self._fill(4, timeout_s)
        length = struct.unpack(">i", self.buffer[:4])[0]
        self._fill(4 + length, timeout_s)
        body, self.buffer = self.buffer[4:4 + length], self.buffer[4 + length:]
        return body

    def close(self):
        self.socket.close()
