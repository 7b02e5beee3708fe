"""What to ship, and how."""

from __future__ import annotations

import enum
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import orjson
from attrs import field, frozen

from ...config import UserToken
from ...errors import ConfigurationError
from ...models import LogKind
from ...models.wire import duplicate_key
from ...shipping import Counts, Spool
from ...shipping.spools.registry import file_of, open_inspector, open_spool, scheme_of
from ...shipping.spools.sqlite import SqliteSpool
from .reject_file import beside
from .source import Source

MEMBERS = {"token", "secret"}


def read_tokens(path: Path) -> dict[str, UserToken]:
    """Read a JSON object of user id to ``{"token": ..., "secret": ...}``.

    Raises:
        ConfigurationError: Unreadable or malformed; the message names the user at fault, and no token or secret.
    """
    try:
        content = path.read_bytes()
        wanted = orjson.loads(content)
    except (OSError, ValueError) as error:
        if isinstance(error, orjson.JSONDecodeError):
            # The error keeps the document, secrets included; only its words go on.
            raise ConfigurationError(f"the tokens in {path} are not valid JSON: {error}") from None
        words = error.strerror if isinstance(error, OSError) else error
        raise ConfigurationError(f"cannot read the tokens in {path}: {words}") from None
    if (twice := duplicate_key(content)) is not None:
        raise ConfigurationError(f"the tokens in {path} have the key {twice!r} twice")
    if not isinstance(wanted, dict):
        raise ConfigurationError(f"the tokens in {path} must be a JSON object from user id to token")
    return {user: _token(user, value, path) for user, value in wanted.items()}


def _token(user: str, value: object, path: Path) -> UserToken:
    if not isinstance(value, dict) or value.keys() != MEMBERS:
        raise ConfigurationError(f'user {user!r} in {path} needs an object of "token" and "secret", and nothing else')
    try:
        return UserToken(**value)
    except ConfigurationError as error:
        raise ConfigurationError(f"user {user!r} in {path}: {error}") from None


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
    archive = open_inspector(place)
    try:
        return Found((await archive.status()).counts, None if source is None else await archive.checkpoint(source))
    finally:
        await archive.aclose()


@frozen(kw_only=True)
class ShipOptions:
    """What to ship, and how.

    Attributes:
        kind: Of the plays.
        tokens: Of users; None if the partner signs alone.
        spool: Where accepted plays wait; None for memory.
        synchronous: What plays in a file survive.
        journal_days: Days for which a file keeps its journal.
        in_doubt: What becomes of plays whose answer was lost.
        first_line: Number of the line to begin with; None to go on where an earlier run has stopped.
        patience: Seconds without a single delivery after which to give up.
        drain: Seconds that delivering may take after a stop.
        linger: Seconds that an incomplete batch waits for company.
    """

    kind: LogKind
    tokens: Mapping[str, UserToken] | None = None
    spool: str | None = None
    synchronous: Synchronous = Synchronous.FULL
    journal_days: float = 400.0
    in_doubt: Literal["resend", "hold"] = "resend"
    first_line: int | None = None
    patience: float = 300.0
    drain: float = 30.0
    linger: float = 5.0
