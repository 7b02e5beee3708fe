"""How far an input has been read, in a form that is kept beside the plays that were read from it."""

from __future__ import annotations

import os
from pathlib import Path

import orjson
from attrs import frozen

from ..errors import ConfigurationError
from ..models import LogKind
from ..shipping import Bookmark
from .lines import Mark
from .source import Source


@frozen
class Bookmarks:
    """Makes and reads the bookmarks of one file.

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

    async def at(self, mark: Mark, after: str) -> Bookmark:
        """Make the bookmark of a place, to follow the position ``after``; empty if there is none.

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
        return Bookmark(self.name, orjson.dumps(position).decode(), after)

    async def read(self, position: str) -> Mark:
        """Find the place of a bookmark again.

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
