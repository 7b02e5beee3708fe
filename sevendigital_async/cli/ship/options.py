"""The options of a run, its tokens and its spool."""

from __future__ import annotations

import codecs
import enum
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Literal

import orjson
import typer
from attrs import frozen

from ...config import UserToken
from ...errors import ConfigurationError
from ...models import LogKind
from ...models.wire import duplicate_key
from ...monitoring import ServiceNotifier, WorkerMonitor
from ...shipping import Counts, Spool
from ...shipping.spools.registry import file_of, open_spool, scheme_of
from ...sources import ReadCheckpoint
from ...sources.ingestion import source_position
from ..options import check_finite, inspect_spool
from .inputs import Input
from .reject_file import output_path

TOKEN_KEYS = {"token", "secret"}


def read_tokens(path: Path) -> dict[str, UserToken]:
    """Read a JSON object of user id to ``{"token": ..., "secret": ...}``.

    Raises:
        ConfigurationError: The file cannot be read or is malformed; the message names the user but no secret.
    """
    try:
        content = path.read_bytes().removeprefix(codecs.BOM_UTF8)
        tokens = orjson.loads(content)
    except (OSError, ValueError) as error:
        if isinstance(error, orjson.JSONDecodeError):
            # The error holds the document with its secrets; only its message is used.
            raise ConfigurationError(f"{path} is not valid JSON: {error}") from None
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigurationError(f"cannot read {path}: {reason}") from None
    if (twice := duplicate_key(content)) is not None:
        raise ConfigurationError(f"{path} has the user id {twice!r} twice")
    if not isinstance(tokens, dict):
        raise ConfigurationError(f"{path} must be a JSON object of user ids and tokens")
    return {user: _token(user, value, path) for user, value in tokens.items()}


def _token(user: str, value: object, path: Path) -> UserToken:
    if not isinstance(value, dict) or value.keys() != TOKEN_KEYS:
        raise ConfigurationError(f'user {user!r} in {path} must be an object with "token" and "secret" only')
    try:
        return UserToken(**value)
    except ConfigurationError as error:
        raise ConfigurationError(f"user {user!r} in {path}: {error}") from None


MEMORY = "memory"
PIPE_DIRECTORIES = ("/dev/", "/proc/")
"""Where the shell's pipes are; their names mean something else in the next run."""


class Synchronous(enum.StrEnum):
    """What plays in a file survive: a power cut, or a crash of the process."""

    FULL = "full"
    NORMAL = "normal"


def choose_spool(spool: str | None, source: Input) -> str | None:
    """Return the spool for an input: the given one, or a file beside the input; None for memory."""
    if spool is not None:
        if spool != MEMORY and scheme_of(spool) != MEMORY:
            return spool
        if source.is_endless:
            raise ConfigurationError(
                f"{source.name} is read until a signal, and a spool in memory would lose or double plays at the next"
                " start; name a file or redis://... with --spool"
            )
        return None
    if not source.is_single:
        # Without the checkpoints of the last run, all files would be shipped again.
        raise ConfigurationError(
            "several files share one spool: name it with --spool, the same one in every run (such as --spool plays.db)"
        )
    if source.is_rereadable:
        return str(output_path(source.base_name, ".spool", is_regular=True))
    base = "stdin" if source.base_name.startswith(PIPE_DIRECTORIES) else source.base_name
    return str(output_path(base, ".spool", is_regular=False))


def spool_directory(spool: str) -> Path | None:
    file = file_of(spool)
    return None if file is None else file.parent


def durable_spool(spool: str, synchronous: Synchronous, journal_days: float) -> Spool:
    """Return a spool that outlives the process."""
    file = file_of(spool) if spool else None
    if file is None:
        return open_spool(spool)
    from ...shipping.spools.sqlite import SqliteSpool  # noqa: PLC0415 - a run with another spool does without it

    pragma: Literal["FULL", "NORMAL"] = "FULL" if synchronous is Synchronous.FULL else "NORMAL"
    return SqliteSpool(file, synchronous=pragma, journal_days=journal_days)


@frozen
class SpoolContents:
    """What earlier runs have left in a spool."""

    counts: Mapping[LogKind, Counts]
    position: ReadCheckpoint


@asynccontextmanager
async def read_spool_contents(spool: str | None) -> AsyncIterator[SpoolContents]:
    """Read what is in a spool, before it is opened for a run."""
    if spool is None or not spool_exists(spool):

        async def no_position(_: str) -> None:
            return None

        yield SpoolContents(dict.fromkeys(LogKind, Counts()), no_position)
        return
    async with inspect_spool(spool) as inspector:

        async def position(stream: str) -> str | None:
            return source_position(await inspector.checkpoint(stream))

        yield SpoolContents((await inspector.status()).counts, position)


def spool_exists(spool: str) -> bool:
    """Return whether a spool is there already; one that is not a file always is."""
    file = file_of(spool)
    return file is None or os.path.exists(file)  # noqa: PTH110 - any text


@frozen(kw_only=True)
class ShipOptions:
    """What to ship, and how.

    Attributes:
        kind: Kind of plays whose kind the input does not give; None if it gives all.
        tokens: By user; None if the partner signs alone.
        spool: Its name; None for memory.
        synchronous: What plays in a file survive.
        journal_days: Days for which a file keeps its journal.
        in_doubt: What to do with plays whose response was lost.
        first_line: Number of the line to start at; None to continue where an earlier run stopped.
        patience: Seconds without a delivery after which the run stops; None for never.
        drain: Seconds to deliver what was read after the run has stopped.
        linger: Seconds that an incomplete batch waits for more input.
    """

    kind: LogKind | None = None
    tokens: Mapping[str, UserToken] | None = None
    spool: str | None = None
    synchronous: Synchronous = Synchronous.FULL
    journal_days: float = 400.0
    in_doubt: Literal["resend", "hold"] = "resend"
    first_line: int | None = None
    patience: float | None = 300.0
    drain: float = 30.0
    linger: float = 5.0


def make_monitor(
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
            help="/healthz is unhealthy after this time without a response of the service or the spool.",
        ),
    ] = 300.0,
) -> WorkerMonitor:
    """Make the monitor of a command that may run as a service; open it."""
    return WorkerMonitor(http=http, stalled_after=stalled_after, notifier=ServiceNotifier.from_environment(os.environ))
