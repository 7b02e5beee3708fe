"""``python -m benchmarks [--quick] [names...]``: run jobs, print their tables, write their results as JSON."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from . import call, decode, durable, file, growth, health, preview, ship, sign, start
from .pages import write_page
from .report import Report, as_text, environment, write
from .scale import Scale

JOBS: Mapping[str, Callable[[Scale], Report]] = {
    "call": call.run,
    "sign": sign.run,
    "decode": decode.run,
    "ship": ship.run,
    "preview": preview.run,
    "file": file.run,
    "durable": durable.run,
    "growth": growth.run,
    "health": health.run,
    "start": start.run,
}
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Run the jobs named on the command line, or all of them."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure the package against other libraries."
    )
    parser.add_argument("jobs", nargs="*", metavar="job", help=f"the jobs to run: {', '.join(JOBS)}; all by default")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FOLDER", help="the folder for the results")
    scale = parser.add_mutually_exclusive_group()
    scale.add_argument(
        "--quick", action="store_const", const=Scale.QUICK, dest="scale", help="run every job in a few minutes"
    )
    scale.add_argument(
        "--smallest",
        action="store_const",
        const=Scale.SMALLEST,
        dest="scale",
        help="run every job within seconds; the figures mean nothing",
    )
    parser.set_defaults(scale=Scale.FULL)
    options = parser.parse_args()
    if unknown := set(options.jobs) - JOBS.keys():
        parser.error(f"no such job: {', '.join(sorted(unknown))}")
    print(", ".join(f"{name} {value}" for name, value in environment().items()))
    for name in options.jobs or JOBS:
        report = JOBS[name](options.scale)
        print(f"\n{as_text(report)}", flush=True)
        write(report, options.scale, options.results)
    print(f"\n{write_page(options.results, list(JOBS))}")


if __name__ == "__main__":
    main()
