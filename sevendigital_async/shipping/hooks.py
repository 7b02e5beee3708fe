"""What a shipper tells its owner as it happens."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from attrs import define, field

from ..errors import ConfigurationError
from ..models import LogKind
from .callbacks import CallbackError, Callbacks, CallbackTimeoutError, call
from .circuit_breaker import Alert
from .records import DeadLetter, Delivery

T = TypeVar("T")
Hook = Callable[[T], Awaitable[object] | object]
TroubleHook = Callable[[LogKind, Alert], Awaitable[object] | object]

logger = logging.getLogger("sevendigital_async.shipping")

TIMEOUTS_IN_A_ROW = 3
"""Dead letters of one batch whose hook took too long, after which the rest of the batch is not passed to it."""


@define(eq=False)
class Hooks:
    """Functions, plain or async, that hear of events. One that fails or takes too long is logged and changes nothing.

    Attributes:
        on_delivered: Hears of every accepted batch.
        on_dead_letter: Hears of every play that is set aside for good, and takes it over from a memory spool.
        on_alert: Hears of what a person should look at, once per trouble.
        alerting: Calls of ``on_alert`` that have not come back yet.
    """

    on_delivered: Hook[Delivery] | None
    on_dead_letter: Hook[DeadLetter] | None
    on_alert: TroubleHook | None
    _callbacks: Callbacks
    _start: Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]]
    alerting: int = field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        """Refuse what can't be called."""
        for name in ("on_delivered", "on_dead_letter", "on_alert"):
            hook = getattr(self, name)
            if hook is not None and not callable(hook):
                raise ConfigurationError(f"{name} must be a function, not an object of type {type(hook).__name__}")

    async def delivered(self, delivery: Delivery) -> None:
        """Tell of a batch."""
        if self.on_delivered is not None:
            try:
                await self._callbacks.call("on_delivered", self.on_delivered, delivery)
            except CallbackError as error:
                _log("on_delivered", error)

    async def buried(self, letters: Sequence[DeadLetter], taken: Callable[[Sequence[DeadLetter]], None]) -> None:
        """Tell of buried plays; ``taken`` hears of each that the hook has taken over."""
        if self.on_dead_letter is None:
            return
        timeouts = 0
        for number, letter in enumerate(letters, 1):
            try:
                await self._callbacks.call("on_dead_letter", self.on_dead_letter, letter)
            except CallbackError as error:
                _log("on_dead_letter", error)
                timeouts = timeouts + 1 if isinstance(error, CallbackTimeoutError) else 0
            else:
                taken([letter])
                timeouts = 0
            if timeouts == TIMEOUTS_IN_A_ROW and number < len(letters):
                logger.error("on_dead_letter: %d dead letters were not passed on", len(letters) - number)
                return

    def troubled(self, kind: LogKind, alert: Alert) -> None:
        """Tell, and log, what a person should look at."""
        fields = {"event": "trouble", "kind": kind.value, "trouble": alert.kind.value}
        logger.error("%s: %s", kind.value, alert.message, extra=fields)
        if self.on_alert is None:
            return
        try:
            result = call(self.on_alert, kind, alert)
        except CallbackError as error:
            _log("on_alert", error)
            return
        if inspect.isawaitable(result):
            self.alerting += 1
            self._start(self._alert(result), "on_alert").add_done_callback(lambda _: self._alerted(result))

    async def _alert(self, result: Awaitable[object]) -> None:
        try:
            await self._callbacks.result_of("on_alert", result)
        except CallbackError as error:
            _log("on_alert", error)

    def _alerted(self, result: Awaitable[object]) -> None:
        self.alerting -= 1
        if inspect.iscoroutine(result):
            result.close()  # the task may have been cancelled before its first step


def _log(name: str, error: CallbackError) -> None:
    logger.error("%s %s; the shipper goes on", name, error, exc_info=error.__cause__)
