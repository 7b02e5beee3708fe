"""Guarded calls of the user's observers: their errors are logged and change nothing."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Protocol, TypeVar

from attrs import define, field

T = TypeVar("T")


class ActivatableSpan(Protocol):
    """A span that can be the current one."""

    def activate(self) -> AbstractContextManager[object]:
        """Return a context manager in which the span is the current one."""
        ...


@define(eq=False)
class ObserverGuard:
    """Calls plain functions of one observer. The first error is logged; errors change nothing else.

    Attributes:
        name: Name of the observer, as the user passes it.
        logger: Logs the error.
    """

    name: str
    logger: logging.Logger
    _has_failed: bool = field(init=False, default=False)

    def call(self, function: Callable[..., T], *arguments: object) -> T | None:
        """Call a function and return its result; None if it raised, or is async."""
        try:
            result = function(*arguments)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - a plain function can't be cancelled: this one is its own
            self._log_failure("raised", error)
            return None
        if inspect.isawaitable(result):
            self._discard(result)
            return None
        return result

    @contextmanager
    def entered(self, span: ActivatableSpan) -> Iterator[None]:
        """Make a span the current one for the time of the block."""
        opened = ExitStack()

        def enter() -> None:
            opened.enter_context(span.activate())

        self.call(enter)
        try:
            yield
        finally:
            self.call(opened.close)

    def _discard(self, awaitable: object) -> None:
        if inspect.iscoroutine(awaitable):
            awaitable.close()
        elif isinstance(awaitable, asyncio.Future):
            awaitable.cancel()
        self._log_failure("is async and was not awaited; pass a plain function", None)

    def _log_failure(self, what: str, error: BaseException | None) -> None:
        if not self._has_failed:
            self._has_failed = True
            self.logger.error("%s %s; its further errors are not logged", self.name, what, exc_info=error)
