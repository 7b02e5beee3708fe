"""Play logs on their way out: the one thing the shipper asks of a client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import orjson
from attrs import frozen

from ..config import UserToken
from ..models import LogKind, StreamLog
from ..operations import Operation
from ..operations.platform import logging as operations
from .call import Call
from .core import Session
from .slots import Slot

OPERATIONS: Mapping[LogKind, Operation] = {
    LogKind.PREVIEW: operations.REPORT_PREVIEW_STREAM,
    LogKind.CATALOGUE: operations.REPORT_CATALOGUE_STREAM,
    LogKind.SUBSCRIBER: operations.REPORT_SUBSCRIBER_STREAM,
}


@frozen
class Turn:
    """The right to send one batch now."""

    _session: Session
    _operation: Operation
    _slot: Slot | None

    async def post(self, logs: Sequence[bytes], user: UserToken | None) -> str:
        """Send encoded logs in one request, exactly once.

        Args:
            logs: What ``encode`` returned, for the kind this turn is for.
            user: Who signs, beside the partner.

        Returns:
            The answer, for the record.

        Raises:
            SevenDigitalError: The batch was not accepted, or nobody knows.
        """
        joined = orjson.Fragment(b"[" + b",".join(logs) + b"]")
        return await self._session.send_once(Call(self._operation, {"logs": joined}, user), self._slot)


@frozen
class PlayLogCourier:
    """Carries batches of play logs to the service."""

    _session: Session

    def encode(self, kind: LogKind, log: StreamLog) -> bytes:  # noqa: ARG002 - kinds differ in other dialects
        """Return the bytes that stand for ``log`` in a batch of ``kind``."""
        return log.encode()

    @asynccontextmanager
    async def turn(self, kind: LogKind) -> AsyncIterator[Turn]:
        """Wait until a request of ``kind`` may go out.

        Raises:
            RateLimitError: The quota is spent for longer than the client's ``max_wait``.
        """
        operation = OPERATIONS[kind]
        async with self._session.admission(operation) as slot:
            yield Turn(self._session, operation, slot)
