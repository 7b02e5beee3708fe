"""``sevendigital ship`` of a file, the library's own ``ship_from``, and twenty lines that read and send the same file.

Each side is a process of its own, so that the figures include its start. All of them send to the same server.
"""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import orjson
from attrs import frozen

from .optional import present
from .plays import Play, made_up_plays, stream_log
from .report import Report, Row, Target
from .scale import Scale
from .server import arrived, serving
from .ship import KEY, SECRET
from .timing import Timing, median_cpu, times_as_long

HERE = Path(__file__).parent
PYTHON = {"PYTHONPATH": str(HERE.parent), "AUTHLIB_INSECURE_TRANSPORT": "1"}

BY_HAND = "twenty lines"
COMMAND_MEMORY, COMMAND_FILE = "sevendigital ship, memory", "sevendigital ship, file spool"
LIBRARY_MEMORY, LIBRARY_FILE = "ship_from, memory", "ship_from, file spool"
JSON_LINES, SPACED, GZIP, CSV = "JSON lines", "JSON lines of json.dumps", "JSON lines, gzip", "CSV"

MEMORY_OF_BY_HAND = 0.4
FILE_OF_BY_HAND = 0.2
OF_THE_LIBRARY = 0.85
MEGABYTES = 100.0
"""The target for the peak memory of the command."""


@frozen
class Size:
    """Plays in a file, the number of rounds, and the formats."""

    plays: int
    rounds: int
    formats: Sequence[str] = (JSON_LINES, SPACED, GZIP, CSV)


SIZES: Mapping[Scale, Size] = {
    Scale.FULL: Size(400_000, 5),
    Scale.QUICK: Size(40_000, 1),
    Scale.SMALLEST: Size(600, 1, (JSON_LINES,)),
}


@frozen
class Process:
    """A finished process: its times, and its peak memory in megabytes (zero where the system does not say)."""

    timing: Timing
    megabytes: float


@frozen
class Side:
    """A program, and the format of the file that it ships."""

    name: str
    format: str


def run(scale: Scale) -> Report:
    """Run the programs in turn."""
    size = SIZES[scale]
    found: dict[Side, list[Process]] = {}
    with tempfile.TemporaryDirectory() as folder, serving() as base_url:
        commands, notes = _sides(_write(Path(folder), made_up_plays(size.plays), size.formats), base_url)
        for number in range(size.rounds):
            start = number % len(commands)
            for side in [*commands][start:] + [*commands][:start]:
                before = arrived(base_url).logs
                found.setdefault(side, []).append(_run(commands[side]()))
                if (logs := arrived(base_url).logs - before) != size.plays:
                    raise AssertionError(f"{side.name}: {logs} of {size.plays} logs arrived")
    found = {side: found[side] for side in commands}
    timings = {side: [process.timing for process in processes] for side, processes in found.items()}
    return Report(
        "file",
        f"a file of {size.plays:,} catalogue plays, in a process of its own, median of {size.rounds} rounds",
        [_row(side, processes, timings, size.plays) for side, processes in found.items()],
        _targets(found, timings),
        {f"{side.name}, {side.format}": [one.wall for one in times] for side, times in timings.items()},
        notes,
        chart="logs/s",
        labels=("side", "file"),
    )


def _row(side: Side, processes: Sequence[Process], timings: Mapping[Side, list[Timing]], plays: int) -> Row:
    times = timings[side]
    return {
        "file": side.format,
        "side": side.name,
        "logs/s": plays / median(timing.wall for timing in times),
        "seconds": median(timing.wall for timing in times),
        "CPU s": median_cpu(times),
        "CPU µs/log": median_cpu(times) / plays * 1e6,
        "of the twenty lines": times_as_long(timings[Side(BY_HAND, side.format)], times),
        "peak MB": max(process.megabytes for process in processes),
    }


def _targets(found: Mapping[Side, list[Process]], timings: Mapping[Side, list[Timing]]) -> list[Target]:
    bounds = [
        (COMMAND_MEMORY, BY_HAND, JSON_LINES, MEMORY_OF_BY_HAND),
        (COMMAND_FILE, BY_HAND, JSON_LINES, FILE_OF_BY_HAND),
        (COMMAND_MEMORY, BY_HAND, SPACED, MEMORY_OF_BY_HAND),
        (COMMAND_FILE, BY_HAND, SPACED, FILE_OF_BY_HAND),
        (COMMAND_MEMORY, LIBRARY_MEMORY, JSON_LINES, OF_THE_LIBRARY),
        (COMMAND_FILE, LIBRARY_FILE, JSON_LINES, OF_THE_LIBRARY),
    ]
    targets = [
        Target(
            f"{ours} / {other}, {kind}, logs/s",
            times_as_long(timings[Side(other, kind)], timings[Side(ours, kind)]),
            at_least=bound,
        )
        for ours, other, kind, bound in bounds
        if Side(ours, kind) in timings and Side(other, kind) in timings
    ]
    ours = [processes for side, processes in found.items() if side.name in (COMMAND_MEMORY, COMMAND_FILE)]
    peak = max((process.megabytes for processes in ours for process in processes), default=0.0)
    return [*targets, Target("peak memory of the command, MB", peak, at_most=MEGABYTES)] if ours else targets


def _sides(files: Mapping[str, Path], base_url: str) -> tuple[dict[Side, Callable[[], list[str]]], list[str]]:
    spools = (str(files[JSON_LINES].with_name(f"{number}.db")) for number in itertools.count())
    notes = ["every figure includes the start of the process; a new spool for each run, with synchronous FULL"]

    def script(name: str, file: Path, *spool: str) -> list[str]:
        return [sys.executable, str(HERE / name), str(file), base_url, KEY, SECRET, *spool]

    def command(file: Path, spool: str) -> list[str]:
        options = ["--kind", "catalogue", "--spool", spool, "--base-url", base_url, "--key", KEY, "--secret", SECRET]
        return [sys.executable, "-m", "sevendigital_async.cli", "ship", str(file), *options]

    sides: dict[Side, Callable[[], list[str]]] = {}
    for kind, file in files.items():
        sides[Side(BY_HAND, kind)] = lambda file=file: script("by_hand.py", file)  # type: ignore[misc]
        if present("typer", "rich"):
            sides[Side(COMMAND_MEMORY, kind)] = lambda file=file: command(file, "memory")  # type: ignore[misc]
            sides[Side(COMMAND_FILE, kind)] = lambda file=file: command(file, next(spools))  # type: ignore[misc]
        else:
            notes.append("sevendigital ship: skipped, the extra `cli` is not installed")
    lines = files[JSON_LINES]
    sides[Side(LIBRARY_MEMORY, JSON_LINES)] = lambda: script("ship_file.py", lines)
    sides[Side(LIBRARY_FILE, JSON_LINES)] = lambda: script("ship_file.py", lines, next(spools))
    return sides, list(dict.fromkeys(notes))


def _write(folder: Path, plays: Sequence[Play], formats: Sequence[str]) -> dict[str, Path]:
    """Write the plays in each format."""
    lines = b"".join([stream_log(play).encode() + b"\n" for play in plays])
    spaced = [
        json.dumps(orjson.loads(line) | {"timestamp": p.played_at.isoformat()})
        for line, p in zip(lines.splitlines(), plays, strict=True)
    ]
    table = io.StringIO(newline="")
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(("trackId", "userId", "clientId", "timestamp", "durationPlayed", "country"))
    writer.writerows((p.track_id, p.user_id, p.device, p.played_at.isoformat(), p.seconds, p.country) for p in plays)
    contents = {
        JSON_LINES: ("plays.jsonl", lines),
        SPACED: ("spaced.jsonl", "\n".join([*spaced, ""]).encode()),
        GZIP: ("plays.jsonl.gz", gzip.compress(lines, 6)),
        CSV: ("plays.csv", table.getvalue().encode()),
    }
    files = {kind: folder / contents[kind][0] for kind in formats}
    for kind, file in files.items():
        file.write_bytes(contents[kind][1])
    return files


def _run(command: Sequence[str]) -> Process:
    """Run a program to its end."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command, env=os.environ | PYTHON, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    with _watching_memory(process.pid) as peaks:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
    process.stdout.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise AssertionError(f"{' '.join(command)}: exit code {process.returncode}\n{output}")
    return Process(Timing(wall, usage.ru_utime + usage.ru_stime), max(peaks, default=0.0))


@contextmanager
def _watching_memory(pid: int) -> Iterator[list[float]]:
    """Read the peak memory of a process repeatedly. What ``wait4`` returns may be that of its parent."""
    peaks: list[float] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.02):
            try:
                status = Path(f"/proc/{pid}/status").read_text()
            except OSError:
                return
            peaks.extend(int(line.split()[1]) * 1024 / 1e6 for line in status.splitlines() if line.startswith("VmHWM"))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peaks
    finally:
        ended.set()
        thread.join()
