"""From a play to a record: checked and encoded once, at the door."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import InvalidLogError
from ..models import LogKind, StreamLog
from ..models.plain_play import Window
from .courier import Courier
from .records import SHARED, Record


class Intake:
    """Makes records of the plays of one kind.

    Args:
        kind: Of the plays.
        courier: Knows their wire form.
        separate: Users sign, so that each has queues of their own.
    """

    def __init__(self, kind: LogKind, courier: Courier, *, separate: bool) -> None:
        # Asked once, because every play pays for each question.
        self._encode = courier.encoder(kind)
        self._queue_of = courier.sorter(kind, signed_by_user=separate)

    def record(self, log: StreamLog, window: Window) -> Record:
        """Check a play and encode it.

        Raises:
            InvalidLogError: It is unfit; names the field.
        """
        queue_of = self._queue_of
        return Record(self._encode(log, window), SHARED if queue_of is None else queue_of(log), log.timestamp)

    def extend(self, records: list[Record], logs: Iterable[StreamLog], window: Window) -> None:
        """Append the records of ``logs``.

        Raises:
            InvalidLogError: One is unfit; its index counts from the first of all ``records``.
        """
        encode, queue_of = self._encode, self._queue_of
        try:
            for log in logs:
                body = encode(log, window)
                records.append(Record(body, SHARED if queue_of is None else queue_of(log), log.timestamp))
        except InvalidLogError as error:
            index = len(records)
            raise InvalidLogError(f"log {index}: {error}", field=error.field, index=index) from None
