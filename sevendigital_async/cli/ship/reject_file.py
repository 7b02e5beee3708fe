"""Files for what was not delivered, created when they are needed; they never replace another file."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from attrs import define, field, frozen

from ...errors import ConfigurationError
from ...models import LogKind
from ...private_files import create_private, fsync_path
from ...shipping import MemorySpool
from ...sources import PendingPortion
from ..output import echo_message


@frozen
class UnsentCounts:
    """How the rest of a run was written to files.

    Attributes:
        in_doubt: How many of the unsent plays the service may have already.
        lost: Plays and lines that could not be written.
        failure: The reason, if there are any.
    """

    in_doubt: int = 0
    lost: int = 0
    failure: str | None = None


def write_unsent(
    memory: MemorySpool | None,
    unread: PendingPortion | None,
    *,
    rejected: RejectFile,
    unsent: RejectFile,
    needs_kind: bool = False,
) -> UnsentCounts:
    """Write what would be lost with the process to files; plays in doubt come first.

    Args:
        memory: The spool, if it is in memory.
        unread: What was read and can't be read again.
        rejected: For buried plays that could not be written earlier.
        unsent: For plays that wait or are held, and for ``unread``.
        needs_kind: Plays are written with their kinds.
    """
    rest = list(_unsent_records(memory, rejected, unsent, needs_kind=needs_kind)) if memory else []
    if unread is not None:
        rest += [(unsent, _body(log.encode(), kind, needs_kind), False) for kind, log in unread.plays()]
        rest += [(unsent, record.data, False) for record in unread.bad]
    in_doubt = 0
    for done, (file, line, is_in_doubt) in enumerate(rest):
        try:
            file.write(line)
        except OSError as error:
            return UnsentCounts(in_doubt, len(rest) - done, f"cannot write {file.target_path}: {error.strerror}")
        in_doubt += is_in_doubt
    return UnsentCounts(in_doubt)


def _unsent_records(
    memory: MemorySpool, rejected: RejectFile, unsent: RejectFile, *, needs_kind: bool
) -> Iterator[tuple[RejectFile, bytes, bool]]:
    for letter in memory.dead_letters():
        yield rejected, _body(letter.body, letter.kind, needs_kind), False
    undelivered = [(kind, record) for kind in LogKind for record in memory.undelivered(kind)]
    for kind, record in sorted(undelivered, key=lambda each: not each[1].in_doubt):
        yield unsent, _body(record.body, kind, needs_kind), record.in_doubt


def with_kind(body: bytes, kind: LogKind) -> bytes:
    """Return the JSON object of a play with its kind."""
    return body[:-1] + b',"kind":"%s"}' % kind.value.encode()


def _body(body: bytes, kind: LogKind, needs_kind: bool) -> bytes:
    return with_kind(body, kind) if needs_kind else body


def _is_at(path: Path, descriptor: int) -> bool:
    """Return whether a path still is the open file."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except OSError:
        return False


_EARLIER_ENDING = re.compile(r"\.(?:rejected|unsent)(?:\.\d+)?$")


def output_path(name: str, ending: str, *, is_regular: bool) -> Path:
    """Return the path of a file that belongs to an input.

    It is named after the original input: the unsent plays of ``plays.jsonl.unsent`` go to ``plays.jsonl.unsent.1``. If
    the input is not a regular file, the path is in the current directory.
    """
    path = Path(_EARLIER_ENDING.sub("", name) if is_regular else Path(name).name)
    return path.with_name(path.name + ending)


@define(eq=False)
class RejectFile:
    """A file of lines. If its name exists, a number is added to it.

    Attributes:
        preferred_path: The path to use if it does not exist.
        path: The path in use; None until something is written.
        lines: Number of lines written.
    """

    preferred_path: Path
    path: Path | None = None
    lines: int = 0
    _descriptor: int | None = field(default=None, repr=False)
    _moved_descriptors: list[int] = field(factory=list, repr=False)
    """Descriptors of files that were moved away, until they are forced to the disk."""
    _size: int = field(default=0, repr=False)
    _is_synced: bool = field(default=True, repr=False)
    _is_name_synced: bool = field(default=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Check the directory before there is something to write."""
        directory = self.preferred_path.parent
        if self.preferred_path.name in {"", ".."}:
            raise ConfigurationError(f"cannot write {self.preferred_path}: it is a directory")
        if not directory.is_dir() or not os.access(directory, os.W_OK | os.X_OK):
            raise ConfigurationError(f"cannot write {self.preferred_path}: {directory} is not a writable directory")

    @property
    def is_synced(self) -> bool:
        """Whether what was written would survive a power cut."""
        return self._is_synced and not self._moved_descriptors

    @property
    def target_path(self) -> Path:
        """The path in use, or the one to be used."""
        return self.path or self.preferred_path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Force the file to the disk and close it."""
        self._is_synced = False
        try:
            self.sync()
        except OSError as failure:
            echo_message(f"{self.path} could not be flushed to disk: {failure.strerror}")
        finally:
            for descriptor in [*self._moved_descriptors, *([] if self._descriptor is None else [self._descriptor])]:
                os.close(descriptor)
            self._moved_descriptors, self._descriptor = [], None

    def reopen(self) -> None:
        """Write to a new file from the next line on, if the file was moved away or deleted, as logrotate does."""
        if self._descriptor is None or _is_at(self.target_path, self._descriptor):
            return
        self._moved_descriptors.append(self._descriptor)
        self._descriptor, self._size = None, 0
        self._is_synced, self._is_name_synced = True, False

    def write(self, *lines: bytes) -> None:
        """Write lines, all of them or none."""
        if self._descriptor is None:
            self._create()
        assert self._descriptor is not None
        data = b"".join(line + b"\n" for line in lines)
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError:
            os.ftruncate(self._descriptor, self._size)
            raise
        self._size += len(data)
        self.lines += len(lines)
        self._is_synced = False

    def sync(self) -> None:
        """Force what was written to the disk; blocking."""
        while self._moved_descriptors:
            os.fsync(self._moved_descriptors[0])
            os.close(self._moved_descriptors.pop(0))
        if not self._is_synced and self._descriptor is not None:
            self._is_synced = True  # before, because more may be written meanwhile
            try:
                self._fsync(self._descriptor)
            except OSError:
                self._is_synced = False
                raise

    def _fsync(self, descriptor: int) -> None:
        os.fsync(descriptor)
        if not self._is_name_synced:
            self._is_name_synced = True  # before, because the file may be reopened meanwhile
            try:
                fsync_path(self.target_path.parent)
            except OSError:
                self._is_name_synced = False
                raise

    def _create(self) -> None:
        names = itertools.chain(
            [self.preferred_path.name], (f"{self.preferred_path.name}.{number}" for number in itertools.count(1))
        )
        for name in names:
            path = self.preferred_path.with_name(name)
            try:
                self._descriptor = create_private(path)
            except FileExistsError:
                continue
            self.path = path
            return
