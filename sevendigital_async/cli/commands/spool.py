"""``sevendigital spool``: how a spool stands."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from typing import Any

import typer
from attrs import asdict

from ...models import LogKind
from ...shipping.spools.inspector import SpoolStatus
from ..output import JsonOption, Opened, SpoolOption, Styled, one_line, say, say_json
from ..ship.display import rendered, table

HELP = "Look at a spool, the file in which plays are kept until they are delivered."

STATUS_HELP = """Say how a spool stands: where its plays are, how long the oldest has waited, and whether it is in use.

A shipper may have it open meanwhile. Plays that are on their way count as waiting.

\b
Examples:
  sevendigital spool status --spool plays.jsonl.spool
  sevendigital spool status --spool plays.jsonl.spool --json

\b
Exit codes:
  0  it could be read
  1  it could not
"""

PLACES = ("put", "delivered", "waiting", "buried", "held", "in_doubt")

app = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None:
    pass


@app.command("status", help=STATUS_HELP, no_args_is_help=True)
def status(*, spool: SpoolOption, json: JsonOption = False) -> None:
    """Print the figures."""
    found = asyncio.run(_status(spool))
    if json:
        say_json(as_json(found))
    else:
        say(as_text(found, datetime.now(UTC)))


async def _status(spool: str) -> SpoolStatus:
    async with Opened(spool) as archive:
        return await archive.status()


def as_json(status: SpoolStatus) -> dict[str, Any]:
    """Return the figures as a tree."""
    return {
        "spool": status.location,
        "in_use": status.in_use,
        "size": status.size,
        "durability": status.durability,
        "kinds": {
            kind.value: {**asdict(status.counts[kind]), "oldest_waiting": status.oldest[kind]} for kind in LogKind
        },
    }


def as_text(status: SpoolStatus, now: datetime) -> Styled:
    """Return the figures as a table, and a few words about the spool."""
    rows = [
        (
            kind.value,
            *(f"{getattr(status.counts[kind], place):,}" for place in PLACES),
            age(status.oldest[kind], now),
        )
        for kind in LogKind
    ]
    shown = rendered(table(("", *(place.replace("_", " ") for place in PLACES), "oldest"), rows), sys.stdout)
    use = "a shipper has it open" if status.in_use else "no shipper has it open"
    about = f"{status.location}: {use}; {status.size:,} bytes"
    return Styled("\n".join([shown, one_line(about), one_line(status.durability)]))


def age(since: datetime | None, now: datetime) -> str:
    """Say in a few characters how long ago something was."""
    if since is None:
        return "-"
    seconds = max(0, int((now - since).total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
