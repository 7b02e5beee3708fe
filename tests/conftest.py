import gc
import os
import signal
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import settings
from support.disk import Disk
from support.paths import SPEC
from support.redis_server import PROGRAM, shared_server

# The suite starts hundreds of processes; without cached bytecode each of them compiles the package anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# pytest-xdist gives its workers a terminal's width; outputs without a terminal are not broken into lines.
os.environ.pop("COLUMNS", None)

# A shell lets its background jobs ignore Ctrl-C, and nohup a hangup; the processes that tests start would inherit that.
for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)

pytest_plugins = ["sevendigital_async.sandbox.pytest_plugin"]

# Machines differ: what matters is what is found, not how long it took.
settings.register_profile("quick", deadline=None, max_examples=40)
settings.register_profile("long", deadline=None, max_examples=1000)
settings.load_profile("long" if os.environ.get("LONG_TESTS") else "quick")

COVERED_WITHOUT_REDIS = 88
"""Percent of the package that can be covered where no Redis is installed."""

COVERED_WITHOUT_SPEC = 95
"""The same where the API's own files are not beside the checkout, so that the tests that read them are skipped."""

MOST_PROCESSES = 8
"""Each process collects all tests anew, which takes some seconds, so that more of them gain nothing."""


def pytest_configure(config):
    coverage = config.pluginmanager.get_plugin("_cov")
    if coverage is None:
        return
    if PROGRAM is None:
        coverage.options.cov_fail_under = COVERED_WITHOUT_REDIS
    elif not SPEC.exists():
        coverage.options.cov_fail_under = COVERED_WITHOUT_SPEC


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """Run ``-n auto`` with two processes for each core, because half of the suite's time is waiting."""
    return min(2 * (os.cpu_count() or 1), MOST_PROCESSES)


def import_share(places: list[Path], worker: int, workers: int) -> None:
    """Import a part of the test modules in some directories.

    Each process needs all of them, and pytest rewrites the assertions of a module where no process has written the
    result yet. If each begins with another part, that is done once for most modules.
    """
    modules = sorted({module for place in places for module in place.rglob("test_*.py")})
    for module in modules[worker::workers]:
        if str(module.parent) not in sys.path:
            sys.path.insert(0, str(module.parent))  # as pytest does
        with suppress(Exception, pytest.skip.Exception):  # reported when the module is collected
            import_module(module.stem)


@pytest.hookimpl(wrapper=True)
def pytest_collection(session):
    # Collecting makes millions of objects, of which most remain; examining them again and again would free nothing.
    gc.disable()
    own = getattr(session.config, "workerinput", {})
    if own.get("workercount", 1) > 1:
        places = [Path(argument).resolve() for argument in session.config.args]
        import_share(places, int(own["workerid"].removeprefix("gw")), own["workercount"])
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture
def redis_server(monkeypatch):
    """A real Redis with nothing in it, whose figures may come late on a busy machine."""
    monkeypatch.setattr("sevendigital_async.shipping.spools.redis.spool.FIGURES_TIMEOUT", 30.0)
    shared_server().ask("FLUSHALL")
    return shared_server()


@pytest.fixture
def disk(monkeypatch):
    disk = Disk(monkeypatch)
    yield disk
    disk.go_on.set()
