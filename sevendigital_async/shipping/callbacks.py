"""Calls of the user's functions, which can neither end nor block a task of the shipper."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from attrs import define, field

from ..clock import Clock

T = TypeVar("T")

logger = logging.getLogger("sevendigital_async.shipping")

CLEANUP_TIME = 0.1
"""Seconds that a cancelled callback has for cleaning up; after that the shipper no longer waits for it."""


class CallbackError(Exception):
    """A callback raised, was cancelled, or took too long; ``__cause__`` is what it raised.

    The message continues the callback's name: ``raised ValueError('x')``.
    """


class CallbackTimeoutError(CallbackError):
    """A callback took too long and was cancelled."""


def call(function: Callable[..., T], *arguments: object) -> T:
    """Call a plain function.

    Raises:
        CallbackError: It raised. A plain function can't be cancelled, so this includes ``CancelledError``.
    """
    try:
        return function(*arguments)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        raise CallbackError(f"raised {error!r}") from error


@define(eq=False)
class Callbacks:
    """Calls functions that may be plain or async.

    An async one runs in its own task, so that its cancellation is distinct from the caller's.

    Attributes:
        clock: Measures the time limit.
        time_limit: Seconds that an async function may take.
        on_exit: Called with the exception of an async function that asked the process to end.
    """

    clock: Clock
    time_limit: float
    on_exit: Callable[[BaseException], None]
    _cancelled: set[asyncio.Task[Any]] = field(init=False, factory=set)

    async def call(self, name: str, function: Callable[..., object], *arguments: object) -> Any:
        """Call a function and, if it is async, wait for its result.

        Raises:
            CallbackError: It raised, was cancelled, or took too long.
        """
        result = call(function, *arguments)
        return await self.result_of(name, result) if inspect.isawaitable(result) else result

    async def result_of(self, name: str, awaitable: Awaitable[T]) -> T:
        """Wait for what an async function returned.

        Raises:
            CallbackError: It raised, was cancelled, or took too long.
        """
        # Wrapped, a coroutine that is cancelled before its first step would count as never awaited.
        work = awaitable if isinstance(awaitable, Coroutine) else _awaited(awaitable)
        task: asyncio.Task[T] = asyncio.create_task(work, name=name)
        ended = asyncio.Event()
        task.add_done_callback(lambda _: ended.set())
        task.add_done_callback(self._check_for_exit)
        try:
            await self.clock.wait(ended, self.time_limit)
        finally:
            in_time = task.done()
            if not in_time:
                await self._cancel(task)
        if not in_time:
            raise CallbackTimeoutError(f"took longer than {self.time_limit:g} s and was cancelled")
        if task.cancelled():
            raise CallbackError("was cancelled")
        if (error := task.exception()) is not None:
            raise CallbackError(f"raised {error!r}") from error
        return task.result()

    def _check_for_exit(self, task: asyncio.Task[Any]) -> None:
        # The event loop has raised it already; raised once more by the caller, it would interrupt the closing.
        if not task.cancelled() and isinstance(error := task.exception(), KeyboardInterrupt | SystemExit):
            self.on_exit(error)

    async def _cancel(self, task: asyncio.Task[Any]) -> None:
        self._cancelled.add(task)
        task.add_done_callback(self._discard)
        task.cancel()
        await asyncio.wait([task], timeout=CLEANUP_TIME)
        if not task.done():
            logger.warning("%s was cancelled and is still running", task.get_name())

    def _discard(self, task: asyncio.Task[Any]) -> None:
        self._cancelled.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("%s raised an exception while it was cancelled", task.get_name(), exc_info=error)


async def _awaited(awaitable: Awaitable[T]) -> T:
    return await awaitable
