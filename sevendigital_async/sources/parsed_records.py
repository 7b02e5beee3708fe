"""What was read from a source in one step; records are read in blocks where that is possible."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from attrs import define, field

from ..errors import InvalidLogError
from ..models import LogKind, StreamLog
from ..models.encoded_log import EncodedLog
from .base import BadRecord
from .bulk import Plays
from .rows import Play

T = TypeVar("T")

BLOCK_SIZES = (500, 25)
"""Records that are read at once, and how many where one of those can't be."""


@define
class ParsedRecords:
    """What was read from a source in one step.

    Attributes:
        line: Number of the line or row that follows.
        offset: Bytes of the decompressed file before it; for Parquet the rows.
        logs: The plays.
        numbers: Their lines, rows or offsets.
        kinds: Their kinds, None where it is not given.
        bad: Records that are not plays.
        size: Bytes taken of the file, or of the chunk.
    """

    line: int = 1
    offset: int = 0
    logs: list[StreamLog | EncodedLog] = field(factory=list)
    numbers: list[int] = field(factory=list)
    kinds: list[LogKind | None] = field(factory=list)
    bad: list[BadRecord] = field(factory=list)
    size: int = 0

    def add_records(
        self,
        place: str,
        numbers: Sequence[int],
        records: Sequence[T],
        *,
        parse_block: Callable[[Sequence[T]], Plays | None],
        parse_record: Callable[[T], Play | None],
        raw_bytes: Callable[[T], bytes],
    ) -> None:
        """Add the plays of records, and those that are not plays.

        Args:
            place: Names the source in messages.
            numbers: Of the records.
            records: In their order.
            parse_block: Returns the plays of several records; None if they must be read one by one.
            parse_record: Returns the play of one record, None if it is blank; raises ``InvalidLogError`` if it is not
                a play.
            raw_bytes: Returns the bytes of a record that is not a play.
        """
        for start, stop, plays in in_blocks(records, parse_block):
            if plays is not None:
                self.logs += plays.logs
                self.numbers += numbers[start:stop]
                self.kinds += plays.kinds
                continue
            for number, record in zip(numbers[start:stop], records[start:stop], strict=True):
                try:
                    play = parse_record(record)
                except InvalidLogError as error:
                    self.bad.append(BadRecord(f"{place}:{number}", raw_bytes(record), str(error)))
                else:
                    if play is not None:
                        self.logs.append(play.log)
                        self.numbers.append(number)
                        self.kinds.append(play.kind)


def in_blocks(
    records: Sequence[T], parse_block: Callable[[Sequence[T]], Plays | None], sizes: Sequence[int] = BLOCK_SIZES
) -> Iterator[tuple[int, int, Plays | None]]:
    """Read records in blocks that are as large as possible.

    Args:
        records: In their order.
        parse_block: Returns the plays of some records; None if they must be read one by one.
        sizes: Of blocks; smaller ones are tried where a larger one can't be read.

    Yields:
        The index of a block's first record, the index behind its last, and its plays; None for the smallest blocks that
        can't be read.
    """
    size, *smaller = sizes
    for start in range(0, len(records), size):
        block = records[start : start + size]
        # In a file in another form, nearly always the first record says so.
        plays = parse_block(block) if parse_block(block[:1]) is not None else None
        if plays is None and smaller:
            for first, stop, part in in_blocks(block, parse_block, smaller):
                yield start + first, start + stop, part
        else:
            yield start, start + len(block), plays
