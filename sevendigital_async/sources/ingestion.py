"""Puts the plays of a source into a shipper, each exactly once, even if the process is killed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Protocol

import orjson
from attrs import define, evolve, field, frozen

from ..errors import ConfigurationError, InvalidLogError, SpoolInUseError
from ..models import LogKind, StreamLog
from ..models.encoded_log import EncodedLog
from ..shipping import Checkpoint
from .base import BadRecord, Portion, SharedSource, Source

OnBadRecords = Callable[[Sequence[BadRecord]], Awaitable[None]]


class PlaySink(Protocol):
    """The part of ``StreamLogShipper`` that takes plays."""

    async def put_many(
        self, kind: LogKind, logs: Sequence[StreamLog | EncodedLog], *, checkpoint: Checkpoint | None = None
    ) -> int:
        """Accept all or none, and the checkpoint in the same step."""
        ...

    async def position(self, source: str) -> str | None:
        """Return the position of a stream's last checkpoint."""
        ...


@frozen
class StreamCheckpoint:
    """How far a stream was put.

    A portion whose plays are of several kinds takes one put for each kind, and a crash may come in between.

    Attributes:
        position: Where reading resumes; None for the beginning.
        put_numbers: Of kinds that are in the spool beyond ``position``, the number of the last such record.
    """

    position: str | None = None
    put_numbers: Mapping[LogKind, int] = field(factory=dict)

    def encode(self) -> str:
        """Return the position of a checkpoint."""
        if not self.put_numbers:
            return self.position or ""
        return (
            PARTIAL_CHECKPOINT_PREFIX
            + orjson.dumps(
                {"position": self.position, "put": {str(kind): number for kind, number in self.put_numbers.items()}}
            ).decode()
        )

    @classmethod
    def decode(cls, text: str | None) -> StreamCheckpoint:
        """Read the position of a checkpoint.

        Raises:
            ConfigurationError: Another version has written it.
        """
        if not text:
            return cls()
        if not text.startswith(PARTIAL_CHECKPOINT_PREFIX):
            return cls(text)
        try:
            kept = orjson.loads(text.removeprefix(PARTIAL_CHECKPOINT_PREFIX))
            return cls(kept["position"], {LogKind(kind): int(number) for kind, number in kept["put"].items()})
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ConfigurationError("the checkpoint was written by another version of this package") from None

    def includes(self, kind: LogKind, number: int) -> bool:
        """Return whether a record is in the spool already."""
        return number <= self.put_numbers.get(kind, -1)

    def with_kind(self, kind: LogKind, number: int) -> StreamCheckpoint:
        """Return the progress when a kind is in the spool up to a record."""
        return evolve(self, put_numbers={**self.put_numbers, kind: max(number, self.put_numbers.get(kind, -1))})

    def at_end_of(self, portion: Portion) -> StreamCheckpoint:
        """Return the progress when a whole portion is in the spool."""
        last = portion.numbers[-1] if portion.numbers else -1
        return StreamCheckpoint(
            portion.position, {kind: number for kind, number in self.put_numbers.items() if number > last}
        )


def source_position(kept: str | None) -> str | None:
    """Return a source's own position from the position of a checkpoint.

    Raises:
        ConfigurationError: Another version has written it.
    """
    return StreamCheckpoint.decode(kept).position


PARTIAL_CHECKPOINT_PREFIX = "partial:"
"""Begins the checkpoint of a portion that is in the spool in part."""


@define
class StreamCounts:
    """What was read from one stream in this run.

    Attributes:
        label: Names the stream in messages.
        put: Plays accepted by the shipper.
        rejected: Records that are not plays.
        size: Bytes read.
        begin: Number of the first record; None where records aren't counted.
        end: Number of the first record that is not done; None likewise.
    """

    label: str = ""
    put: int = 0
    rejected: int = 0
    size: int = 0
    begin: int | None = None
    end: int | None = None

    @property
    def records(self) -> int:
        """Records that are done; of a file, lines, the blank ones included."""
        if self.begin is None or self.end is None:
            return self.put + self.rejected
        return self.end - self.begin


@define
class PendingPortion:
    """A portion that is being put.

    Attributes:
        portion: The portion.
        bad: Records that were not passed to ``on_bad_records`` yet.
        groups: Indexes of the plays that were not put yet, by kind.
        putting: The kind that is being put now; None while nothing is.
        has_begun: Whether a part of it is done.
    """

    portion: Portion
    bad: list[BadRecord]
    groups: dict[LogKind, list[int]]
    putting: LogKind | None = None
    has_begun: bool = False

    def plays(self) -> list[tuple[LogKind, StreamLog | EncodedLog]]:
        """Return the plays that were not put, in order, with their kinds."""
        indexes = sorted((index, kind) for kind, group in self.groups.items() for index in group)
        return [(kind, self.portion.logs[index]) for index, kind in indexes]


class Ingestion:
    """One run over a source.

    Args:
        source: Read from its checkpoints; closed at the end.
        shipper: Takes the plays; opened.
        kind: Kind of plays whose kind the source does not give.
        on_bad_records: Awaited before the checkpoint passes records that are not plays; it stores them, or raises.

    Attributes:
        streams: What was read, by stream.
        pending: The portion whose put was interrupted, by an error or a cancellation; None if there is none.
    """

    def __init__(
        self,
        source: Source,
        shipper: PlaySink,
        *,
        kind: LogKind | None = None,
        on_bad_records: OnBadRecords | None = None,
    ) -> None:
        self._source = source
        self._shipper = shipper
        self._kind = kind
        self._on_bad_records = on_bad_records
        self._progress: dict[str, StreamCheckpoint] = {}
        self._checkpoints: dict[str, str] = {}
        self._put_by_kind: Counter[LogKind] = Counter()
        self.streams: dict[str, StreamCounts] = {}
        self.pending: PendingPortion | None = None

    @property
    def put(self) -> int:
        """Plays accepted by the shipper."""
        return sum(counts.put for counts in self.streams.values())

    @property
    def rejected(self) -> int:
        """Records that are not plays."""
        return sum(counts.rejected for counts in self.streams.values())

    async def run(self) -> None:
        """Read and put until the source ends. After a cancellation, the next run reads what was not put.

        Raises:
            ConfigurationError: The source can't be read, or has changed.
            SpoolInUseError: Another run reads the same stream into the same spool.
            ShipperError: The shipper accepts no more plays.
        """
        try:
            async with aclosing(self._source.portions(self._read_checkpoint)) as portions:
                async for portion in portions:
                    try:
                        await self._put(portion)
                    except SpoolInUseError:
                        if not isinstance(self._source, SharedSource):
                            raise
                        self.pending = None
                        await self._source.superseded(portion)
                    else:
                        await self._source.confirm(portion)
        finally:
            await self._source.aclose()

    def settle(self, accepted: Mapping[LogKind, int]) -> None:
        """Correct the counts after a cancellation: the put that was cancelled may have been accepted.

        Args:
            accepted: Plays of this run that the shipper has accepted, by kind.
        """
        pending = self.pending
        if pending is None or pending.putting is None:
            return
        number = len(pending.groups[pending.putting])
        if number and accepted[pending.putting] == self._put_by_kind[pending.putting] + number:
            self._count_put(pending, pending.putting)
            if not pending.groups:
                self._finish(pending)

    def abandon(self) -> PendingPortion | None:
        """Return what was read but neither put nor rejected; it then counts as done."""
        pending = self.pending
        if pending is not None:
            self._finish(pending)
        return pending

    async def _read_checkpoint(self, stream: str) -> str | None:
        kept = await self._shipper.position(stream)
        self._checkpoints[stream] = kept or ""
        self._progress[stream] = progress = StreamCheckpoint.decode(kept)
        return progress.position

    async def _put(self, portion: Portion) -> None:
        counts = self.streams.setdefault(portion.stream, StreamCounts(portion.label))
        if counts.begin is None:
            counts.begin = counts.end = portion.begin
        progress = self._progress.setdefault(portion.stream, StreamCheckpoint())
        if portion.start != progress.position:
            # The stream is not resumed from its checkpoint, so what that says of single kinds does not apply.
            progress = self._progress[portion.stream] = StreamCheckpoint(portion.start)
        groups, bad = self._group_by_kind(portion)
        self.pending = pending = PendingPortion(portion, bad, groups)
        if bad:
            await self._reject(bad, counts)
            pending.bad, pending.has_begun = [], True
        # A checkpoint is stored by a put, even of no plays.
        *others, last = list(groups) or [self._kind or LogKind.PREVIEW]
        for kind in others:
            progress = progress.with_kind(kind, portion.numbers[groups[kind][-1]])
            await self._put_group(pending, kind, progress)
        await self._put_group(pending, last, progress.at_end_of(portion))
        self._finish(pending)

    async def _put_group(self, pending: PendingPortion, kind: LogKind, progress: StreamCheckpoint) -> None:
        portion, stream = pending.portion, pending.portion.stream
        indexes, kept = pending.groups.setdefault(kind, []), self._checkpoints.get(stream, "")
        checkpoint = Checkpoint(stream, progress.encode(), kept) if portion.position else None
        pending.putting = kind
        while indexes or (checkpoint is not None and checkpoint.position != kept):
            try:
                logs = [portion.logs[index] for index in indexes]
                await self._shipper.put_many(kind, logs, checkpoint=checkpoint)
            except InvalidLogError as error:
                if error.index is None:
                    raise
                # It was a valid play when it was read, and has become too old since.
                index = indexes.pop(error.index)
                reason = str(error).removeprefix(f"log {error.index}: ")
                bad = BadRecord(portion.place(index), portion.logs[index].encode(), reason)
                await self._reject([bad], self.streams[stream])
                pending.has_begun = True
            else:
                break
        self._progress[stream] = progress
        if checkpoint is not None:
            self._checkpoints[stream] = checkpoint.position
        self._count_put(pending, kind)

    def _count_put(self, pending: PendingPortion, kind: LogKind) -> None:
        number = len(pending.groups.pop(kind))
        self.streams[pending.portion.stream].put += number
        self._put_by_kind[kind] += number
        pending.putting, pending.has_begun = None, True

    def _finish(self, pending: PendingPortion) -> None:
        counts = self.streams[pending.portion.stream]
        counts.size += pending.portion.size
        counts.end = pending.portion.end
        self.pending = None

    def _group_by_kind(self, portion: Portion) -> tuple[dict[LogKind, list[int]], list[BadRecord]]:
        """Return the indexes of the plays that are not in the spool yet, and the records that are not plays."""
        progress = self._progress[portion.stream]
        if self._kind is not None and not portion.kinds and not progress.put_numbers:
            return ({self._kind: list(range(len(portion.numbers)))} if portion.numbers else {}), list(portion.bad)
        groups: dict[LogKind, list[int]] = {}
        bad = list(portion.bad)
        for index, number in enumerate(portion.numbers):
            kind = (portion.kinds[index] if portion.kinds else None) or self._kind
            if kind is None:
                reason = "the play has no kind; add one, or give the kind of all plays"
                bad.append(BadRecord(portion.place(index), portion.logs[index].encode(), reason))
            elif not progress.includes(kind, number):
                groups.setdefault(kind, []).append(index)
        return groups, bad

    async def _reject(self, bad: Sequence[BadRecord], counts: StreamCounts) -> None:
        if self._on_bad_records is not None:
            await self._on_bad_records(bad)
        counts.rejected += len(bad)


async def ship_from(
    source: Source,
    shipper: PlaySink,
    *,
    kind: LogKind | None = None,
    on_bad_records: OnBadRecords | None = None,
) -> dict[str, StreamCounts]:
    """Put all plays of a source into a shipper; with a durable spool each exactly once, however often this is run.

    Args:
        source: Read from its checkpoints; closed at the end.
        shipper: An open ``StreamLogShipper``.
        kind: Kind of plays whose kind the source does not give.
        on_bad_records: Awaited with records that are not plays, before the checkpoint passes them; without it they are
            only counted.

    Returns:
        What was read, by stream.

    Raises:
        ConfigurationError: The source can't be read, or has changed.
        SpoolInUseError: Another run reads the same stream into the same spool.
        ShipperError: The shipper accepts no more plays.
    """
    ingestion = Ingestion(source, shipper, kind=kind, on_bad_records=on_bad_records)
    await ingestion.run()
    return ingestion.streams
