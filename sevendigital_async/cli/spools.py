"""Where the plays of a command are kept."""

from __future__ import annotations

import enum
import os
from collections.abc import Mapping
from pathlib import Path

from attrs import field, frozen

from ..models import LogKind
from ..shipping import Counts, Spool
from ..shipping.places import REDIS, open_archive, open_spool
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
    if wanted == MEMORY:
        return None
    if wanted is not None:
        return wanted
    lasting = source.regular or not source.name.startswith(NAMELESS)
    return str(beside(source.name if lasting else "stdin", ".spool", regular=source.regular))


def directory_of(place: str) -> Path | None:
    """Return the directory of a spool that is a file."""
    return None if place.startswith(REDIS) else Path(place).parent


def spool_at(place: str, synchronous: Synchronous) -> Spool:
    """Return a durable spool.

    Raises:
        ConfigurationError: Nothing can be kept there.
    """
    if not place or place.startswith(REDIS):
        return open_spool(place)
    return SqliteSpool(place, synchronous="FULL" if synchronous is Synchronous.FULL else "NORMAL")


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
    if not place.startswith(REDIS) and not os.path.exists(place):  # noqa: ASYNC240, PTH110 - one look before it begins
        return Found()
    archive = open_archive(place)
    try:
        return Found((await archive.status()).counts, None if source is None else await archive.bookmark(source))
    finally:
        await archive.aclose()
