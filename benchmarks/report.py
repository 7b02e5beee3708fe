"""The results of a job: a table for the terminal, and JSON."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypeAlias

import orjson
from attrs import asdict, field, frozen

from sevendigital_async import __version__

from . import generated
from .scale import Scale

Row: TypeAlias = Mapping[str, str | int | float]

COMPARED = (
    "aiohttp",
    "aiolimiter",
    "attrs",
    "authlib",
    "cattrs",
    "httpx",
    "litequeue",
    "msgspec",
    "oauthlib",
    "openapi-python-client",
    "opentelemetry-exporter-otlp-proto-http",
    "opentelemetry-sdk",
    "orjson",
    "persist-queue",
    "posthog",
    "pydantic",
    "redis",
    "segment-analytics-python",
    "yarl",
)


@frozen
class Target:
    """A figure and its bound: ``at_least`` or ``at_most``."""

    what: str
    value: float
    at_least: float | None = None
    at_most: float | None = None

    @property
    def met(self) -> bool:
        """Whether the figure is within its bounds."""
        return (self.at_least is None or self.value >= self.at_least) and (
            self.at_most is None or self.value <= self.at_most
        )

    def __str__(self) -> str:
        bounds = {"at least": self.at_least, "at most": self.at_most}
        bounds_text = " and ".join(f"{name} {bound:g}" for name, bound in bounds.items() if bound is not None)
        return f"{self.what}: {self.value:.3g}, target {bounds_text}: {'met' if self.met else 'MISSED'}"


@frozen
class Report:
    """A job's results.

    Attributes:
        job: Its name.
        title: What was measured.
        rows: The table; all rows have the same columns.
        targets: The figures with a bound.
        samples: The measurements behind the medians, by side.
        notes: Skipped sides with the reason, and the settings of others.
        chart: The column that is drawn.
        labels: The columns that name the bars.
    """

    job: str
    title: str
    rows: Sequence[Row]
    targets: Sequence[Target]
    samples: Mapping[str, Sequence[float]]
    notes: Sequence[str] = ()
    chart: str = field(kw_only=True)
    labels: Sequence[str] = field(kw_only=True, default=("side",))


def as_text(report: Report) -> str:
    """Return a report as text for a terminal."""
    columns = list(report.rows[0])
    cells = [columns, *([cell(row[column]) for column in columns] for row in report.rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    words = [isinstance(value, str) for value in report.rows[0].values()]
    lines = [
        "  ".join(
            text.ljust(width) if is_word else text.rjust(width)
            for text, width, is_word in zip(line, widths, words, strict=True)
        ).rstrip()
        for line in cells
    ]
    rule = "  ".join("-" * width for width in widths)
    return "\n".join(
        [f"{report.job}: {report.title}", "", lines[0], rule, *lines[1:], "", *map(str, report.targets), *report.notes]
    )


def cell(value: str | float) -> str:
    """Return a value as text, with its significant digits."""
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if isinstance(value, int) or abs(value) >= 1000 else f"{value:.3g}"


def write(report: Report, scale: Scale, folder: Path) -> Path:
    """Write a report as JSON, with the versions of all packages compared."""
    folder.mkdir(parents=True, exist_ok=True)
    targets = [{**asdict(target), "met": target.met} for target in report.targets]
    content = {**asdict(report), "targets": targets, "scale": scale, "environment": environment()}
    path = folder / f"{report.job}.json"
    path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))
    return path


def environment() -> dict[str, str | int]:
    """Return the interpreter, system, cores and package versions."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.machine()}",
        "cores": usable,
        "sevendigital_async": __version__,
        "sqlite": sqlite3.sqlite_version,
        **{name: found for name in COMPARED if (found := _version(name))},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return generated.version() if package == generated.GENERATOR else None
