"""A note beside the file of how far it had been written, so that what is missing from it is missed.

SQLite goes on without a word when the end of its -wal file is damaged or gone: to it, those transactions never were.
The note is made after each transaction that was forced to the disk, and is itself not forced: it may tell of less than
there is, but never of more. So it is not made when the file is opened: after a crash in the middle of a commit, a
transaction may be found that was never forced, and that a power cut would take.
"""

from __future__ import annotations

import os
import struct
import sys
import zlib
from contextlib import suppress
from io import FileIO
from pathlib import Path

from attrs import define, field, frozen

from .paths import NO_FOLLOW, open_private

FORM = struct.Struct("<qq")
SIZE = FORM.size + 4


@frozen
class Mark:
    """How far a file had been written.

    Attributes:
        name: Of the spool in it.
        flushed: How many of its transactions had been forced to the disk.
    """

    name: int
    flushed: int


@define(eq=False)
class MarkFile:
    """The file that the note is in.

    Attributes:
        path: Where it is.
    """

    path: Path
    _name: int = field(init=False, default=0)
    _file: FileIO | None = field(init=False, default=None)

    def read(self) -> Mark | None:
        """Return what it says; None if it says nothing, for it proves only what is missing."""
        try:
            with FileIO(os.open(self.path, os.O_RDONLY | NO_FOLLOW)) as file:
                kept = file.read(SIZE + 1)
        except OSError:
            return None
        if len(kept) != SIZE or zlib.crc32(kept[: FORM.size]).to_bytes(4, "little") != kept[FORM.size :]:
            return None
        return Mark(*FORM.unpack(kept[: FORM.size]))

    def open(self, name: int) -> None:
        """Make ready to write for a spool with this name.

        Raises:
            SpoolError: It is not a regular file.
            OSError: It can't be written.
        """
        self._name = name
        self._file = FileIO(open_private(self.path), "r+")
        if self._file.seek(0, os.SEEK_END) > SIZE:
            self._file.truncate(SIZE)

    def write(self, flushed: int) -> None:
        """Note that so many transactions have been forced to the disk."""
        if self._file is not None:
            facts = FORM.pack(self._name, flushed)
            with suppress(OSError):  # an older note is true as well
                note = facts + zlib.crc32(facts).to_bytes(4, "little")
                if sys.platform == "win32":
                    self._file.seek(0)
                    self._file.write(note)
                else:
                    os.pwrite(self._file.fileno(), note, 0)

    def close(self) -> None:
        """Let go of it."""
        if self._file is not None:
            self._file.close()
            self._file = None
