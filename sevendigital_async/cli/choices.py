"""Options that the commands about spools share."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from ..errors import ConfigurationError
from ..models import LogKind
from ..shipping.archive import Archive
from ..shipping.places import open_archive
from .output import one_line

SpoolOption = Annotated[
    str, typer.Option("--spool", metavar="SPOOL", help="The spool: a file such as plays.jsonl.spool, or redis://...")
]
KindOption = Annotated[LogKind | None, typer.Option("--kind", help="Only plays of this kind.")]
SinceOption = Annotated[
    str | None,
    typer.Option("--since", metavar="WHEN", help="From then on: 2026-11-01, with a time if need be, or 7d (days ago)."),
]
UntilOption = Annotated[str | None, typer.Option("--until", metavar="WHEN", help="Before then.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]


def check_place(place: str) -> str:
    """Return the name of a spool, if it can be one at all.

    Raises:
        ConfigurationError: It is a file name that no file can have: too long, with a NUL, or links in a circle.
    """
    if "://" not in place:
        try:
            Path(place).resolve().exists()
        except (OSError, ValueError, RuntimeError) as error:
            words = error.strerror if isinstance(error, OSError) else str(error)
            raise ConfigurationError(f"cannot use {one_line(place)} as a spool: {words}") from None
    return place


def finite(value: float) -> float:
    """Refuse what is no number of anything.

    Raises:
        typer.BadParameter: It is NaN or infinite.
    """
    if not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a finite number")
    return value


class Opened:
    """An archive for the length of a block.

    Args:
        spool: Its name.

    Raises:
        ConfigurationError: There can be none.
    """

    def __init__(self, spool: str) -> None:
        self._archive = open_archive(check_place(spool))

    async def __aenter__(self) -> Archive:
        """Begin."""
        return self._archive

    async def __aexit__(self, *_: object) -> None:
        """Let go of it."""
        await self._archive.aclose()
