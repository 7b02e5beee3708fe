"""Plays on disk: consecutive ones of one queue travel as one piece, because a row for each costs ten times as much."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import accumulate, pairwise, repeat
from typing import NamedTuple

from attrs import frozen

from ..records import Record

MAX_LOGS = 500
"""Plays in one parcel at the most, so that taking a few out of it stays cheap."""

COLUMNS = "first, queue, logs, size, in_doubt, put_at, accepted_at, checksum, body"


class Row(NamedTuple):
    """The columns of table ``parcel``, which says what they mean."""

    first: int
    queue: int
    logs: int
    size: int
    in_doubt: int
    put_at: float
    accepted_at: float
    checksum: int
    body: bytes


Runs = list[tuple[int, int]]
"""Numbers as runs of (first, count)."""


class UnsoundError(Exception):
    """Something in the file is not as it was written; becomes a ``SpoolDamagedError`` that names the file.

    Attributes:
        advice: What a person may do.
    """

    advice = "put a sound copy in its place, or move it away, with the files beside it, to begin with a new one"


class MissingEndError(UnsoundError):
    """What was written last is not there."""

    advice = "put the right files back, or remove its -mark file to go on without what is missing"


HEAD = 12
"""Bytes that a packed play takes besides its body."""


def checksum(body: bytes, *facts: float | str | None) -> int:
    """Return a number that tells whether the facts of a row, or its body, have changed."""
    return zlib.crc32(body, zlib.crc32(repr(facts).encode()))


@frozen
class Written:
    """When plays were accepted.

    Attributes:
        put_at: Seconds by the spool's clock.
        accepted_at: Seconds since the epoch, by the wall clock.
    """

    put_at: float
    accepted_at: float


def pack(records: Sequence[Record]) -> bytes:
    """Write plays into one piece: their lengths, when they were played, and their bodies."""
    number = len(records)
    bodies = [record.body for record in records]
    times = [record.played_at.timestamp() for record in records]
    return b"".join((struct.pack(f"<{number}I{number}d", *map(len, bodies), *times), *bodies))


def unpack(piece: bytes, number: int) -> Iterator[tuple[bytes, datetime]]:
    """Read plays back; the inverse of :func:`pack`."""
    values = struct.unpack_from(f"<{number}I{number}d", piece)
    ends = accumulate(values[:number], initial=number * HEAD)
    bodies = [piece[start:end] for start, end in pairwise(ends)]
    return zip(bodies, map(datetime.fromtimestamp, values[number:], repeat(UTC)), strict=True)


def rows(queue: int, records: Sequence[Record], written: Written) -> Iterator[Row]:
    """Cut plays of one queue, already numbered, into parcels."""
    for piece in _pieces(records):
        first, body = piece[0].sequence, pack(piece)
        size = len(body) - HEAD * len(piece)
        in_doubt = int(piece[0].in_doubt)
        checksum = _checksum((first, queue, len(piece), in_doubt), written, piece[0].queue, body)
        yield Row(first, queue, len(piece), size, in_doubt, written.put_at, written.accepted_at, checksum, body)


def is_sound(row: Row, queue: str) -> bool:
    """Say whether an undelivered parcel is as it was written."""
    first, queue_id, logs, _, in_doubt, put_at, accepted_at, checksum, body = row
    return checksum == _checksum((first, queue_id, logs, in_doubt), Written(put_at, accepted_at), queue, body)


def is_sound_delivered(row: Row, queue: str) -> bool:
    """Say whether a delivered parcel is as it was written."""
    return is_sound(row._replace(queue=-row.queue, checksum=~row.checksum), queue)


def records_of(row: Row, queue: str) -> list[Record]:
    """Read a parcel.

    Raises:
        UnsoundError: It is not as it was written.
    """
    first, _, logs, _, in_doubt, put_at, _, _, body = row
    if not is_sound(row, queue):
        raise UnsoundError(f"plays {first} to {first + logs - 1} are not as they were written")
    bodies, played = zip(*unpack(body, logs), strict=True)
    numbers = range(first, first + logs)
    return list(map(Record, bodies, repeat(queue), played, numbers, repeat(put_at), repeat(bool(in_doubt))))


def runs_of(records: Iterable[Record]) -> Runs:
    """Write the numbers of records as runs."""
    runs: Runs = []
    records = tuple(records)
    if records and records[-1].sequence - records[0].sequence == len(records) - 1:
        return [(records[0].sequence, len(records))]  # nearly always
    for record in records:
        number = record.sequence
        if runs and sum(runs[-1]) == number:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((number, 1))
    return runs


def _pieces(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    span = records[-1].sequence - records[0].sequence + 1 if records else 0
    if span == len(records) and len({record.in_doubt for record in records}) <= 1:
        for start in range(0, span, MAX_LOGS):  # nearly always
            yield records[start : start + MAX_LOGS]
        return
    start = 0
    for index in range(1, len(records) + 1):
        if (
            index == len(records)
            or index - start == MAX_LOGS
            or records[index].sequence != records[index - 1].sequence + 1
            or records[index].in_doubt is not records[index - 1].in_doubt
        ):
            yield records[start:index]
            start = index


def _checksum(facts: tuple[int, int, int, int], written: Written, queue: str, body: bytes) -> int:
    head = struct.pack("<4q2d", *facts, written.put_at, written.accepted_at)
    return zlib.crc32(body, zlib.crc32(head, zlib.crc32(queue.encode())))
