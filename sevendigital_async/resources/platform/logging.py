"""Play reports of the streaming platform, one request a call."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from ...errors import InvalidArgumentError, InvalidLogError
from ...models import StreamLog
from ...operations import Operation
from ...operations.platform import logging as ops
from .. import checks
from ..resource import Resource

MAX_LOGS = 500
MAX_SUBSCRIBER_LOGS = 20


class Logging(Resource):
    """Methods of ``client.platform.logging``.

    Each sends one request and never repeats it unless the service surely did not accept it. Plays that must not
    be lost belong into a :class:`~sevendigital_async.StreamLogShipper`.
    """

    async def preview(self, logs: Iterable[StreamLog]) -> None:
        """Report plays of preview clips; at most five such requests leave in any second.

        Args:
            logs: 1 to 500 plays.

        Raises:
            InvalidLogError: A play is invalid; nothing was sent.
            BatchError: The service refused some; nothing was saved.

        API: ``POST /logging/preview``
        """
        await self._report(ops.REPORT_PREVIEW_STREAM, logs, MAX_LOGS)

    async def catalogue(self, logs: Iterable[StreamLog]) -> None:
        """Report plays in radio-style listening, of one user if the client acts for one.

        Args:
            logs: 1 to 500 plays.

        Raises:
            InvalidLogError: A play is invalid; nothing was sent.
            BatchError: The service refused some; whether it saved the others is not documented.

        API: ``POST /logging/catalogue``
        """
        await self._report(ops.REPORT_CATALOGUE_STREAM, logs, MAX_LOGS)

    async def subscriber(self, logs: Iterable[StreamLog]) -> None:
        """Report plays of subscribers, of one user if the client acts for one.

        Args:
            logs: 1 to 20 plays; 10 or more are recommended.

        Raises:
            InvalidLogError: A play is invalid; nothing was sent.
            BatchError: The service refused some; whether it saved the others is not documented.

        API: ``POST /logging/subscriber``
        """
        await self._report(ops.REPORT_SUBSCRIBER_STREAM, logs, MAX_SUBSCRIBER_LOGS)

    async def _report(self, operation: Operation, logs: Iterable[StreamLog], limit: int) -> None:
        batch = checks.item_list("logs", logs)
        if not 1 <= len(batch) <= limit:
            raise InvalidArgumentError(f"{operation.name} takes 1 to {limit} logs, not {len(batch)}", argument="logs")
        now = datetime.now(UTC)
        for index, log in enumerate(batch):
            if not isinstance(log, StreamLog):
                raise InvalidArgumentError(f"logs[{index}] is not a StreamLog", argument="logs")
            try:
                log.check(now)
            except InvalidLogError as error:
                raise InvalidLogError(f"logs[{index}]: {error}", field=error.field, index=index) from None
        await self._caller.call(operation, logs=batch)
