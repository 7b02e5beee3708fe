"""The archive: what a durable spool lets people read and mend, while a shipper runs or after it has ended."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from attrs import field, frozen

from ...models import LogKind, StreamLog
from ..records import Counts


class JournalOutcome(enum.StrEnum):
    """What became of a play in one request."""

    DELIVERED = "delivered"
    IN_DOUBT = "in-doubt"
    """It may have reached the service, and nobody knows; written before the play is sent again."""
    DISCARDED = "discarded"
    """A person has decided that it is not sent."""


@frozen
class JournalEntry:
    """One play in one request.

    Attributes:
        kind: Of the play.
        body: The play as it was accepted.
        outcome: What became of it.
        at: When that was known.
        request_id: Ours, of the request.
        answer: What the service said; empty if nothing arrived.
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
    """Why a play was set aside."""

    BURIED = "buried"
    HELD = "held"


@frozen
class StoredDeadLetter:
    """A play that waits for a person.

    Attributes:
        id: Names it to :meth:`Archive.replay` and :meth:`Archive.drop`.
        kind: Of the play.
        body: The play as it was accepted.
        place: Buried or held.
        reason: Why, in the service's words where it gave any.
        code: The service's error code, if it gave one.
        at: When it was set aside.
        in_doubt: It may have reached the service all the same.
    """

    id: str
    kind: LogKind
    body: bytes = field(repr=False)
    place: DeadLetterState
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
        place: The file, or the server without its password.
        in_use: A shipper has it open now.
        counts: Where the plays are, by kind.
        oldest: When the oldest waiting play was accepted, by kind; None where nothing waits.
        size: Bytes it takes.
        durability: What an accepted play survives, in words.
    """

    place: str
    in_use: bool
    counts: Mapping[LogKind, Counts]
    oldest: Mapping[LogKind, datetime | None]
    size: int
    durability: str


class SpoolInspector(Protocol):
    """Reads a durable spool, and moves what was set aside."""

    def journal(
        self, *, kind: LogKind | None = None, since: datetime | None = None, until: datetime | None = None
    ) -> AsyncIterator[JournalEntry]:
        """Iterate over the journal, oldest first; ``since`` is included, ``until`` is not."""
        ...

    def set_aside(
        self, *, kind: LogKind | None = None, place: DeadLetterState | None = None
    ) -> AsyncIterator[StoredDeadLetter]:
        """Iterate over what waits for a person, oldest first."""
        ...

    async def replay(self, ids: Sequence[str]) -> int:
        """Let plays wait for delivery again, as possible doubles if they are in doubt; returns how many were there.

        Raises:
            SpoolInUseError: A shipper has the spool open and this kind of spool has one owner.
        """
        ...

    async def drop(self, ids: Sequence[str]) -> int:
        """Let go of plays for good: they stay counted as buried, and the journal tells of it.

        Raises:
            SpoolInUseError: A shipper has the spool open and this kind of spool has one owner.
        """
        ...

    async def status(self) -> SpoolStatus:
        """Say how the spool stands."""
        ...

    async def checkpoint(self, source: str) -> str | None:
        """Return the position last kept for a source; None if there is none."""
        ...

    async def aclose(self) -> None:
        """Let go of it."""
        ...
