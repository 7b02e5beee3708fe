"""Which plays a flush waits for: those accepted up to a moment, however many come after them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from weakref import WeakSet

from attrs import define

from .records import Record


class Watermark(Protocol):
    """Tells the plays of one kind that were accepted up to a moment from later ones."""

    @property
    def last(self) -> int | None:
        """Sequence of the last of them; None while that is not known."""
        ...

    async def left(self, *, rest: float | None = None) -> int | None:
        """Return how many of them have not been delivered, buried or held; None while that is not known.

        Args:
            rest: Leave out those whose queue rests for more seconds than this.
        """
        ...


@define(eq=False)
class Mark:
    """A moment in the order of acceptance.

    Attributes:
        last: Sequence of the last play accepted up to then.
        left: How many of the plays up to it have not found their end.
    """

    last: int
    left: int


class Marks:
    """The marks of one kind that are in use; nobody has to give them back."""

    def __init__(self) -> None:
        self._marks: WeakSet[Mark] = WeakSet()

    def add(self, last: int, left: int) -> Mark:
        """Make a mark; ``left`` plays up to ``last`` have not found their end."""
        mark = Mark(last, left)
        self._marks.add(mark)
        return mark

    def settled(self, records: Sequence[Record]) -> None:
        """These plays have found their end."""
        for mark in self._marks:
            mark.left -= sum([record.sequence <= mark.last for record in records])
