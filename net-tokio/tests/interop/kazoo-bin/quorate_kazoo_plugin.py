"""A pytest plugin for kazoo's suite: picks the tests named in a file and writes every outcome to another.

QUORATE_KAZOO_SELECTION and QUORATE_KAZOO_OUTCOMES name the files; no selection means every test.
"""

import json
import os

OUTCOMES = {}


def short(nodeid):
    """The part of a node id after the tests' directory."""
    return nodeid.rpartition("tests/")[2]


def pytest_collection_modifyitems(config, items):
    selection = os.environ.get("QUORATE_KAZOO_SELECTION")
    if selection:
        with open(selection) as file:
            wanted = set(file.read().split())
        config.hook.pytest_deselected(items=[item for item in items if short(item.nodeid) not in wanted])
        items[:] = [item for item in items if short(item.nodeid) in wanted]


def pytest_runtest_logreport(report):
    name = short(report.nodeid)
    if report.failed:
        message = report.longreprtext.strip().splitlines()
        OUTCOMES[name] = ["failed", message[-1] if message else ""]
    elif report.skipped:
        OUTCOMES.setdefault(name, ["skipped", ""])
    elif report.when == "call":
        OUTCOMES.setdefault(name, ["passed", ""])


def pytest_sessionfinish():
    with open(os.environ["QUORATE_KAZOO_OUTCOMES"], "w") as file:
        json.dump(OUTCOMES, file)
