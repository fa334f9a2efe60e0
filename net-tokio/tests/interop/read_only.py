"""Requests to servers in read-only mode: members of an ensemble without a quorum, serving whoever said it accepts that.

Every write is refused with -119 and the connection stays; every read, ping, watch and auth is answered. Sessions are
local, since nothing can be committed.
"""

import os
import subprocess

from servers import Ports
from wire import (MULTI_END, OPEN_ACL, auth_packet, buf, create, create_ttl, multi, path_flag, path_version, reconfig,
                  set_acl, set_data, set_watches)

ROUNDS = 6
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


def can_be_member(server):
    """Whether Quorate's `check` takes the configuration; a build without ensembles refuses it."""
    arguments, environment = server.command()
    done = subprocess.run([arguments[0], "check", server.config_path], env=environment, capture_output=True, text=True,
                          check=False)
    return "ensembles are not built yet" not in done.stdout + done.stderr


def run(pair, rng):
    """Some rounds of everything, over sessions that accept a read-only server, and handshakes that don't."""
    for number in range(ROUNDS):
        pair.context = f"read-only round {number}"
        for refused in (False, None):
            pair.connect("connect/not read-only", read_only=refused)
        connection = pair.connect("connect/read-only", read_only=True, timeout_ms=rng.choice([1, 10_000, 100_000]))
        steps = [(name, body, f"{name}/read-only") for name, body in WRITES.items()]
        steps += [(name, body, f"{name}/on a read-only server") for name, bodies in READS.items() for body in bodies]
        rng.shuffle(steps)
        for name, body, label in steps:
            pair.request(connection, name, body, label)
        pair.close_session(connection)
