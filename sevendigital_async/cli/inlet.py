"""Puts plays, and notes in the same step how far their input was read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import define, field

from ..models import LogKind, StreamLog
from ..shipping import StreamLogShipper
from .bookmarks import Bookmarks
from .lines import Mark


@define(eq=False)
class Inlet:
    """The way from an input into a spool.

    After a crash the next run goes on behind the last note: no play is put twice, and none is left out. Lines without
    plays that follow the last note are dealt with again.

    Args:
        shipper: Takes the plays.
        kind: Of the plays.
        bookmarks: Of the input; None if nobody can go on in it, or the spool does not outlive the run.
        keep_rejected: Sees to it that rejected lines are on the disk: a note must not go past a line that may vanish.
    """

    _shipper: StreamLogShipper
    _kind: LogKind
    _bookmarks: Bookmarks | None
    _keep_rejected: Callable[[], Awaitable[None]]
    _noted: Mark | None = field(init=False, default=None)
    _position: str = field(init=False, default="")

    def follow(self, position: str | None) -> None:
        """Learn what the spool has noted; if that changes under our hands, another run reads the same input."""
        self._position = position or ""

    def resume(self, mark: Mark) -> None:
        """Learn where the last note was."""
        self._noted = mark

    async def put(self, plays: list[StreamLog], mark: Mark) -> int:
        """Put plays, all or none.

        Args:
            plays: At least one.
            mark: Where to go on when they are in.

        Raises:
            InvalidLogError: One is unfit; ``index`` says which.
            ShipperError: The shipper takes no more.
            OSError: The input cannot be read, or rejected lines cannot be kept.
        """
        if self._bookmarks is None:
            return await self._shipper.put_many(self._kind, plays)
        await self._keep_rejected()
        bookmark = await self._bookmarks.at(mark, self._position)
        number = await self._shipper.put_many(self._kind, plays, bookmark=bookmark)
        self._noted, self._position = mark, bookmark.position
        return number

    async def note(self, mark: Mark) -> None:
        """Note that the input was read so far, although no play came last.

        Raises:
            ShipperError: The shipper takes no more.
            OSError: The input cannot be read, or rejected lines cannot be kept.
        """
        if self._bookmarks is not None and mark != self._noted:
            await self.put([], mark)
