"""What a shipper tells its owner as it happens."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from attrs import frozen

from ..models import LogKind
from .gate import Trouble
from .records import DeadLetter, Delivery

T = TypeVar("T")
Hook = Callable[[T], Awaitable[object] | object]

logger = logging.getLogger("sevendigital_async.shipping")


@frozen
class Hooks:
    """Functions, plain or async, that hear of events. One that raises is logged and changes nothing.

    Attributes:
        on_delivered: Hears of every accepted batch.
        on_dead_letter: Hears of every play that is set aside for good, and takes it over from a memory spool.
        on_trouble: Hears of what a person should look at, once per trouble.
    """

    on_delivered: Hook[Delivery] | None = None
    on_dead_letter: Hook[DeadLetter] | None = None
    on_trouble: Callable[[LogKind, Trouble], object] | None = None

    async def delivered(self, delivery: Delivery) -> None:
        """Tell of a batch."""
        await _call(self.on_delivered, delivery)

    async def buried(self, letters: Sequence[DeadLetter]) -> list[DeadLetter]:
        """Tell of buried plays; returns those that the hook has taken."""
        return [letter for letter in letters if await _call(self.on_dead_letter, letter)]

    def troubled(self, kind: LogKind, trouble: Trouble) -> None:
        """Tell, and log, what a person should look at."""
        fields = {"event": "trouble", "kind": kind.value, "trouble": trouble.kind.value}
        logger.error("%s: %s", kind.value, trouble.message, extra=fields)
        if self.on_trouble is not None:
            try:
                self.on_trouble(kind, trouble)
            except Exception:
                logger.exception("on_trouble raised; going on without it")


async def _call(hook: Hook[T] | None, value: T) -> bool:
    if hook is None:
        return False
    try:
        result = hook(value)
        if inspect.isawaitable(result):
            await result
    except Exception:
        logger.exception("%s raised; going on without it", getattr(hook, "__name__", "a hook"))
        return False
    return True
