"""Checks and encodes the plays that are put."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import cast

from ..clock import Clock, to_datetime
from ..errors import InvalidLogError
from ..models import LogKind, StreamLog
from ..models.encoded_log import EncodedLog, are_current
from ..models.encoding import encode_logs
from ..models.stream_log import Window, checked_and_encoded
from .log_transport import LogTransport
from .records import PARTNER_QUEUE, Record
from .tracing import BatchTracing

MIN_COLUMN_BATCH = 50
"""Plays from which on encoding them together is faster."""


class AcceptanceWindow:
    """The timestamps that ``put`` accepts, computed once a second, because the check of each play needs them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since = clock.time()
        self._window = self._at(self._since)

    def now(self) -> Window:
        """Return the window."""
        seconds = self._clock.time()
        if not 0 <= seconds - self._since < 1:
            self._since, self._window = seconds, self._at(seconds)
        return self._window

    @staticmethod
    def _at(seconds: float) -> Window:
        return Window.at(to_datetime(seconds))


def check_type(log: object) -> None:
    """Check that a play is a ``StreamLog``.

    Raises:
        InvalidLogError: It is not.
    """
    if not isinstance(log, StreamLog):
        raise InvalidLogError(f"a play is a StreamLog, not an object of type {type(log).__name__}")


class RecordEncoder:
    """Checks and encodes plays of one kind."""

    def __init__(self, kind: LogKind, transport: LogTransport, *, signed_by_user: bool) -> None:
        self.kind = kind
        # Looked up once, not per play.
        self._encode = transport.encoder(kind)
        self._encode_wire_form = transport.wire_form_encoder(kind)
        self._queue_of = transport.partition_key(kind, signed_by_user=signed_by_user)

    def record(self, log: StreamLog, window: Window) -> Record:
        """Check a play and encode it.

        Raises:
            InvalidLogError: It is invalid; names the field.
        """
        queue_of = self._queue_of
        try:
            return Record(
                self._encode(log, window), PARTNER_QUEUE if queue_of is None else queue_of(log), log.timestamp
            )
        except (AttributeError, TypeError):
            check_type(log)
            raise

    def extend(self, records: list[Record], logs: Sequence[StreamLog | EncodedLog], window: Window) -> None:
        """Append the records of ``logs``.

        Raises:
            InvalidLogError: One is invalid; its index is the length of ``records``.
        """
        encode, encode_wire_form, queue_of = self._encode, self._encode_wire_form, self._queue_of
        bodies = self._bodies(logs, window)
        if bodies is not None:
            queues = repeat(PARTNER_QUEUE) if queue_of is None else map(queue_of, logs)
            records.extend(map(Record, bodies, queues, [log.timestamp for log in logs]))
            return
        for log in logs:
            try:
                body = encode_wire_form(log, window) if isinstance(log, EncodedLog) else encode(log, window)
            except (AttributeError, TypeError):
                check_type(log)
                raise
            records.append(Record(body, PARTNER_QUEUE if queue_of is None else queue_of(log), log.timestamp))

    def _bodies(self, logs: Sequence[StreamLog | EncodedLog], window: Window) -> Sequence[bytes] | None:
        """Return the wire form of ordinary plays; None if each has to be looked at."""
        types = set(map(type, logs))
        if types == {EncodedLog} and self._encode_wire_form is EncodedLog.checked_body:
            encoded = cast("Sequence[EncodedLog]", logs)
            return [log.body for log in encoded] if are_current(encoded, window) else None
        if types == {StreamLog} and self._encode is checked_and_encoded and len(logs) >= MIN_COLUMN_BATCH:
            made = cast("Sequence[StreamLog]", logs)
            # Where one play is not ordinary, nearly always the first one is not.
            return encode_logs(made, window) if encode_logs(made[:1], window) else None
        return None


class TracedEncoder(RecordEncoder):
    """Stores the current span in each record."""

    def __init__(self, tracing: BatchTracing, kind: LogKind, transport: LogTransport, *, signed_by_user: bool) -> None:
        super().__init__(kind, transport, signed_by_user=signed_by_user)
        self._tracing = tracing

    def record(self, log: StreamLog, window: Window) -> Record:
        """Check a play and encode it."""
        record = super().record(log, window)
        self._tracing.attach_origin([record])
        return record

    def extend(self, records: list[Record], logs: Sequence[StreamLog | EncodedLog], window: Window) -> None:
        """Append the records of ``logs``."""
        before = len(records)
        super().extend(records, logs, window)
        self._tracing.attach_origin(records[before:])
