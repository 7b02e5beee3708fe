"""Waits for changes of files: with inotify if watchfiles is installed, else by polling."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterable

from ..clock import Clock

logger = logging.getLogger("sevendigital_async.sources")

BURST_GAP_MS = 100
"""Milliseconds without a change that end a burst of changes."""

MAX_BURST_MS = 500
"""Milliseconds after which a burst of changes is not awaited any longer."""


class ChangeWatcher:
    """Waits until files may have changed.

    Changes that the system does not report, such as those of a network file system, are noticed after ``poll`` seconds.

    Args:
        poll: The most seconds to wait.
        is_of_interest: Whether a change of a path ends the wait.
        clock: Time.
    """

    def __init__(self, poll: float, is_of_interest: Callable[[str], bool], clock: Clock) -> None:
        self._poll = poll
        self._is_of_interest = is_of_interest
        self._clock = clock
        self._changed = asyncio.Event()
        self._directories: frozenset[str] = frozenset()
        self._task: asyncio.Task[None] | None = None

    def clear(self) -> None:
        """Clear earlier changes; call this before checking files."""
        self._changed.clear()

    async def wait(self, directories: Iterable[str]) -> None:
        """Wait for a change since :meth:`begin`.

        Args:
            directories: Where files may change.
        """
        await self._watch(frozenset(filter(os.path.isdir, directories)))
        await self._clock.wait(self._changed, self._poll)

    async def aclose(self) -> None:
        """Stop watching."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])  # which raises only if this task is cancelled

    async def _watch(self, directories: frozenset[str]) -> None:
        if directories != self._directories:
            await self.aclose()
            self._directories = directories
            if directories:
                self._task = asyncio.create_task(self._report(directories), name="watching files")

    async def _report(self, directories: frozenset[str]) -> None:
        try:
            from watchfiles import awatch  # noqa: PLC0415 - an extra
        except ImportError:
            return
        try:
            async for _ in awatch(
                *directories,
                watch_filter=lambda _, path: self._is_of_interest(path),
                recursive=False,
                debounce=MAX_BURST_MS,
                step=BURST_GAP_MS,
            ):
                self._changed.set()
        except (OSError, RuntimeError) as error:
            logger.info(
                "polling for file changes every %g s, because the system does not report them: %s",
                *(self._poll, error),
                extra={"event": "watch-failed"},
            )
