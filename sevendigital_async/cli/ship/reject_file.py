"""Files for what could not be delivered, made when there is something to keep and never in place of another."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from attrs import define, field, frozen

from ...errors import ConfigurationError
from ...models import LogKind
from ...private_files import create_private, fsync_path
from ...shipping import MemorySpool
from ..output import complain
from .line_reader import Line


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
    kind: LogKind, memory: MemorySpool | None, unread: Iterable[Line], *, rejected: RejectFile, unsent: RejectFile
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
    kind: LogKind, memory: MemorySpool, rejected: RejectFile, unsent: RejectFile
) -> Iterator[tuple[RejectFile, bytes, bool]]:
    for letter in memory.dead_letters():
        yield rejected, letter.body, False
    for record in sorted(memory.undelivered(kind), key=lambda record: not record.in_doubt):
        yield unsent, record.body, record.in_doubt


_EARLIER_LEFTOVER = re.compile(r"\.(?:rejected|unsent)(?:\.\d+)?$")


def beside(name: str, ending: str, *, regular: bool) -> Path:
    """Choose the path for the leftovers of an input.

    Leftovers of leftovers are named after the first input: what ``plays.jsonl.unsent`` leaves goes to
    ``plays.jsonl.unsent.1``. What is no regular file has no lasting place; its leftovers go to the current directory.
    """
    path = Path(_EARLIER_LEFTOVER.sub("", name) if regular else Path(name).name)
    return path.with_name(path.name + ending)


@define(eq=False)
class RejectFile:
    """A file of lines. If its name is taken, a number is added to it.

    Attributes:
        wanted: The path to use if it is free.
        path: The path in use; None while there is nothing to keep.
        lines: How many were written.
    """

    wanted: Path
    path: Path | None = None
    lines: int = 0
    _descriptor: int | None = field(default=None, repr=False)
    _size: int = field(default=0, repr=False)
    _is_safe: bool = field(default=True, repr=False)
    _is_named: bool = field(default=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Refuse a place where nothing can be kept, as long as there is nothing to keep.

        Raises:
            ConfigurationError: There is no such directory, or it may not be written to.
        """
        directory = self.wanted.parent
        if self.wanted.name in {"", ".."}:
            raise ConfigurationError(f"cannot write {self.wanted}: it is a directory")
        if not directory.is_dir() or not os.access(directory, os.W_OK | os.X_OK):
            raise ConfigurationError(f"cannot write {self.wanted}: {directory} is no directory that may be written to")

    @property
    def place(self) -> Path:
        """The path in use, or the one that would be."""
        return self.path or self.wanted

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the file; what was written is on the disk afterwards."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            try:
                self._force(descriptor)
            except OSError as failure:
                complain(f"{self.path} may not be on the disk: {failure.strerror}")
            finally:
                os.close(descriptor)

    def write(self, line: bytes) -> None:
        """Keep a line: whole, or not at all.

        Raises:
            OSError: It cannot be kept.
        """
        if self._descriptor is None:
            self._create()
        assert self._descriptor is not None
        left = memoryview(line + b"\n")
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError:
            os.ftruncate(self._descriptor, self._size)
            raise
        self._size += len(line) + 1
        self.lines += 1
        self._is_safe = False

    def sync(self) -> None:
        """See to it that what was written survives a power cut; takes as long as the disk takes.

        Raises:
            OSError: It may not.
        """
        if not self._is_safe and self._descriptor is not None:
            self._force(self._descriptor)
            self._is_safe = True

    def _force(self, descriptor: int) -> None:
        os.fsync(descriptor)
        if not self._is_named:
            fsync_path(self.place.parent)
            self._is_named = True

    def _create(self) -> None:
        names = itertools.chain([self.wanted.name], (f"{self.wanted.name}.{number}" for number in itertools.count(1)))
        for name in names:
            path = self.wanted.with_name(name)
            try:
                self._descriptor = create_private(path)
            except FileExistsError:
                continue
            self.path = path
            return
