"""A watermark in Redis, counted by its scripts, for other workers deliver plays as well."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from attrs import define, field

from ....models import LogKind
from ....redis_connection import RedisScript
from . import scripts
from .wire import milliseconds
from .writer import Append, Writer

NO_LOOK = -1


@define(eq=False)
class RedisWatermark:
    """Implements :class:`~sevendigital_async.shipping.spools.base.Watermark`.

    The mark is made once everything is in Redis that this worker has accepted, or was writing.
    """

    _kind: LogKind
    _writer: Writer
    _ask: Callable[..., Awaitable[Any]]
    """Takes a script and its arguments; returns None while Redis is away."""
    _written: Callable[[], Awaitable[None]]
    """Waits a moment for what is being written."""
    _expected: Sequence[Append]
    _mark: bytes = field(init=False, default=b"")
    _is_past: bool = field(init=False, default=False)

    @property
    def last(self) -> int | None:
        """Sequence of the last play; None while that is not known."""
        return int(self._mark.partition(b":")[0]) if self._mark else None

    async def left(self, *, rest: float | None = None) -> int | None:
        """Return how many plays have not found their end; None while that is not known."""
        if self._is_past:
            return 0
        if self._expected:
            await self._written()
            self._expected = [append for append in self._expected if self._writer.expects(append)]
        if self._expected:
            return None
        if not self._mark:
            answer = await self._asked(scripts.WATERMARK, uuid.uuid4().hex)
            if answer is not None:
                self._mark = answer[2]
        else:
            answer = await self._asked(scripts.LEFT, self._mark, NO_LOOK if rest is None else milliseconds(rest))
            if answer is None or answer[1] < 0:
                self._mark = b""  # Redis has lost it
                return None
        if answer is None:
            return None
        self._is_past = answer[1] == 0 and rest is None
        return int(answer[1])

    async def _asked(self, script: RedisScript, *arguments: object) -> Any:
        answer = await self._ask(script, self._kind.value, *arguments)
        return None if answer is None or answer[0] == b"gone" else answer
