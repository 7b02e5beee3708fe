"""Files that grow, rotate and vanish, read for as long as the process runs."""

from __future__ import annotations

import glob
import logging
import os
import stat
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from functools import partial

from attrs import define, frozen

from ..clock import Clock, SystemClock
from ..errors import ConfigurationError
from ..models import LogKind
from .base import Portion, ReadCheckpoint
from .file_reader import Descriptor, FileReader
from .files import in_thread, is_excluded, make_portion
from .formats import Format
from .lag import Lag
from .parsed_records import ParsedRecords
from .positions import Position, ReadOptions
from .watching import ChangeWatcher

logger = logging.getLogger("sevendigital_async.sources")

MAX_CHUNKS_PER_TURN = 64
"""Chunks read from one file before the others get their turn."""

IDLE_CLOSE_TIME = 300.0
"""Seconds without a change after which a file is closed; it is opened again when it changes."""

MTIME_TOLERANCE = 0.05
"""Seconds by which the time of a file's last change may be behind the clock."""

MAX_SAME_FIRST_RECORDS = 1000
"""Files with the same first line that are kept apart."""


@frozen
class FileId:
    """Identifies a file on this machine, whatever its path."""

    device: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> FileId:
        """Return the id of a file."""
        return cls(status.st_dev, status.st_ino)


@frozen
class FoundFile:
    """A file that may have to be read.

    Attributes:
        path: Where it is.
        is_current: Whether a pattern matches it.
        size_and_mtime: Size, and time of the last change in nanoseconds.
    """

    path: str
    is_current: bool
    size_and_mtime: tuple[int, int]


@define(eq=False)
class FollowedFile:
    """A file that is being read.

    Attributes:
        reader: At its position.
        path: Where it was found last.
        stream: Its name in checkpoints.
        start: The checkpoint it is at.
        idle_since: When it was last seen to grow or to be rotated, on the monotonic clock.
        is_current: Whether a pattern still matches it; if not, it was rotated or removed and is read to its end.
    """

    reader: FileReader
    path: str
    stream: str
    start: str | None
    idle_since: float
    is_current: bool = True

    def check_kind(self, kind: LogKind | None) -> None:
        """Refuse to read on as plays of another kind than before.

        Raises:
            ConfigurationError: It was read as plays of another kind.
        """
        if self.start is not None:
            Position.decode(self.start, self.path).check_kind(kind, self.path, is_followed=True)

    def update_path(self, candidate: FoundFile | None, now: float) -> None:
        """Note where the file is now; None if it has no path any more."""
        is_current = candidate is not None and candidate.is_current
        if self.is_current and not is_current:
            # Until its writer has noticed the rotation, it may still write, however long it wrote nothing.
            self.idle_since = now
        self.is_current = is_current
        if candidate is not None:
            self.path = candidate.path

    def portion(self, parsed: ParsedRecords) -> Portion:
        """Return what was read as a portion."""
        portion = make_portion(parsed, self.stream, self.path, self.reader, start=self.start)
        self.start = portion.position
        return portion


class FollowSource:
    """Plays in files that grow. Yields plays for ever, as their lines are completed.

    A file is recognised by its content: the first line, and the bytes before the checkpoint. So it does not matter
    whether it was renamed, copied and truncated, or compressed since. Files in the same directory whose names begin
    with a followed path are rotated files. Such a file is read if its checkpoint is in the spool, or if it was
    written to after the first run began.

    Args:
        patterns: Paths, which need not exist yet, or patterns such as ``logs/*.jsonl``.
        options: How they are read.
        poll: Most seconds between two checks; where the extra ``follow`` (watchfiles) is installed, a change is
            noticed at once.
        rotate_wait: Seconds after its rotation, and without growth, after which the end of a rotated file is final.
        exclude: Patterns of paths that are not read, though ``patterns`` match them.
        clock: Time, for tests.
    """

    def __init__(
        self,
        *patterns: str | os.PathLike[str],
        options: ReadOptions | None = None,
        poll: float = 1.0,
        rotate_wait: float = 5.0,
        exclude: Sequence[str] = (),
        clock: Clock | None = None,
    ) -> None:
        if not patterns:
            raise ConfigurationError("no file to follow was given")
        self._patterns = [os.path.abspath(pattern) for pattern in patterns]  # noqa: PTH100 - keeps ".." of patterns
        self._options = options or ReadOptions()
        self._rotate_wait = rotate_wait
        self._exclude = exclude
        self._clock = clock or SystemClock()
        self._files: dict[FileId, FollowedFile] = {}
        self._closed_files: dict[FileId, tuple[int, int]] = {}
        self._reported_errors: dict[FileId, str] = {}
        self._first_run_at = 0.0
        self._last_lag: Lag | None = None
        self._watcher = ChangeWatcher(poll, lambda path: not is_excluded(path, exclude), self._clock)

    async def portions(self, checkpoint: ReadCheckpoint) -> AsyncGenerator[Portion, None]:
        """Yield plays as they are written; ends only with an error.

        Raises:
            ConfigurationError: An earlier run has shipped the beginning of a file as plays of another kind.
        """
        name = f"follow:{'|'.join(self._patterns)}"
        kept = await checkpoint(name)
        self._first_run_at = float(kept) if kept else self._clock.time()
        if not kept:
            yield Portion(name, repr(self._first_run_at), None, [], name, [])
        while True:
            self._watcher.clear()
            await self._discover(checkpoint)
            has_read = False
            for followed in list(self._files.values()):
                async for portion in self._read(followed):
                    has_read = True
                    yield portion
            if not has_read:
                await self._watcher.wait(self._directories())

    async def confirm(self, portion: Portion) -> None:
        """Do nothing: the checkpoint in the spool is enough."""

    async def aclose(self) -> None:
        """Close the files."""
        await self._watcher.aclose()
        self._last_lag = self.lag()
        for followed in self._files.values():
            followed.reader.close()
        self._files = {}

    def lag(self) -> Lag:
        """Return how far reading is behind, or was when this was closed."""
        if self._last_lag is not None:
            return self._last_lag
        unread = [
            (followed.reader.unread_bytes, followed.reader.size_and_mtime[1] / 1e9) for followed in self._files.values()
        ]
        behind = [(size, at) for size, at in unread if size > 0]
        seconds = max((self._clock.time() - at for _, at in behind), default=0.0)
        return Lag(len(unread), sum(size for size, _ in behind), max(0.0, seconds))

    # -- which files there are --

    def _directories(self) -> set[str]:
        """Return the directories in which files may appear, as far as they exist."""
        parents = [os.path.dirname(pattern) for pattern in self._patterns]  # noqa: PTH120 - patterns
        return {found for parent in parents for found in glob.glob(parent)}  # noqa: PTH207 - absolute patterns

    async def _discover(self, checkpoint: ReadCheckpoint) -> None:
        found = await in_thread(self._find_files)
        for id_, followed in self._files.items():
            followed.update_path(found.get(id_), self._clock.monotonic())
        await self._drop_rewritten()
        self._closed_files = {id_: state for id_, state in self._closed_files.items() if id_ in found}
        self._reported_errors = {id_: reason for id_, reason in self._reported_errors.items() if id_ in found}
        for id_, candidate in found.items():
            if id_ not in self._files and self._closed_files.get(id_) != candidate.size_and_mtime:
                await self._start_reading(id_, candidate, checkpoint)

    def _find_files(self) -> dict[FileId, FoundFile]:
        """Return the files that exist, including rotated ones."""
        found: dict[FileId, FoundFile] = {}
        for pattern in self._patterns:
            for path in sorted(glob.glob(pattern)):  # noqa: PTH207 - absolute patterns
                _add_file(found, path, is_current=True)
        for pattern in self._patterns:
            paths = sorted(glob.glob(pattern)) if glob.has_magic(pattern) else [pattern]  # noqa: PTH207
            for path in paths:
                for sibling in sorted(glob.glob(glob.escape(path) + "?*")):  # noqa: PTH207
                    _add_file(found, sibling, is_current=False)
        return {id_: each for id_, each in found.items() if not is_excluded(each.path, self._exclude)}

    async def _drop_rewritten(self) -> None:
        for id_, followed in list(self._files.items()):
            if await in_thread(followed.reader.is_rewritten):
                logger.info(
                    "%s was truncated; reading it from its beginning", followed.path, extra={"event": "truncated"}
                )
                followed.reader.close()
                del self._files[id_]
                self._closed_files.pop(id_, None)

    async def _start_reading(self, id_: FileId, candidate: FoundFile, checkpoint: ReadCheckpoint) -> None:
        """Open a file, and read it if it has new content."""
        reader = None
        try:
            reader = await in_thread(lambda: _open_reader(candidate.path, self._options))
            if reader is None or FileId.of(reader.status) != id_:
                return  # its first line is not complete, or it was replaced meanwhile; it is examined again
            followed = await self._identify(reader, candidate, checkpoint)
        except FileNotFoundError:
            pass  # it was renamed or removed meanwhile
        except (ConfigurationError, OSError) as error:
            self._report_unreadable(id_, candidate.size_and_mtime, f"not reading {candidate.path}", error)
        else:
            if followed is not None:
                # The options of this run are wrong then, not a single file.
                followed.check_kind(self._options.kind)
                self._files[id_], reader = followed, None
        finally:
            if reader is not None:
                reader.close()

    async def _identify(
        self, reader: FileReader, candidate: FoundFile, checkpoint: ReadCheckpoint
    ) -> FollowedFile | None:
        """Find the stream that a file continues, and move the reader there; None if it has no new content."""
        open_streams = {followed.stream: followed.reader for followed in self._files.values()}
        for number in range(MAX_SAME_FIRST_RECORDS):
            stream = f"{reader.first_record_hash}{f'#{number}' if number else ''}"
            if (other := open_streams.get(stream)) is not None:
                is_copy = await in_thread(partial(reader.has_same_start, other))
                if is_copy or await in_thread(other.is_rewritten):
                    # A copy that rotation has made. When the other file is truncated, this one continues its stream.
                    return None
                continue
            kept = await checkpoint(stream)
            if kept is not None:
                continues = await in_thread(partial(reader.try_resume, Position.decode(kept, candidate.path)))
                if continues is False:
                    continue
            began = (self._first_run_at - MTIME_TOLERANCE) * 1e9
            if kept is None and not (candidate.is_current or candidate.size_and_mtime[1] >= began):
                continues = None  # it was rotated before the first run
            elif kept is None:
                continues = True
            if not continues:
                self._closed_files[FileId.of(reader.status)] = candidate.size_and_mtime
                return None
            now = self._clock.monotonic()
            return FollowedFile(reader, candidate.path, stream, kept, now, is_current=candidate.is_current)
        raise ConfigurationError(
            f"more than {MAX_SAME_FIRST_RECORDS} files begin with the same line as {candidate.path}"
        )

    # -- what is in them --

    async def _read(self, followed: FollowedFile) -> AsyncGenerator[Portion, None]:
        reader = followed.reader

        def read() -> tuple[tuple[int, int], bool, ParsedRecords | None]:
            state = reader.size_and_mtime  # before reading: what is written later makes another state
            is_rewritten = reader.is_rewritten()
            return state, is_rewritten, None if is_rewritten else reader.read()

        state = reader.size_and_mtime
        try:
            for _ in range(MAX_CHUNKS_PER_TURN):
                state, is_rewritten, parsed = await in_thread(read)
                if is_rewritten:
                    return  # it was truncated a moment ago, and is read from its beginning in the next turn
                if parsed is None:
                    break
                followed.idle_since = self._clock.monotonic()
                self._reported_errors.pop(FileId.of(reader.status), None)
                if parsed.logs or parsed.bad:
                    yield followed.portion(parsed)
            else:
                return
            idle = self._clock.monotonic() - followed.idle_since
            if not reader.is_plain or (not followed.is_current and idle >= self._rotate_wait):
                parsed = await in_thread(partial(reader.finish, is_final=True))
                if parsed.logs or parsed.bad:
                    yield followed.portion(parsed)
                self._stop_reading(followed, state)
            elif idle >= IDLE_CLOSE_TIME:
                self._stop_reading(followed, state)
        except (ConfigurationError, OSError) as error:
            # A compressed file may still be being written, for example.
            self._stop_reading(followed, state)
            self._report_unreadable(FileId.of(reader.status), state, f"{followed.path} can't be read further", error)

    def _report_unreadable(self, id_: FileId, state: tuple[int, int], what: str, error: Exception) -> None:
        """Report once why a file is not read: until an error of the system has passed, or the file has changed."""
        if isinstance(error, ConfigurationError):
            self._closed_files[id_] = state
        else:
            self._closed_files.pop(id_, None)
        if self._reported_errors.get(id_) != str(error):
            self._reported_errors[id_] = str(error)
            logger.warning("%s: %s", what, error, extra={"event": "file-refused"})

    def _stop_reading(self, followed: FollowedFile, state: tuple[int, int]) -> None:
        id_ = FileId.of(followed.reader.status)
        self._closed_files[id_] = state
        self._files.pop(id_, None)
        followed.reader.close()


def _open_reader(path: str, options: ReadOptions) -> FileReader | None:
    """Open a file; None if its first record is not complete.

    Raises:
        ConfigurationError: It is not a file of plays.
        OSError: It can't be opened or read.
    """
    raw = Descriptor(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))
    try:
        raw.check()
        reader = FileReader(raw, path, options)
    except BaseException:
        raw.close()
        raise
    if reader.format is Format.PARQUET:
        reader.close()
        raise ConfigurationError("a Parquet file does not grow; ship it without --follow")
    if reader.is_plain and not reader.has_first_record:
        reader.close()
        return None
    return reader


def _add_file(found: dict[FileId, FoundFile], path: str, *, is_current: bool) -> None:
    with suppress(OSError):  # it was renamed or removed meanwhile
        status = os.stat(path)  # noqa: PTH116 - one call for everything
        if stat.S_ISREG(status.st_mode):
            state = status.st_size, status.st_mtime_ns
            found.setdefault(FileId.of(status), FoundFile(path, is_current, state))
