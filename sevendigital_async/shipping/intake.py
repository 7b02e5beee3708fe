"""From a play to a record: checked and encoded once, at the door."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from ..clock import Clock
from ..errors import InvalidLogError
from ..models import LogKind, StreamLog
from ..models.plain_play import Window
from .courier import Courier
from .records import SHARED, Record


class CurrentWindow:
    """The window of this second; to make one costs more than the check it is for, whose finest limit is minutes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since = clock.time()
        self._window = self._at(self._since)

    def now(self) -> Window:
        """Return it."""
        seconds = self._clock.time()
        if not 0 <= seconds - self._since < 1:
            self._since, self._window = seconds, self._at(seconds)
        return self._window

    @staticmethod
    def _at(seconds: float) -> Window:
        return Window.at(datetime.fromtimestamp(seconds, UTC))


def check_type(log: object) -> None:
    """Refuse what is no play.

    Raises:
        InvalidLogError: Its type is another one.
    """
    if not isinstance(log, StreamLog):
        raise InvalidLogError(f"a play is a StreamLog, not an object of type {type(log).__name__}")


class Intake:
    """Makes records of the plays of one kind.

    Args:
        kind: Of the plays.
        courier: Knows their wire form.
        separate: Users sign, so that each has queues of their own.
    """

    def __init__(self, kind: LogKind, courier: Courier, *, separate: bool) -> None:
        self.kind = kind
        # Asked once, because every play pays for each question.
        self._encode = courier.encoder(kind)
        self._queue_of = courier.sorter(kind, signed_by_user=separate)

    def record(self, log: StreamLog, window: Window) -> Record:
        """Check a play and encode it.

        Raises:
            InvalidLogError: It is unfit; names the field.
        """
        queue_of = self._queue_of
        try:
            return Record(self._encode(log, window), SHARED if queue_of is None else queue_of(log), log.timestamp)
        except (AttributeError, TypeError):
            check_type(log)
            raise

    def extend(self, records: list[Record], logs: Iterable[StreamLog], window: Window) -> None:
        """Append the records of ``logs``.

        Raises:
            InvalidLogError: One is unfit; it would have been the next of ``records``.
        """
        encode, queue_of = self._encode, self._queue_of
        for log in logs:
            try:
                body = encode(log, window)
            except (AttributeError, TypeError):
                check_type(log)
                raise
            records.append(Record(body, SHARED if queue_of is None else queue_of(log), log.timestamp))
