"""``sevendigital spool``: the state of a spool."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from typing import Any

import typer
from attrs import asdict

from ...models import LogKind
from ...quantity import pluralize
from ...shipping.spools.inspector import SpoolStatus
from ..options import JsonOption, SpoolOption, inspect_spool
from ..output import TerminalText, echo, echo_json, one_line
from ..tables import Table, wrap

HELP = "Show the state of a spool, the file or server that keeps plays until they are delivered."

STATUS_HELP = """Show how many plays a spool has put, delivered, waiting, buried and held, and how old the oldest is.

The spool may be in use by a shipper. Plays in a request that is under way count as waiting.

\b
Examples:
  sevendigital spool status --spool plays.jsonl.spool
  sevendigital spool status --spool plays.jsonl.spool --json

\b
Exit codes:
  0  the state is printed
  1  wrong usage, or the spool cannot be read
"""

COUNT_NAMES = ("put", "delivered", "waiting", "buried", "held", "in_doubt")

app = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None:
    pass


@app.command("status", help=STATUS_HELP, short_help="Show the counts of a spool.", no_args_is_help=True)
def status(*, spool: SpoolOption, json: JsonOption = False) -> None:
    found = asyncio.run(_status(spool))
    if json:
        echo_json(as_json(found))
    else:
        echo(as_text(found, datetime.now(UTC)))


async def _status(spool: str) -> SpoolStatus:
    async with inspect_spool(spool) as inspector:
        return await inspector.status()


def as_json(status: SpoolStatus) -> dict[str, Any]:
    return {
        "spool": status.location,
        "in_use": status.in_use,
        "size": status.size,
        "durability": status.durability,
        "kinds": {
            kind.value: {**asdict(status.counts[kind]), "oldest_waiting": status.oldest[kind]} for kind in LogKind
        },
    }


def as_text(status: SpoolStatus, now: datetime) -> TerminalText:
    rows = [
        (
            kind.value,
            *(f"{getattr(status.counts[kind], name):,}" for name in COUNT_NAMES),
            format_age(status.oldest[kind], now),
        )
        for kind in LogKind
    ]
    counts = Table(("", *(name.replace("_", " ") for name in COUNT_NAMES), "oldest waiting"), rows)
    use = "in use by a shipper" if status.in_use else "not in use"
    lines = [f"{status.location}: {use}, {pluralize(status.size, 'byte')}", status.durability]
    return TerminalText("\n".join([counts.render(sys.stdout), *(wrap(one_line(line), sys.stdout) for line in lines)]))


def format_age(since: datetime | None, now: datetime) -> str:
    if since is None:
        return "-"
    seconds = max(0, int((now - since).total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
