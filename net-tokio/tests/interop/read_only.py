"""Requests to servers in read-only mode: members of an ensemble without a quorum, serving whoever said it accepts that.

Every write is refused with -119 and the connection stays; every read, ping, watch and auth is answered. Sessions are
local, since nothing can be committed.
"""

import os

from servers import Ports
from wire import (MULTI_END, OPEN_ACL, auth_packet, buf, create, create_ttl, multi, path_flag, path_version, reconfig,
                  set_acl, set_data, set_watches)

ROUNDS = 6
# Nobody made this session; the password is the one that it would have.
UNKNOWN, PASSWORD = 0x100001234567890, bytes.fromhex("9da8e91aee547be57a1b12a954f951c0")
FLAGS = ["-Dreadonlymode.enabled=true"]
WRITES = {
    "create": create("/x"), "create2": create("/x"), "createContainer": create("/x", flags=4), "createTTL": create_ttl("/x"),
    "delete": path_version("/x"), "setData": set_data("/"), "setACL": set_acl("/", OPEN_ACL), "sync": buf("/"),
    "multi": multi([("create", create("/x"))]), "reconfig": reconfig("server.3=h:1:2;3", None, None),
}
READS = {
    "exists": [path_flag("/", True), path_flag("/missing", True), path_flag("/a\0b")],
    "getData": [path_flag("/zookeeper"), path_flag("/missing")],
    "getACL": [buf("/"), buf("/missing")],
    "getChildren": [path_flag("/"), path_flag("/missing")],
    "getChildren2": [path_flag("/zookeeper", True), path_flag("/missing")],
    "getAllChildrenNumber": [buf("/"), buf("/missing")],
    "getEphemerals": [buf("/")],
    "multiRead": [multi([("getData", path_flag("/")), ("getChildren", path_flag("/missing"))]), MULTI_END],
    "whoAmI": [b""],
    "ping": [b""],
    "addWatch": [path_version("/w", 0), path_version("/w", 9)],
    "checkWatches": [path_version("/w", 3), path_version("/none", 3)],
    "removeWatches": [path_version("/w", 3), path_version("/none", 3)],
    "setWatches": [set_watches(0, ["/", "/missing"], [], [])],
    "setWatches2": [set_watches(0, [], [], ["/"], ["/p"], ["/r"])],
    "auth": [auth_packet("digest", b"user:pass")],
}


def extra():
    """Configuration of the first of two members, the other of which doesn't exist."""
    ports = [Ports.take() for _ in range(4)]
    return ["initLimit=5", "syncLimit=2", "localSessionsEnabled=true", f"server.1=127.0.0.1:{ports[0]}:{ports[1]}",
            f"server.2=127.0.0.1:{ports[2]}:{ports[3]}"]


def make_member(server):
    """Gives the server its id."""
    with open(os.path.join(server.data_dir, "myid"), "w") as file:
        file.write("1\n")


def run(pair, rng):
    """Some rounds of everything, over sessions that accept a read-only server, and handshakes that don't."""
    for number in range(ROUNDS):
        pair.context = f"read-only round {number}"
        for refused in (False, None):
            pair.connect("connect/not read-only", read_only=refused)
        pair.connect("connect/future zxid read-only", read_only=True, last_zxid=1 << 40)
        pair.connect("connect/unknown session read-only", read_only=True, session_id=UNKNOWN, password=PASSWORD)
        connection = pair.connect("connect/read-only", read_only=True, timeout_ms=rng.choice([1, 10_000, 100_000]))
        pair.connect("connect/wrong password read-only", read_only=True, session=connection, wrong_password=b"\1" * 16)
        connection = pair.connect("connect/again read-only", read_only=True, session=connection)
        steps = [(name, body, f"{name}/read-only") for name, body in WRITES.items()]
        steps += [(name, rng.choice([b"", b"\0"]), f"{name}/malformed read-only") for name in WRITES]
        steps += [(name, body, f"{name}/on a read-only server") for name, bodies in READS.items() for body in bodies]
        rng.shuffle(steps)
        for name, body, label in steps:
            pair.request(connection, name, body, label)
        pair.close_session(connection)
        pair.connect("connect/closed session read-only", read_only=True, session=connection)
