#!/usr/bin/env python3
"""Says the simulator's plans, without their faults, to a Java server, and compares every answer with the simulated one's.

`quorate-sim replay --against` does the work; this starts the server. The simulator is $QUORATE_SIM_BINARY, or the release build.
Exit status 1: a plan differs.
"""

import argparse
import json
import os
import subprocess
import sys

import servers

# Time here is not the simulator's: nothing is to happen by itself.
NO_REAPING = "-Dznode.container.checkIntervalMs=3600000"


def simulator():
    given = os.environ.get("QUORATE_SIM_BINARY")
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(servers.REPOSITORY, "target"))
    return given or os.path.join(target, "release", "quorate-sim")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default=servers.JAVA_39)
    parser.add_argument("--scenario", default="r0")
    parser.add_argument("--seeds", default="0..50")
    options = parser.parse_args()
    with servers.Server(options.server, flags=[NO_REAPING]) as server:
        command = [simulator(), "replay", "--scenario", options.scenario, "--seeds", options.seeds, "--against", server.address, "--json"]
        replay = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if replay.returncode not in (0, 1):
        sys.exit(replay.returncode)
    told = json.loads(replay.stdout)
    for one in told["differences"]:
        difference = one["difference"]
        print(f"seed {one['seed']}, exchange {difference['place']}: {difference['said']}")
        print(f"  simulated   {difference['expected']}\n  {options.server:11} {difference['heard']}")
    print(f"{told['answers']} answers of {options.server}")
    passed = told["plans"] - told["different"]
    print(f"plans of {options.scenario} at {options.server}: {passed} passed, {told['different']} failed")
    sys.exit(replay.returncode)


if __name__ == "__main__":
    main()
