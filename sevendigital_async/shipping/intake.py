"""From a play to a record: checked and encoded once, at the door."""

from __future__ import annotations

from datetime import datetime

from ..models import LogKind, StreamLog
from .courier import Courier
from .records import Record


class Intake:
    """Makes records of the plays of one kind.

    Args:
        kind: Of the plays.
        courier: Knows their wire form.
        separate: Users sign, so that each has queues of their own.
    """

    def __init__(self, kind: LogKind, courier: Courier, *, separate: bool) -> None:
        self._kind = kind
        self._encode = courier.encode
        self._queue = courier.queue
        self._separate = separate

    def record(self, log: StreamLog, now: datetime) -> Record:
        """Check a play and encode it.

        Raises:
            InvalidLogError: It is unfit; names the field.
        """
        log.check(now)
        queue = self._queue(self._kind, log, signed_by_user=self._separate)
        return Record(self._encode(self._kind, log), queue, log.timestamp)
