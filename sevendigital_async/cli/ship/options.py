"""The options of a run, its tokens and its spool."""

from __future__ import annotations

import enum
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import orjson
import typer
from attrs import field, frozen

from ...config import UserToken
from ...errors import ConfigurationError
from ...models import LogKind
from ...models.wire import duplicate_key
from ...monitoring import ServiceNotifier, WorkerMonitor
from ...shipping import Counts, Spool
from ...shipping.spools.registry import file_of, open_spool, scheme_of
from ...shipping.spools.sqlite import SqliteSpool
from ..options import check_finite, inspect_spool
from .reject_file import beside
from .source import Source

TOKEN_KEYS = {"token", "secret"}


def read_tokens(path: Path) -> dict[str, UserToken]:
    """Read a JSON object of user id to ``{"token": ..., "secret": ...}``.

    Raises:
        ConfigurationError: The file cannot be read or is malformed; the message names the user but no secret.
    """
    try:
        content = path.read_bytes()
        tokens = orjson.loads(content)
    except (OSError, ValueError) as error:
        if isinstance(error, orjson.JSONDecodeError):
            # The error holds the document with its secrets; only its message is used.
            raise ConfigurationError(f"the tokens in {path} are not valid JSON: {error}") from None
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigurationError(f"cannot read the tokens in {path}: {reason}") from None
    if (twice := duplicate_key(content)) is not None:
        raise ConfigurationError(f"the tokens in {path} have the key {twice!r} twice")
    if not isinstance(tokens, dict):
        raise ConfigurationError(f"the tokens in {path} must be a JSON object from user id to token")
    return {user: _token(user, value, path) for user, value in tokens.items()}


def _token(user: str, value: object, path: Path) -> UserToken:
    if not isinstance(value, dict) or value.keys() != TOKEN_KEYS:
        raise ConfigurationError(f'user {user!r} in {path} needs an object of "token" and "secret", and nothing else')
    try:
        return UserToken(**value)
    except ConfigurationError as error:
        raise ConfigurationError(f"user {user!r} in {path}: {error}") from None


MEMORY = "memory"
TEMPORARY_NAMES = ("/dev/", "/proc/")
"""Where the shell's pipes are; their names mean something else in the next run."""


class Synchronous(enum.StrEnum):
    """What plays in a file survive: a power cut, or a crash of the process."""

    FULL = "full"
    NORMAL = "normal"


def spool_for(spool: str | None, source: Source) -> str | None:
    """Return the spool for an input: the given one, or a file beside the input; None for memory."""
    if spool is not None:
        return None if spool == MEMORY or scheme_of(spool) == MEMORY else spool
    lasting = source.regular or not source.name.startswith(TEMPORARY_NAMES)
    return str(beside(source.name if lasting else "stdin", ".spool", regular=source.regular))


def directory_of(spool: str) -> Path | None:
    """Return the directory of a spool that is a file."""
    file = file_of(spool)
    return None if file is None else file.parent


def durable_spool(spool: str, synchronous: Synchronous, journal_days: float) -> Spool:
    """Return a spool that outlives the process.

    Args:
        spool: Its name.
        synchronous: What plays in a file survive.
        journal_days: Days for which a file keeps its journal.

    Raises:
        ConfigurationError: There cannot be a spool of that name.
    """
    file = file_of(spool) if spool else None
    if file is None:
        return open_spool(spool)
    pragma: Literal["FULL", "NORMAL"] = "FULL" if synchronous is Synchronous.FULL else "NORMAL"
    return SqliteSpool(file, synchronous=pragma, journal_days=journal_days)


@frozen
class SpoolContents:
    """What earlier runs have left in a spool.

    Attributes:
        counts: Of plays, by kind.
        checkpoint: Of the input; None if there is none.
    """

    counts: Mapping[LogKind, Counts] = field(factory=lambda: dict.fromkeys(LogKind, Counts()))
    checkpoint: str | None = None


async def read_spool(spool: str, source: str | None) -> SpoolContents:
    """Read what is in a durable spool, before it is opened for a run.

    Args:
        spool: Its name.
        source: The name of the input in the spool; None if the input cannot be read twice.

    Raises:
        SpoolError: The spool cannot be read.
    """
    file = file_of(spool)
    if file is not None and not os.path.exists(file):  # noqa: ASYNC240, PTH110 - before anything else runs
        return SpoolContents()
    async with inspect_spool(spool) as inspector:
        counts = (await inspector.status()).counts
        return SpoolContents(counts, None if source is None else await inspector.checkpoint(source))


@frozen(kw_only=True)
class ShipOptions:
    """What to ship, and how.

    Attributes:
        kind: Of the plays.
        tokens: By user; None if the partner signs alone.
        spool: Its name; None for memory.
        synchronous: What plays in a file survive.
        journal_days: Days for which a file keeps its journal.
        in_doubt: What to do with plays whose answer was lost.
        first_line: Number of the line to start at; None to continue where an earlier run stopped.
        patience: Seconds without a delivery after which the run stops.
        drain: Seconds to deliver what was read after the run has stopped.
        linger: Seconds that an incomplete batch waits for more input.
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


def monitor(
    *,
    http: Annotated[
        str | None,
        typer.Option(
            "--http",
            metavar="[HOST:]PORT",
            show_default=False,
            help="Serve /healthz, /readyz, /metrics and /statistics there; on 127.0.0.1 if HOST is left out.",
        ),
    ] = None,
    stalled_after: Annotated[
        float,
        typer.Option(
            "--stalled-after",
            min=0,
            max=1e9,
            callback=check_finite,
            metavar="SECONDS",
            help="/healthz is unhealthy after this time without an answer of the service or the spool.",
        ),
    ] = 300.0,
) -> WorkerMonitor:
    """Make the monitor of a command that may run as a service; open it.

    Raises:
        ConfigurationError: That is not an address, or the extra is not installed.
    """
    return WorkerMonitor(http=http, stalled_after=stalled_after, notifier=ServiceNotifier.from_environment(os.environ))
