"""What a run leaves behind is written down before it is forgotten."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import frozen

from ..models import LogKind
from ..shipping import MemorySpool
from .leftovers import Leftovers
from .lines import Line


@frozen
class Kept:
    """What was kept at the end of a run.

    Attributes:
        in_doubt: How many of the unsent plays the service may have already.
        lost: Plays and lines that could not be kept.
        failure: Why, if any could not.
    """

    in_doubt: int = 0
    lost: int = 0
    failure: str | None = None


def keep_rest(
    kind: LogKind, memory: MemorySpool | None, unread: Iterable[Line], *, rejected: Leftovers, unsent: Leftovers
) -> Kept:
    """Write down what would vanish with the process; plays in doubt come first.

    Args:
        kind: Of the plays.
        memory: The spool that ends with the process, if it does.
        unread: Lines that were taken out of the source for good, and not put.
        rejected: For buried plays that could not be kept at the time.
        unsent: For plays that wait or are held, and for ``unread``.
    """
    left = list(_left_in(kind, memory, rejected, unsent)) if memory else []
    left += [(unsent, line.data, False) for line in unread]
    doubtful = 0
    for done, (leftovers, line, in_doubt) in enumerate(left):
        try:
            leftovers.write(line)
        except OSError as error:
            return Kept(doubtful, len(left) - done, f"cannot write {leftovers.place}: {error.strerror}")
        doubtful += in_doubt
    return Kept(doubtful)


def _left_in(
    kind: LogKind, memory: MemorySpool, rejected: Leftovers, unsent: Leftovers
) -> Iterator[tuple[Leftovers, bytes, bool]]:
    for letter in memory.dead_letters():
        yield rejected, letter.body, False
    for record in sorted(memory.undelivered(kind), key=lambda record: not record.in_doubt):
        yield unsent, record.body, record.in_doubt
