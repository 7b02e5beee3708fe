"""Where the plays of a command are kept."""

from __future__ import annotations

import enum
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from attrs import field, frozen

from ..models import LogKind
from ..shipping import Counts, Spool
from ..shipping.places import file_of, open_archive, open_spool, scheme_of
from ..shipping.sqlite import SqliteSpool
from .leftovers import beside
from .source import Source

MEMORY = "memory"
NAMELESS = ("/dev/", "/proc/")
"""Where the shell's own pipes are; their numbers mean nothing a moment later."""


class Synchronous(enum.StrEnum):
    """What an accepted play survives."""

    FULL = "full"
    NORMAL = "normal"


def place_for(wanted: str | None, source: Source) -> str | None:
    """Return the spool to use for an input: the one that is wanted, or a file beside the input; None for memory."""
    if wanted is not None:
        return None if wanted == MEMORY or scheme_of(wanted) == MEMORY else wanted
    lasting = source.regular or not source.name.startswith(NAMELESS)
    return str(beside(source.name if lasting else "stdin", ".spool", regular=source.regular))


def directory_of(place: str) -> Path | None:
    """Return the directory of a spool that is a file."""
    file = file_of(place)
    return None if file is None else file.parent


def spool_at(place: str, synchronous: Synchronous, journal_days: float) -> Spool:
    """Return a durable spool.

    Args:
        place: Its name.
        synchronous: What plays in a file survive.
        journal_days: Days for which a file keeps its journal.

    Raises:
        ConfigurationError: Nothing can be kept there.
    """
    file = file_of(place) if place else None
    if file is None:
        return open_spool(place)
    words: Literal["FULL", "NORMAL"] = "FULL" if synchronous is Synchronous.FULL else "NORMAL"
    return SqliteSpool(file, synchronous=words, journal_days=journal_days)


@frozen
class Found:
    """What earlier runs have left in a spool.

    Attributes:
        counts: Where the plays are, by kind.
        position: How far the input was read; None if it was not.
    """

    counts: Mapping[LogKind, Counts] = field(factory=lambda: dict.fromkeys(LogKind, Counts()))
    position: str | None = None


async def look_into(place: str, source: str | None) -> Found:
    """Say what is in a durable spool, before anybody opens it.

    Args:
        place: The spool.
        source: What it calls the input; None if the input can't be read twice.

    Raises:
        SpoolError: It cannot be read.
    """
    file = file_of(place)
    if file is not None and not os.path.exists(file):  # noqa: ASYNC240, PTH110 - one look before it begins
        return Found()
    archive = open_archive(place)
    try:
        return Found((await archive.status()).counts, None if source is None else await archive.bookmark(source))
    finally:
        await archive.aclose()
