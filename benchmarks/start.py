"""Time and memory of an import beyond aiohttp's, in new processes, with compiled bytecode."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from .report import Report, Row, Target
from .scale import Scale

ROOT = Path(__file__).parents[1]
IMPORT_BEYOND_AIOHTTP = 45.0
"""The target, in milliseconds."""

NAMED = "from sevendigital_async import SevenDigital, StreamLogShipper"
SIDES: Mapping[str, str] = {
    "aiohttp": "import aiohttp",
    "aiohttp, then ours": f"import aiohttp\n{NAMED}",
    "aiohttp, ours, a shipper": f"import aiohttp\n{NAMED}\nStreamLogShipper(SevenDigital('key', 'secret'))",
    "aiohttp, ours, all namespaces": (
        f"import aiohttp\n{NAMED}\nclient = SevenDigital('key', 'secret')\n"
        "client.classic.releases, client.platform.catalogue, client.media, client.oauth"
    ),
}

PROBE = """
import os, time
began = time.perf_counter()
{code}
took = time.perf_counter() - began
try:
    pages = int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
except OSError:
    pages = 0
print(took, pages)
"""
ROUNDS: Mapping[Scale, int] = {Scale.FULL: 21, Scale.QUICK: 7, Scale.SMALLEST: 1}


def run(scale: Scale) -> Report:
    """Start an interpreter for each side in turn."""
    rounds = ROUNDS[scale]
    seconds: dict[str, list[float]] = {name: [] for name in SIDES}
    megabytes: dict[str, list[float]] = {name: [] for name in SIDES}
    with tempfile.TemporaryDirectory() as compiled:
        for number in range(-1, rounds):
            for name, code in SIDES.items():
                took, memory = _probe(code, compiled)
                if number >= 0:
                    seconds[name].append(took)
                    megabytes[name].append(memory)
    base = seconds["aiohttp"]
    beyond = {
        name: median(one - other for one, other in zip(side, base, strict=True)) * 1e3 for name, side in seconds.items()
    }
    rows: list[Row] = [
        {
            "imported": name,
            "ms": median(side) * 1e3,
            "ms beyond aiohttp": beyond[name],
            "MB": median(megabytes[name]),
            "MB beyond aiohttp": median(megabytes[name]) - median(megabytes["aiohttp"]),
        }
        for name, side in seconds.items()
    ]
    return Report(
        "start",
        f"imports in a new process, median of {rounds}",
        rows,
        [Target("ms of our import beyond aiohttp's", beyond["aiohttp, then ours"], at_most=IMPORT_BEYOND_AIOHTTP)],
        {name: [value * 1e3 for value in side] for name, side in seconds.items()},
        chart="ms",
        labels=("imported",),
    )


def _probe(code: str, compiled: str) -> tuple[float, float]:
    """Run ``code`` in a new interpreter; return seconds and megabytes."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": compiled}
    command = [sys.executable, "-c", PROBE.format(code=code)]
    process = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
    took, memory = process.stdout.split()
    return float(took), float(memory) / 1e6
