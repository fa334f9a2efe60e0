#!/usr/bin/env python3
"""Gives the same commands to Java's zkCli 3.9 at a Java server and to `quorate cli` at a Quorate server, and compares
standard output, standard error and exit codes.

The commands are zkcli-session.txt, once each as a run of its own (Java's in one virtual machine, ZkCli.java), and once all in one session
through a pipe; besides, commands that end Java's zkCli with a stack trace, and a server that is not there. Masked: times, zxids, session ids, ports.
What events print comes from a thread of its own in Java, so events are compared apart from the rest, each in their
order. Differences are allowed only by `zkcli-allowed.json`; a rule that nothing needed is a failure too.

Exit status 1: a difference that is not allowed, or a rule that nothing needs.
"""

import argparse
import base64
import concurrent.futures
import difflib
import fnmatch
import json
import os
import re
import shlex
import subprocess
import sys

import servers

SESSION = os.path.join(servers.HERE, "zkcli-session.txt")
ALLOWED = os.path.join(servers.HERE, "zkcli-allowed.json")
TIMEOUT_S = 120
FEATURES = ("extendedTypesEnabled=true", "enforceQuota=true", "reconfigEnabled=true")
# Reaping would delete containers at a moment of its own; a long tick lets ephemeral nodes outlive slow processes.
FLAGS = ("-Dznode.container.checkIntervalMs=3600000",)
TICK_MS = 20_000
SESSION_MS = "300000"
# Each ends Java's zkCli by an exception that nobody catches.
CRASHES = ("delete -v x /", "set -v x / y", "setAcl -v x / world:anyone:r", "set -b / ???", "addWatch nothing", "redo x")
MASKS = [
    (re.compile(r"\b((?:c|m)time) = .*"), r"\1 = TIME"),
    (re.compile(r"\b(ephemeralOwner) = 0x[0-9a-f]{9,}"), r"\1 = SESSION"),
    (re.compile(r"\b([cmp]Zxid) = 0x[0-9a-f]+$"), r"\1 = ZXID"),
    (re.compile(r"\bzxid: \d+$"), "zxid: ZXID"),
    (re.compile(r"127\.0\.0\.1:\d+"), "SERVER"),
]
PROMPT = re.compile(r"(\[zk: \S+\(\w+\) \d+\] )")
WATCHER = "\nWATCHER::\n\n"


JAVA = ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Dorg.slf4j.simpleLogger.defaultLogLevel=off", "-cp"]


def java_command():
    return JAVA + [servers.java_class_path(servers.JAVA_39), "org.apache.zookeeper.ZooKeeperMain"]


def quorate_command():
    return [servers.quorate_binary(), "cli"]


class JavaRuns:
    """Runs of Java's zkCli in one virtual machine."""

    def __init__(self):
        program = os.path.join(servers.HERE, "ZkCli.java")
        self.process = subprocess.Popen(JAVA + [servers.java_class_path(servers.JAVA_39), program], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def run(self, arguments):
        words = ["." + base64.b64encode(argument.encode()).decode() for argument in arguments]
        print(" ".join(words), file=self.process.stdin, flush=True)
        code, out, err = self.process.stdout.readline().rstrip("\n").split(" ")
        return int(code), base64.b64decode(out).decode(), base64.b64decode(err).decode()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.stdin.close()
        self.process.kill()
        self.process.wait()


class QuorateRuns:
    """Runs of `quorate cli`, each a process."""

    def run(self, arguments):
        return run(quorate_command() + arguments)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        pass


def masked(text):
    lines = text.splitlines()
    for pattern, replacement in MASKS:
        lines = [pattern.sub(replacement, line) for line in lines]
    return lines


def run(arguments, given=""):
    done = subprocess.run(arguments, input=given, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    return done.returncode, done.stdout, done.stderr


def parted(out):
    """Standard output of one command without its events, and the events."""
    events = re.findall(re.escape(WATCHER) + r"(.*)\n", out)
    return re.sub(re.escape(WATCHER) + r".*\n", "", out), "\n".join(events)


def parted_session(out):
    """The same of a session, where Java's events begin in the middle of other lines: prompts are lines here, empty ones are left out."""
    lines = [line for line in PROMPT.sub(r"\n\1\n", out).splitlines() if line.strip() and line != "WATCHER::"]
    events = [line for line in lines if line.startswith("WatchedEvent ")]
    return "\n".join(line for line in lines if not line.startswith("WatchedEvent ")), "\n".join(events)


def streams(name, result, part=parted):
    """What is compared of one run: (name, stream, lines)."""
    code, out, err = result
    rest, events = part(out)
    parts = {"exit": str(code), "out": rest, "events": events, "err": err}
    return [(name, stream, masked(text)) for stream, text in parts.items()]


def drive(kind, command, runs, lines):
    """Everything, in one order, by one command line at one server."""
    seen = []
    options = ["-timeout", SESSION_MS, "-waitforconnection", "-server"]
    with servers.Server(kind, extra=FEATURES, flags=FLAGS, tick_ms=TICK_MS) as server, runs() as alone:
        for line in list(lines) + list(CRASHES):
            seen += streams(line, alone.run(options + [server.address] + shlex.split(line)))
    with servers.Server(kind, extra=FEATURES, flags=FLAGS, tick_ms=TICK_MS) as server:
        begin = command() + options + [server.address]
        seen += streams("a session", run(begin, "".join(line + "\n" for line in lines)), parted_session)
        seen += streams("a session that ends with quit", run(begin, "ls /missing\nquit\nls /\n"), parted_session)
        seen += streams("one process", run(begin + ["get", "/missing"]))
    nobody = f"127.0.0.1:{servers.Ports.take()}"
    seen += streams("a server that is not there", run(command() + ["-server", nobody, "ls", "/"]))
    return seen


def hunks(expected, got):
    """Where two lists of lines differ."""
    matcher = difflib.SequenceMatcher(None, expected, got, autojunk=False)
    return [("\n".join(expected[a:b]), "\n".join(got[c:d])) for kind, a, b, c, d in matcher.get_opcodes() if kind != "equal"]


def rule_for(rules, name, stream, expected, got):
    for number, rule in enumerate(rules):
        if (fnmatch.fnmatchcase(name, rule["command"]) and stream == rule["stream"]
                and fnmatch.fnmatchcase(expected, rule["java"]) and fnmatch.fnmatchcase(got, rule["quorate"])):
            return number
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="*", help="pattern of the commands whose differences are shown")
    options = parser.parse_args()
    with open(SESSION) as session:
        lines = [line for line in session.read().splitlines() if line and not line.startswith("#")]
    with open(ALLOWED) as allowed:
        rules = json.load(allowed)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        java = pool.submit(drive, servers.JAVA_39, java_command, JavaRuns, lines)
        quorate = pool.submit(drive, servers.QUORATE, quorate_command, QuorateRuns, lines)
        java, quorate = java.result(), quorate.result()
    failed, used = 0, [0] * len(rules)
    for (name, stream, expected), (_, _, got) in zip(java, quorate, strict=True):
        bad = False
        for wanted, seen in hunks(expected, got):
            number = rule_for(rules, name, stream, wanted, seen)
            if number is not None:
                used[number] += 1
                continue
            bad = True
            if fnmatch.fnmatchcase(name, options.only):
                print(f"DIFFERENCE {name} ({stream})\n    java: {wanted!r}\n    quorate: {seen!r}")
        failed += bad
    for rule, count in zip(rules, used):
        print(f"  allowed ×{count}: {rule['command']} ({rule['stream']}): {rule['reason']}")
        if count == 0:
            failed += 1
            print(f"UNUSED {rule}")
    print(f"zkCli's {len(lines)} commands, each alone and in a session: {len(java) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
