"""The codec of chunks, for SQLite and Redis: consecutive plays of one queue stored as one piece.

A row or an entry for each play costs ten times as much.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import accumulate, pairwise, repeat

from ..records import Record

MAX_LOGS = 500
"""Plays in one chunk at most, so that removing a few of them stays cheap."""

PLAY_HEADER_BYTES = 12
"""Bytes that a packed play takes besides its body."""


def pack(records: Sequence[Record]) -> bytes:
    """Pack plays into the body of a chunk: their lengths, when they were played, and their bodies."""
    number = len(records)
    bodies = [record.body for record in records]
    times = [record.played_at.timestamp() for record in records]
    return b"".join((struct.pack(f"<{number}I{number}d", *map(len, bodies), *times), *bodies))


def unpack(piece: bytes, number: int) -> Iterator[tuple[bytes, datetime]]:
    """Unpack plays; the inverse of :func:`pack`."""
    values = struct.unpack_from(f"<{number}I{number}d", piece)
    ends = accumulate(values[:number], initial=number * PLAY_HEADER_BYTES)
    bodies = [piece[start:end] for start, end in pairwise(ends)]
    return zip(bodies, map(datetime.fromtimestamp, values[number:], repeat(UTC)), strict=True)


def pieces_of(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    """Cut plays of one queue, which have their sequence numbers, where a chunk must end."""
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
