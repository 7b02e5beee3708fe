"""Options that the commands about spools share."""

from __future__ import annotations

from typing import Annotated

import typer

from ..models import LogKind
from ..shipping.archive import Archive
from ..shipping.places import open_archive

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


class Opened:
    """An archive for the length of a block.

    Args:
        spool: Its name.

    Raises:
        ConfigurationError: There can be none.
    """

    def __init__(self, spool: str) -> None:
        self._archive = open_archive(spool)

    async def __aenter__(self) -> Archive:
        """Begin."""
        return self._archive

    async def __aexit__(self, *_: object) -> None:
        """Let go of it."""
        await self._archive.aclose()
