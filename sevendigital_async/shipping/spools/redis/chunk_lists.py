"""Chunks as elements of lists in Redis: a head (``lua/chunks.lua``), and plays as :mod:`..chunk_codec` packs them."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import repeat
from operator import attrgetter

from ....errors import SpoolCorruptionError
from ...records import Record, runs_of
from ..chunk_codec import MAX_LOGS, PLAY_HEADER_BYTES, pack, pieces_of, unpack

_HEAD = struct.Struct("<dIIBd")
"""Sequence of the first play, number of plays, bytes of their bodies, 1 if they are in doubt, when accepted."""

HEAD_BYTES = _HEAD.size

MAX_BYTES = 16 * 1024 - HEAD_BYTES - 32
"""Bytes of a chunk: just below a size in which Redis's allocator gives memory; larger pieces waste up to a fifth."""


def pieces_by_queue(records: Sequence[Record], max_logs: int = MAX_LOGS) -> list[Sequence[Record]]:
    """Cut the plays of a put, which have no sequence numbers yet, into one piece for each chunk.

    Args:
        records: In the order of the put, which their pieces keep for each queue.
        max_logs: Plays in one piece at most: those of a batch, so that a lease seldom cuts a chunk.
    """
    parts: dict[tuple[str, bool], list[Record]] = {}
    for record in records:
        parts.setdefault((record.queue, record.in_doubt), []).append(record)
    limit = min(max_logs, MAX_LOGS)
    return [piece for part in parts.values() for piece in _pieces_of_size(part, limit)]


def _pieces_of_size(part: Sequence[Record], max_logs: int) -> Iterator[Sequence[Record]]:
    start = size = 0
    for index, record in enumerate(part):
        length = PLAY_HEADER_BYTES + len(record.body)
        size += length
        if index > start and (size > MAX_BYTES or index - start == max_logs):
            yield part[start:index]
            start, size = index, length
    yield part[start:]


def chunk_arguments(piece: Sequence[Record]) -> list[object]:
    """Return what scripts take of a chunk: plays, bytes, in_doubt, and the packed plays."""
    packed = pack(piece)
    return [len(piece), len(packed) - PLAY_HEADER_BYTES * len(piece), int(piece[0].in_doubt), packed]


def in_doubt_arguments(piece: Sequence[Record]) -> list[object]:
    """Return the arguments of a chunk whose plays are in doubt from now on."""
    logs, size, _, packed = chunk_arguments(piece)
    return [logs, size, 1, packed]


def withdraw_arguments(records: Sequence[Record]) -> list[object]:
    """Return what withdraw.lua takes of a put: user, sequence, number of plays and packed plays of each chunk."""
    queues: dict[str, list[Record]] = {}
    for record in records:
        queues.setdefault(record.queue, []).append(record)
    pieces = [piece for part in queues.values() for piece in pieces_of(part)]
    return [part for piece in pieces for part in (piece[0].queue, piece[0].sequence, len(piece), pack(piece))]


def lease_arguments(records: Sequence[Record]) -> list[object]:
    """Return what scripts take of the plays of a lease, in order: each of their chunks."""
    return [part for piece in pieces_of(records) for part in chunk_arguments(piece)]


def records_of(text: bytes, queue: str) -> list[Record]:
    """Read a chunk of a queue.

    Raises:
        SpoolCorruptionError: It is not as the spool wrote it.
    """
    first, logs, in_doubt, plays = _parsed(text)
    bodies, played = zip(*plays, strict=True)
    numbers = range(first, first + logs)
    return list(map(Record, bodies, repeat(queue), played, numbers, repeat(0.0), repeat(in_doubt)))


def bodies_of(text: bytes) -> tuple[list[bytes], bool]:
    """Return the bodies of a chunk, and whether they are in doubt.

    Raises:
        SpoolCorruptionError: It is not as the spool wrote it.
    """
    _, _, in_doubt, plays = _parsed(text)
    return [body for body, _ in plays], in_doubt


def runs_text(records: Sequence[Record]) -> str:
    """Return the sequence numbers of plays as the scripts take them: ``first:count,first:count``."""
    runs = runs_of(sorted(records, key=attrgetter("sequence")))
    return ",".join([f"{first}:{count}" for first, count in runs])


def _parsed(text: bytes) -> tuple[int, int, bool, Iterator[tuple[bytes, datetime]]]:
    first, logs, size, in_doubt, _ = _HEAD.unpack_from(text) if len(text) >= HEAD_BYTES else (0, 0, 0, 0, 0.0)
    if not logs or len(text) != HEAD_BYTES + PLAY_HEADER_BYTES * logs + size:
        raise SpoolCorruptionError(
            f"a chunk of {len(text)} bytes in Redis is not as the spool wrote it; check what else writes its keys"
        )
    return int(first), logs, bool(in_doubt), unpack(text[HEAD_BYTES:], logs)
