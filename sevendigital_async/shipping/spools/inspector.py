"""The inspector of a durable spool: reads its journal and its dead letters, also while a shipper runs."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from attrs import field, frozen

from ...models import LogKind, StreamLog
from ..records import Counts


class JournalOutcome(enum.StrEnum):
    """The outcome of a play in one request."""

    DELIVERED = "delivered"
    IN_DOUBT = "in-doubt"
    """It may or may not have reached the service; written before the play is sent again."""
    DISCARDED = "discarded"
    """An operator discarded it: it is not sent."""


@frozen
class JournalEntry:
    """One play in one request.

    Attributes:
        kind: Kind of the play.
        body: The play as it was accepted.
        outcome: What happened to it.
        at: When the outcome was known.
        request_id: Our id of the request.
        answer: The service's response; empty if none arrived.
        in_doubt: It may have reached the service in an earlier request as well.
    """

    kind: LogKind
    body: bytes = field(repr=False)
    outcome: JournalOutcome
    at: datetime
    request_id: str
    answer: str
    in_doubt: bool

    @property
    def log(self) -> StreamLog:
        """The play as it was put."""
        return StreamLog.decode(self.body)


class DeadLetterState(enum.StrEnum):
    """The states of a dead letter."""

    BURIED = "buried"
    """The service refused the play, or it became too old."""
    HELD = "held"
    """It may have been delivered; it is not sent again until an operator decides."""


@frozen
class StoredDeadLetter:
    """A dead letter in a durable spool.

    Attributes:
        id: Names it to :meth:`SpoolInspector.replay` and :meth:`SpoolInspector.discard`.
        kind: Kind of the play.
        body: The play as it was accepted.
        state: Buried or held.
        reason: Why, in the service's words where it gave any.
        code: The service's error code, if it gave one.
        at: When it became a dead letter.
        in_doubt: It may have reached the service all the same.
    """

    id: str
    kind: LogKind
    body: bytes = field(repr=False)
    state: DeadLetterState
    reason: str
    code: int | None
    at: datetime
    in_doubt: bool

    @property
    def log(self) -> StreamLog:
        """The play as it was put."""
        return StreamLog.decode(self.body)


@frozen
class SpoolStatus:
    """A snapshot of a spool.

    Attributes:
        location: The file, or the URL without its password.
        in_use: A shipper has it open now.
        counts: Where the plays are, by kind.
        oldest: When the oldest waiting play was accepted, by kind; None where nothing waits.
        size: Its size in bytes.
        durability: What an accepted play survives, such as a power cut.
    """

    location: str
    in_use: bool
    counts: Mapping[LogKind, Counts]
    oldest: Mapping[LogKind, datetime | None]
    size: int
    durability: str


class SpoolInspector(Protocol):
    """Reads a durable spool, and replays or discards its dead letters."""

    def journal(
        self, *, kind: LogKind | None = None, since: datetime | None = None, until: datetime | None = None
    ) -> AsyncIterator[JournalEntry]:
        """Iterate over the journal, oldest first; ``since`` is included, ``until`` is not."""
        ...

    def dead_letters(
        self, *, kind: LogKind | None = None, state: DeadLetterState | None = None
    ) -> AsyncIterator[StoredDeadLetter]:
        """Iterate over the dead letters, oldest first."""
        ...

    async def replay(self, ids: Sequence[str]) -> int:
        """Let plays wait for delivery again, as possible doubles if they are in doubt; returns how many were found.

        Raises:
            SpoolInUseError: A shipper has the spool open, and this spool allows only one process.
        """
        ...

    async def discard(self, ids: Sequence[str]) -> int:
        """Discard plays: they stay counted as buried, and the journal has an entry for each.

        Raises:
            SpoolInUseError: A shipper has the spool open, and this spool allows only one process.
        """
        ...

    async def status(self) -> SpoolStatus:
        """Return a snapshot of the spool."""
        ...

    async def checkpoint(self, source: str) -> str | None:
        """Return the position last stored for a source; None if there is none."""
        ...

    async def aclose(self) -> None:
        """Close the spool."""
        ...
