"""Hooks: functions of the user that the shipper calls with deliveries, dead letters and alerts."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from attrs import define, field

from ..errors import ConfigurationError
from ..models import LogKind
from .callbacks import CallbackError, Callbacks, CallbackTimeoutError, call
from .circuit_breaker import Alert
from .events import AlertRaised, DeadLettersBuried, EventSink
from .records import DeadLetter, Delivery

T = TypeVar("T")
Hook = Callable[[T], Awaitable[object] | object]
AlertHook = Callable[[LogKind, Alert], Awaitable[object] | object]

logger = logging.getLogger("sevendigital_async.shipping")

MAX_CONSECUTIVE_TIMEOUTS = 3
"""Dead letters of one batch whose hook took too long, after which the rest of the batch is not passed to it."""


@define(eq=False)
class Hooks:
    """Functions, plain or async. An error or a timeout of one is logged and changes nothing else.

    Attributes:
        on_delivered: Called with every accepted batch.
        on_dead_letter: Called with every dead letter, which it takes over from a memory spool.
        on_alert: Called once with each alert.
        alerting: Calls of ``on_alert`` that have not returned yet.
    """

    on_delivered: Hook[Delivery] | None
    on_dead_letter: Hook[DeadLetter] | None
    on_alert: AlertHook | None
    _callbacks: Callbacks
    _start: Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]]
    alerting: int = field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        """Refuse hooks that can't be called."""
        for name in ("on_delivered", "on_dead_letter", "on_alert"):
            hook = getattr(self, name)
            if hook is not None and not callable(hook):
                raise ConfigurationError(f"{name} must be a function, not an object of type {type(hook).__name__}")

    def subscribe(self, sink: EventSink) -> None:
        """Subscribe the hooks that are set."""
        if self.on_delivered is not None:
            sink.subscribe(Delivery, self._delivered)
        if self.on_dead_letter is not None:
            sink.subscribe(DeadLettersBuried, self._buried)
        if self.on_alert is not None:
            sink.subscribe(AlertRaised, self._alert)

    async def _delivered(self, delivery: Delivery) -> None:
        assert self.on_delivered is not None
        try:
            await self._callbacks.call("on_delivered", self.on_delivered, delivery)
        except CallbackError as error:
            _log("on_delivered", error)

    async def _buried(self, event: DeadLettersBuried) -> None:
        assert self.on_dead_letter is not None
        timeouts, dead_letters = 0, event.dead_letters
        for number, dead_letter in enumerate(dead_letters, 1):
            try:
                await self._callbacks.call("on_dead_letter", self.on_dead_letter, dead_letter)
            except CallbackError as error:
                _log("on_dead_letter", error)
                timeouts = timeouts + 1 if isinstance(error, CallbackTimeoutError) else 0
            else:
                event.on_handled([dead_letter])
                timeouts = 0
            if timeouts == MAX_CONSECUTIVE_TIMEOUTS and number < len(dead_letters):
                logger.error(
                    "on_dead_letter: %d dead letters were not passed to the function", len(dead_letters) - number
                )
                return

    def _alert(self, event: AlertRaised) -> None:
        assert self.on_alert is not None
        try:
            result = call(self.on_alert, event.kind, event.alert)
        except CallbackError as error:
            _log("on_alert", error)
            return
        if inspect.isawaitable(result):
            self.alerting += 1
            task = self._start(self._wait_for_alert(result), "on_alert")
            task.add_done_callback(lambda _: self._alert_ended(result))

    async def _wait_for_alert(self, result: Awaitable[object]) -> None:
        try:
            await self._callbacks.result_of("on_alert", result)
        except CallbackError as error:
            _log("on_alert", error)

    def _alert_ended(self, result: Awaitable[object]) -> None:
        self.alerting -= 1
        if inspect.iscoroutine(result):
            result.close()  # the task may have been cancelled before its first step


def _log(name: str, error: CallbackError) -> None:
    logger.error("%s %s; the shipper continues", name, error, exc_info=error.__cause__)
