"""The shipper's background tasks: one that ends before the shipper stops it is a failure of the shipper."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from ..errors import ShipperFailedError


def failure_of(task: asyncio.Task[Any]) -> BaseException:
    """Return the error of a task that ended early."""
    if task.cancelled():
        return ShipperFailedError(f"the task {task.get_name()!r} was cancelled by code outside the shipper")
    return task.exception() or ShipperFailedError(f"the task {task.get_name()!r} ended by itself")


class Supervisor:
    """Runs tasks until :meth:`stop`. If one fails before, the others are cancelled."""

    def __init__(self, on_failure: Callable[[BaseException], None], on_end: Callable[[], None]) -> None:
        self._on_failure = on_failure
        self._on_end = on_end
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._has_failed = False

    @property
    def is_running(self) -> bool:
        """Whether any task runs."""
        return bool(self._tasks)

    def start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Start a task that runs until it is cancelled."""
        self._start(work, name).add_done_callback(self._ended)

    def start_finite(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Start a task that may end by itself; only an exception is a failure."""
        task = self._start(work, name)
        task.add_done_callback(self._finite_ended)
        return task

    def fail(self, error: BaseException) -> None:
        """Cancel all tasks because of an error, and call ``on_failure`` if it is the first one."""
        if not self._has_failed:
            self._has_failed = True
            self._cancel()
            self._on_failure(error)

    async def stop(self) -> None:
        """Cancel all tasks and wait for their end."""
        self._cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        return task

    def _cancel(self) -> None:
        self._stopping = True
        for task in self._tasks:
            task.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not (self._stopping and task.cancelled()):
            self.fail(failure_of(task))
        self._on_end()

    def _finite_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)
        self._on_end()
