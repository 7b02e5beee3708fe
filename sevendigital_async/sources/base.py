"""What a source of plays is: it yields portions of plays, each with the checkpoint behind it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Protocol, runtime_checkable

from attrs import field, frozen

from ..models import LogKind, StreamLog
from ..models.encoded_log import EncodedLog

ReadCheckpoint = Callable[[str], Awaitable[str | None]]
"""Returns the position kept for a stream, or None if there is none."""


@frozen
class BadRecord:
    """A record that is not a play.

    Attributes:
        place: Where it is, such as ``plays.jsonl:17`` or ``plays:3:9102`` (topic, partition, offset).
        data: Its bytes, as far as they were kept.
        reason: Why it is not a play.
    """

    place: str
    data: bytes = field(repr=False)
    reason: str


RESTARTED_POSITION = "anew"
"""``start`` of a portion with which a stream is read from another position than its checkpoint."""


@frozen
class Portion:
    """Consecutive records of one stream: a file, or a partition of a topic.

    Attributes:
        stream: The name under which the spool keeps the checkpoint.
        position: Where the record after these begins, in the source's own format, opaque to others. Empty if the
            stream can't be read again, as a pipe; then the spool keeps no checkpoint.
        logs: The plays, in order, checked.
        start: The position before it; None at the beginning; :data:`RESTARTED_POSITION` if the checkpoint is ignored.
        label: Names the stream in messages.
        numbers: Numbers of the plays within the stream, for messages: a line, a row or an offset each.
        kinds: Kinds of the plays, where the source says so; None where all are of the kind given to :func:`ship_from`.
        bad: Records among them that are not plays.
        size: Bytes read for it.
        begin: Number of its first record, such as a line that is blank; None where records aren't counted.
        end: Number of the record after its last one; None likewise.
    """

    stream: str
    position: str
    start: str | None
    logs: Sequence[StreamLog | EncodedLog] = field(repr=False)
    label: str
    numbers: Sequence[int] = field(repr=False)
    kinds: Sequence[LogKind | None] | None = field(default=None, repr=False)
    bad: Sequence[BadRecord] = field(default=(), repr=False)
    size: int = 0
    begin: int | None = None
    end: int | None = None

    def place(self, index: int) -> str:
        """Return where a play was found."""
        return f"{self.label}:{self.numbers[index]}"


@frozen
class StreamProgress:
    """How far a stream of known length was read.

    Attributes:
        label: Names it in messages.
        start: Bytes before the place where this run began.
        read: Bytes before the place that was reached; of a compressed file, compressed bytes.
        total: Bytes in all; None if unknown.
        is_finished: Whether it was read to its end.
        begin: Number of the record where this run began.
    """

    label: str
    start: int = 0
    read: int = 0
    total: int | None = None
    is_finished: bool = False
    begin: int = 1


class Source(Protocol):
    """Reads plays from somewhere. Implement this to add a source; nothing else has to change."""

    def portions(self, checkpoint: ReadCheckpoint) -> AsyncGenerator[Portion, None]:
        """Yield portions until the source ends, if it does.

        A stream is read from its checkpoint on. The records behind a given position must be the same in the same order
        whenever they are read, so that after a crash a portion that was put in part can be completed.

        Args:
            checkpoint: Returns the position up to which a stream was read before.

        Raises:
            ConfigurationError: The source can't be read, or has changed.
        """
        ...

    async def confirm(self, portion: Portion) -> None:
        """Confirm that the spool has a portion and its checkpoint, for example to commit an offset."""
        ...

    async def aclose(self) -> None:
        """Close what is open. Called once, at the end, also after an error."""
        ...


@runtime_checkable
class SharedSource(Protocol):
    """A source whose streams move between workers that share a spool, besides being a :class:`Source`."""

    async def superseded(self, portion: Portion) -> None:
        """Drop a portion that the spool refused, because another worker, which now reads its stream, has put it."""
        ...
