#!/usr/bin/env python3
"""Runs other people's clients against a server and against Java, and compares what they print.

The clients: a C program over Debian's libzookeeper_mt, Debian's zkCli.sh (3.8.0), one command a process and many
commands in one session, and the command line of 3.9.5. Times, session ids and zxids are masked: zkCli.sh
leaves sessions behind, which expire when they like. differential.py compares zxids.
Exit status 1: something was printed differently, or another exit code was given.
"""

import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile

import servers

ZK_CLI = "/usr/share/zookeeper/bin/zkCli.sh"
CLIENT_TIMEOUT_S = 60
SUPER_DIGEST = "-Dzookeeper.DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU="
ONE_SHOT = [
    "create /a one", "create /a again", "create -s /a/s- two", "create -c /a/box", "create /a/b/c x",
    "get -s /a", "get /missing", "set /a three", "set -v 0 /a stale", "set -s -v 1 /a four", "ls -s /a", "ls -R /",
    "stat /a", "setAcl /a/box digest:user:smGaoVKd/cQkjm7b88GyorAUz20=:cdrwa,world:anyone:r", "getAcl -s /a/box",
    "set /a/box denied", "setAcl /a nonsense:x:r", "getAllChildrenNumber /a", "getEphemerals /", "addWatch -m PERSISTENT /a",
    "setquota -n 5 /a", "listquota /a", "delquota /a", "config -s", "sync /a", "whoami", "delete /a", "deleteall /a",
    "reconfig -add 2=h:1:2;3", "create -t 1000 /ttl x", "removewatches /a", "version", "nonsense",
]
SESSION = [
    "create /s data", "addauth digest user:pass", "create /s/mine x auth::cdrwa", "getAcl /s/mine", "get -w /s",
    "set /s changed", "addWatch /s", "create /s/child", "set /s/child x", "delete /s/child", "ls -w /s", "create /s/other",
    "removewatches /s", "create -e /s/eph e", "getEphemerals /s", "stat /s/eph", "history", "setquota -N 2 /s/other",
    "listquota /s/other", "delete /s", "deleteall /s", "ls /", "close",
]
# A watch of zkCli prints in a thread of its own, so within one session lines are compared without their order.
MASKS = [
    (re.compile(r"\b((?:c|m)time) = .*"), r"\1 = TIME"),
    (re.compile(r"\b(ephemeralOwner) = 0x[0-9a-f]{9,}"), r"\1 = SESSION"),
    (re.compile(r"\b([cmp]Zxid) = 0x0*[1-9a-f][0-9a-f]*$"), r"\1 = ZXID"),
    (re.compile(r"127\.0\.0\.1:\d+"), "SERVER"),
    (re.compile(r"sessionid:0x[0-9a-f]+"), "sessionid:SESSION"),
]


def masked(text):
    lines = []
    for line in text.splitlines():
        if line.startswith(("SLF4J", "WARNING")) or " [main" in line or not line.strip():
            continue
        for pattern, replacement in MASKS:
            line = pattern.sub(replacement, line)
        lines.append(line.rstrip())
    return lines


def run(arguments, environment=None, given=None):
    done = subprocess.run(arguments, input=given, capture_output=True, text=True, timeout=CLIENT_TIMEOUT_S, check=False,
                          env=dict(os.environ, **(environment or {})))
    return done.returncode, done.stdout, done.stderr


def one_shot(server):
    """What each command of zkCli.sh gives: exit code, standard output, standard error."""
    results = []
    for command in ONE_SHOT:
        code, out, err = run([ZK_CLI, "-server", server.address, "-waitforconnection"] + command.split(), QUICK_JVM)
        results.append((f"zkCli {command}", [f"exit {code}"] + masked(out) + ["--"] + masked(err)))
    return results


def one_session(server):
    """Many commands in one session of zkCli.sh; watch events come from another thread, so lines are sorted."""
    code, out, err = run([ZK_CLI, "-server", server.address, "-waitforconnection"], QUICK_JVM, "\n".join(SESSION) + "\n")
    return [("zkCli session, output", [f"exit {code}"] + sorted(masked(out))), ("zkCli session, errors", sorted(masked(err)))]


def newer_command_line(server):
    """The command line of 3.9.5 against the same server."""
    results = []
    for command in ("create /newer x", "get -s /newer", "ls /", "deleteall /newer"):
        code, out, err = run(["java", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=off", "-cp",
                              servers.java_class_path(servers.JAVA_39), "org.apache.zookeeper.ZooKeeperMain", "-server",
                              server.address, "-waitforconnection"] + command.split())
        results.append((f"3.9.5 command line {command}", [f"exit {code}"] + masked(out) + ["--"] + masked(err)))
    return results


def c_client(server):
    with tempfile.TemporaryDirectory() as scratch:
        program = os.path.join(scratch, "c_client")
        subprocess.run(["gcc", "-DTHREADED", "-Wall", "-O1", "-o", program, os.path.join(servers.HERE, "c_client.c"),
                        "-lzookeeper_mt"], check=True)
        code, out, _ = run([program, server.address])
    return [("C client: " + line, [line]) for line in out.splitlines()] + [("C client, exit code", [str(code)])]


QUICK_JVM = {"CLIENT_JVMFLAGS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}


def drive(kind):
    """Everything, in one order, against one server."""
    with servers.Server(kind, flags=[SUPER_DIGEST]) as server:
        return c_client(server) + one_shot(server) + one_session(server) + newer_command_line(server)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", choices=servers.KINDS, default=servers.QUORATE)
    parser.add_argument("--peer", choices=(servers.JAVA_38, servers.JAVA_39), default=servers.JAVA_39)
    options = parser.parse_args()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        expected, got = pool.map(drive, (options.peer, options.server))
    failed = 0
    for index in range(max(len(expected), len(got))):
        name, wanted = expected[index] if index < len(expected) else ("nothing more", [])
        seen = got[index][1] if index < len(got) else []
        if wanted != seen:
            failed += 1
            print(f"DIFFERENCE {name}\n    {options.peer}: {wanted}\n    {options.server}: {seen}")
    passed = len(expected) - failed
    print(f"clients of {options.server} against {options.peer}: {passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
