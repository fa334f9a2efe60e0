#!/usr/bin/env python3
"""Makes the data directories under fixtures/ by real Java servers, each packed into one gzipped file.

Every directory lives twice: the first life ends cleanly, the second as its name says. The packed file holds, for each file
of it, a line with name and length and then the content; before them a line with what the last life said of itself, the
last zxid and the number of nodes. Needs what net-tokio/tests/interop needs; run it by hand when
another kind of directory is wanted, the files are checked in.
"""

import glob
import gzip
import os
import re
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "..", "net-tokio", "tests", "interop"))

import servers  # noqa: E402
import tree  # noqa: E402

FLAGS = ["-Dzookeeper.DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU=",
         "-Dznode.container.checkIntervalMs=3600000", "-Dzookeeper.snapCount=40", "-Dzookeeper.preAllocSize=64"]
KINDS = [("java38-stopped", servers.JAVA_38, "stop", []),
         ("java38-killed-gz", servers.JAVA_38, "kill", ["-Dzookeeper.snapshot.compression.method=gz"]),
         ("java39-killed-snappy", servers.JAVA_39, "kill", ["-Dzookeeper.snapshot.compression.method=snappy"]),
         ("java39-stopped", servers.JAVA_39, "stop", [])]


def make(name, kind, end, flags):
    directory = tempfile.mkdtemp(prefix="quorate-fixture-")
    try:
        for life, how in enumerate(["stop", end]):
            extra = ["extendedTypesEnabled=true", "snapshot.trust.empty=false"]
            with servers.Server(kind, data_dir=directory, extra=extra, flags=FLAGS + flags) as server:
                tree.fill(server, f"/filling{life}")
                status = server.four_letter("srvr")
                getattr(server, how)()
        zxid = re.search(r"Zxid: (0x[0-9a-f]+)", status).group(1)
        nodes = re.search(r"Node count: (\d+)", status).group(1)
        packed = f"{zxid} {nodes}\n".encode()
        for path in sorted(glob.glob(os.path.join(directory, "version-2", "*"))):
            with open(path, "rb") as file:
                content = file.read()
            packed += f"{os.path.basename(path)} {len(content)}\n".encode() + content
        with open(os.path.join(HERE, "..", "fixtures", name + ".packed"), "wb") as out:
            out.write(gzip.compress(packed, 9, mtime=0))
    finally:
        shutil.rmtree(directory, ignore_errors=True)


for row in KINDS:
    make(*row)
