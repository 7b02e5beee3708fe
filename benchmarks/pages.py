"""Write ``report.md`` from the JSON results in a folder, with a chart for each job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from .optional import present
from .report import cell

PAGE = "report.md"
OURS = ("sevendigital_async", "client.", "shipper", "sign,", "aiohttp, ours", "aiohttp, then ours")


def write_page(folder: Path, order: Sequence[str]) -> Path:
    """Write the page for all jobs with results in ``folder``."""
    results = {path.stem: orjson.loads(path.read_bytes()) for path in folder.glob("*.json")}
    results = {job: results[job] for job in order if job in results}
    lines = ["# Benchmarks", "", *_environments(results)]
    for job, result in results.items():
        lines += [f"## {job}", "", f"{result['title']} ({result['scale']} scale)", "", *_table(result["rows"]), ""]
        lines += [f"- {_verdict(target)}" for target in result["targets"]]
        lines += [f"- {note}" for note in result["notes"]]
        if present("matplotlib"):
            _draw(result, folder / f"{job}.svg")
            lines += ["", f"![{result['title']}]({job}.svg)"]
        lines.append("")
    path = folder / PAGE
    path.write_text("\n".join(lines))
    return path


def _environments(results: Mapping[str, Any]) -> list[str]:
    environments = (result["environment"] for result in results.values())
    lines = {", ".join(f"{name} {value}" for name, value in one.items()) for one in environments}
    return [text for line in sorted(lines) for text in (line, "")]


def _table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    columns = list(rows[0])
    sides = ["---" if isinstance(rows[0][column], str) else "---:" for column in columns]
    body = [[cell(row[column]) for column in columns] for row in rows]
    return [f"| {' | '.join(line)} |" for line in (columns, sides, *body)]


def _verdict(target: Mapping[str, Any]) -> str:
    bound = f"at least {target['at_least']:g}" if target["at_least"] is not None else f"at most {target['at_most']:g}"
    return f"{target['what']}: {target['value']:.3g}, target {bound}: {'met' if target['met'] else '**missed**'}"


def _draw(result: Mapping[str, Any], path: Path) -> None:
    """Draw one column as a bar chart; our bars have another colour."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    column, rows = result["chart"], result["rows"]
    labels = [", ".join(cell(row[name]) for name in result["labels"]) for row in rows]
    colours = ["tab:orange" if any(name in label for name in OURS) else "tab:gray" for label in labels]
    figure, axes = plt.subplots(figsize=(9, 0.8 + 0.32 * len(rows)), layout="constrained")
    bars = axes.barh(range(len(rows)), [row[column] for row in rows], color=colours)
    axes.bar_label(bars, [cell(row[column]) for row in rows], padding=3)
    axes.set_yticks(range(len(rows)), labels)
    axes.invert_yaxis()
    axes.set_xlabel(column)
    axes.margins(x=0.12)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
