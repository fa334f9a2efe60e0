#!/usr/bin/env python3
"""Runs kazoo's own test suite against one server and compares it with what passes against Java.

`kazoo-expected.txt` lists the tests that pass against both Java 3.8 and 3.9; `kazoo-left-out.txt` lists the others of
the suite, each with its reason (they need TLS, SASL or an ensemble, or are unreliable against Java itself).
With `--record FILE` the names of the passing tests are written down instead of being compared.

Exit status 1: an expected test did not pass.
"""

import argparse
import collections
import concurrent.futures
import glob
import json
import os
import subprocess
import sys
import tempfile

import servers

EXPECTED = os.path.join(servers.HERE, "kazoo-expected.txt")
EXPECTED_OF_ENSEMBLES = os.path.join(servers.HERE, "kazoo-expected-ensemble.txt")
LEFT_OUT = os.path.join(servers.HERE, "kazoo-left-out.txt")
TEST_TIMEOUT_S = 60
WORKERS = 4
NOT_RUN = ("did not run", "")


def listed(path):
    """Test names in a list file; whatever follows the name is a reason."""
    with open(path) as file:
        return [line.split()[0] for line in file if line.strip() and not line.startswith("#")]


def run_parallel(kind, port, names, size):
    """Runs `names` in a few processes, each with a server of its own; most of the suite's time is spent waiting."""
    files = collections.defaultdict(list)
    for name in names:
        files[name.split("::")[0] + name.split("::")[1]].append(name)
    shares = [[] for _ in range(WORKERS)]
    for group in sorted(files.values(), key=len, reverse=True):
        min(shares, key=len).extend(group)
    outcomes = {}
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        for share in pool.map(lambda index: run_suite(kind, port + 100 * index, shares[index], size) if shares[index] else {}, range(WORKERS)):
            outcomes.update(share)
    return outcomes


def run_suite(kind, port, names, size):
    """Runs `names` (everything when empty) against `size` servers; gives {name: ("passed" | "failed" | "skipped", message)}."""
    sources = glob.glob(os.path.join(servers.CACHE, "kazoo-*", "kazoo", "tests"))
    assert sources, "kazoo's sources are missing: run setup.sh"
    root = os.path.dirname(os.path.dirname(sources[0]))
    stand_in = os.path.join(servers.HERE, "kazoo-bin")
    environment = dict(os.environ, QUORATE_INTEROP_KIND=kind, ZOOKEEPER_CLUSTER_SIZE=str(size), ZOOKEEPER_VERSION="3.9.5",
                       ZOOKEEPER_CLASSPATH="unused", ZOOKEEPER_PORT_OFFSET=str(port),
                       PYTHONPATH=os.pathsep.join([root, stand_in]), PYTHONDONTWRITEBYTECODE="1",
                       PATH=os.pathsep.join([stand_in, os.environ["PATH"]]))
    if kind == servers.QUORATE:
        environment["QUORATE_BINARY"] = os.path.abspath(servers.quorate_binary())
    with tempfile.TemporaryDirectory(dir=servers.scratch_root()) as scratch:
        outcomes, selection = os.path.join(scratch, "outcomes.json"), os.path.join(scratch, "selection")
        environment.update(TMPDIR=scratch, QUORATE_KAZOO_OUTCOMES=outcomes)
        if names:
            environment["QUORATE_KAZOO_SELECTION"] = selection
            with open(selection, "w") as file:
                file.write("\n".join(names))
        python = os.path.join(servers.CACHE, "venv", "bin", "python")
        subprocess.run([python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "quorate_kazoo_plugin",
                        "--timeout", str(TEST_TIMEOUT_S), "--rootdir", root, os.path.join(root, "kazoo", "tests")],
                       env=environment, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        if not os.path.exists(outcomes):
            return {}
        with open(outcomes) as file:
            return {name: tuple(result) for name, result in json.load(file).items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", choices=servers.KINDS, required=True)
    parser.add_argument("--servers", type=int, default=1, help="servers of the ensemble; 1 stands alone")
    parser.add_argument("--port", type=int, default=int(os.environ.get("QUORATE_INTEROP_PORT", "21000")) + 200)
    parser.add_argument("--record", help="write every test's outcome to this file; compare nothing")
    options = parser.parse_args()
    if options.record:
        outcomes = run_suite(options.server, options.port, [], options.servers)
        with open(options.record, "w") as file:
            file.writelines(f"{outcomes[name][0]} {name} {outcomes[name][1]}\n" for name in sorted(outcomes))
        print(f"kazoo on {options.server}: {dict(collections.Counter(result for result, _ in outcomes.values()))}")
        return 0
    expected = listed(EXPECTED) + (listed(EXPECTED_OF_ENSEMBLES) if options.servers > 1 else [])
    outcomes = run_parallel(options.server, options.port, expected, options.servers)
    missing = [name for name in expected if outcomes.get(name, NOT_RUN)[0] != "passed"]
    for name in missing:
        print(f"FAILED {name}: {' '.join(outcomes.get(name, NOT_RUN))}")
    print(f"kazoo on {options.server}, {options.servers} servers: {len(expected) - len(missing)} passed, {len(missing)} failed")
    return 1 if missing else 0


sys.exit(main())
