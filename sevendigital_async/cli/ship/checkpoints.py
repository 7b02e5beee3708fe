"""Checkpoints: how far a file was read, stored in the spool together with the plays."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import orjson
from attrs import define, field, frozen

from ...errors import ConfigurationError
from ...models import LogKind, StreamLog
from ...shipping import Checkpoint, StreamLogShipper
from .line_reader import LinePosition
from .source import Source


@frozen
class Checkpoints:
    """Creates and reads the checkpoints of one file.

    Attributes:
        source: The file; a regular one.
        kind: Of its plays.
        directory: Of the spool; the file is named relative to it, so that both can be moved. None for its full path.
    """

    source: Source
    kind: LogKind
    directory: Path | None = None

    @property
    def name(self) -> str:
        """The name of the file in the spool."""
        path = self.source.path
        if self.directory is not None:
            path = os.path.relpath(path, os.path.realpath(self.directory))
        return os.fsencode(path).decode(errors="backslashreplace")

    async def at(self, position: LinePosition, after: str) -> Checkpoint:
        """Create the checkpoint of a position.

        Args:
            position: In the file.
            after: The checkpoint that the spool stores now; empty if there is none.

        Raises:
            ConfigurationError: The file cannot be opened.
            OSError: The file cannot be read.
        """
        content = {
            "kind": self.kind.value,
            "line": position.line,
            "offset": position.offset,
            "fingerprint": await self.source.fingerprint(position.offset),
        }
        return Checkpoint(self.name, orjson.dumps(content).decode(), after)

    async def read(self, stored: str) -> LinePosition:
        """Return the position of a checkpoint.

        Raises:
            ConfigurationError: The lines before it have changed, or were shipped as another kind; or the file cannot
                be read.
        """
        try:
            content = orjson.loads(stored)
            kind, fingerprint = content["kind"], content["fingerprint"]
            position = LinePosition(int(content["line"]), int(content["offset"]))
            position.check()
        except (ValueError, KeyError, TypeError, OverflowError):
            raise ConfigurationError(
                f"the checkpoint of {self.source.name} in the spool is from another version; give the line to start at"
                " with --from-line"
            ) from None
        shipped = f"{self.source.name} was shipped up to line {position.line - 1}"
        if kind != self.kind.value:
            raise ConfigurationError(f"{shipped} as {kind} plays; to ship it again as {self.kind}, use --from-line 1")
        try:
            is_unchanged = await self.source.fingerprint(position.offset) == fingerprint
            is_whole_line = await self.source.ends_line(position.offset)
        except OSError as error:
            raise ConfigurationError(f"cannot read {self.source.name}: {error.strerror}") from None
        if not is_unchanged:
            raise ConfigurationError(
                f"{shipped}, and those lines have changed since; for a new file use --from-line 1,"
                " else give the line to start at with --from-line"
            )
        # Otherwise the last line had no line feed then, and what follows belongs to it.
        return position if is_whole_line else LinePosition(position.line - 1, position.offset)


@define(eq=False)
class CheckpointedPut:
    """Puts plays together with a checkpoint of their input, in one transaction.

    After a crash the next run continues at the last checkpoint: no play is put twice, and none is skipped. Lines
    without plays after the last checkpoint are read again.

    Args:
        shipper: Receives the plays.
        kind: Of the plays.
        checkpoints: Of the input; None if it cannot be read twice, or the spool does not outlive the run.
        sync_rejected: Forces rejected lines to the disk: a checkpoint must not pass a line that may be lost.
    """

    _shipper: StreamLogShipper
    _kind: LogKind
    _checkpoints: Checkpoints | None
    _sync_rejected: Callable[[], Awaitable[None]]
    _last: LinePosition | None = field(init=False, default=None)
    _stored: str = field(init=False, default="")

    def expect(self, stored: str | None) -> None:
        """Set what the spool stores now; if it has changed at the next put, another run reads the same input."""
        self._stored = stored or ""

    def resume(self, position: LinePosition) -> None:
        """Set the position of the last checkpoint."""
        self._last = position

    async def put(self, plays: list[StreamLog], position: LinePosition) -> int:
        """Put plays, all or none.

        Args:
            plays: May be empty.
            position: Where the next run continues once they are put.

        Raises:
            InvalidLogError: One is not valid; ``index`` is its index.
            ShipperError: The shipper is closed or has failed.
            OSError: The input cannot be read, or rejected lines cannot be written.
        """
        if self._checkpoints is None:
            return await self._shipper.put_many(self._kind, plays)
        await self._sync_rejected()
        checkpoint = await self._checkpoints.at(position, self._stored)
        number = await self._shipper.put_many(self._kind, plays, checkpoint=checkpoint)
        self._last, self._stored = position, checkpoint.position
        return number

    async def store(self, position: LinePosition) -> None:
        """Store a checkpoint without plays.

        Raises:
            ShipperError: The shipper is closed or has failed.
            OSError: The input cannot be read, or rejected lines cannot be written.
        """
        if self._checkpoints is not None and position != self._last:
            await self.put([], position)
