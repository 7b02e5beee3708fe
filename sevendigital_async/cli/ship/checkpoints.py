"""Puts plays, and notes in the same step how far their input was read."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import orjson
from attrs import define, field, frozen

from ...errors import ConfigurationError
from ...models import LogKind, StreamLog
from ...shipping import Checkpoint, StreamLogShipper
from .line_reader import Mark
from .source import Source


@frozen
class Checkpoints:
    """Makes and reads the checkpoints of one file.

    Attributes:
        source: The file; a regular one.
        kind: Of its plays.
        directory: From where it is named, so that file and spool may move together; None for its full path.
    """

    source: Source
    kind: LogKind
    directory: Path | None = None

    @property
    def name(self) -> str:
        """What the spool calls the file."""
        path = self.source.path
        if self.directory is not None:
            path = os.path.relpath(path, os.path.realpath(self.directory))
        return os.fsencode(path).decode(errors="backslashreplace")

    async def at(self, mark: Mark, after: str) -> Checkpoint:
        """Make the checkpoint of a place, to follow the position ``after``; empty if there is none.

        Raises:
            ConfigurationError: The file cannot be opened.
            OSError: It cannot be read.
        """
        position = {
            "kind": self.kind.value,
            "line": mark.line,
            "offset": mark.offset,
            "fingerprint": await self.source.fingerprint(mark.offset),
        }
        return Checkpoint(self.name, orjson.dumps(position).decode(), after)

    async def read(self, position: str) -> Mark:
        """Find the place of a checkpoint again.

        Raises:
            ConfigurationError: What was read then is not what is there now, or plays of another kind; or the file
                cannot be read.
        """
        try:
            kept = orjson.loads(position)
            kind, mark, fingerprint = kept["kind"], Mark(int(kept["line"]), int(kept["offset"])), kept["fingerprint"]
            mark.check()
        except (ValueError, KeyError, TypeError, OverflowError):
            raise ConfigurationError(
                f"{self.source.name}: the spool's note of how far it was read is of another version;"
                " say where to go on with --from-line"
            ) from None
        done = f"{self.source.name} was shipped up to line {mark.line - 1}"
        if kind != self.kind.value:
            raise ConfigurationError(f"{done} as {kind} plays; to ship it again as {self.kind}, say --from-line 1")
        try:
            same = await self.source.fingerprint(mark.offset) == fingerprint
            whole = await self.source.ends_line(mark.offset)
        except OSError as error:
            raise ConfigurationError(f"cannot read {self.source.name}: {error.strerror}") from None
        if not same:
            raise ConfigurationError(
                f"{done}, and those lines have changed since; if it is another file now, say --from-line 1,"
                " if not, say with --from-line where to go on"
            )
        # The rest of a line that had no end yet belongs to that line.
        return mark if whole else Mark(mark.line - 1, mark.offset)


@define(eq=False)
class Inlet:
    """The way from an input into a spool.

    After a crash the next run goes on behind the last note: no play is put twice, and none is left out. Lines without
    plays that follow the last note are dealt with again.

    Args:
        shipper: Takes the plays.
        kind: Of the plays.
        checkpoints: Of the input; None if nobody can go on in it, or the spool does not outlive the run.
        keep_rejected: Sees to it that rejected lines are on the disk: a note must not go past a line that may vanish.
    """

    _shipper: StreamLogShipper
    _kind: LogKind
    _bookmarks: Checkpoints | None
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
        checkpoint = await self._bookmarks.at(mark, self._position)
        number = await self._shipper.put_many(self._kind, plays, checkpoint=checkpoint)
        self._noted, self._position = mark, checkpoint.position
        return number

    async def note(self, mark: Mark) -> None:
        """Note that the input was read so far, although no play came last.

        Raises:
            ShipperError: The shipper takes no more.
            OSError: The input cannot be read, or rejected lines cannot be kept.
        """
        if self._bookmarks is not None and mark != self._noted:
            await self.put([], mark)
