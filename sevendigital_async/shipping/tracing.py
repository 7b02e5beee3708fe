"""Spans of batches, linked to the spans in which their plays were put."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Protocol

from attrs import define

from ..errors import ConfigurationError
from ..models import LogKind
from ..observer_guard import ActivatableSpan, ObserverGuard
from .records import Lease, Record

logger = logging.getLogger("sevendigital_async.shipping")

MAX_LINKS = 128
"""Links of a span; the limit that OpenTelemetry's SDK has unless it is configured."""

INTERRUPTED_OUTCOME = "interrupted"
"""The outcome of a request that had not ended when the lane stopped."""


class BatchSpan(ActivatableSpan, Protocol):
    """The span of one batch."""

    @property
    def context(self) -> object:
        """What other spans link to."""
        ...

    def end(self, outcome: str) -> None:
        """End it with the name of its outcome."""
        ...


class BatchTracer(Protocol):
    """Makes spans; :class:`~sevendigital_async.otel.OpenTelemetryTracer` is one. What it raises is logged only."""

    def origin(self) -> object:
        """Return the current span, to which the batches of a play link; None if there is none."""
        ...

    def start_batch(self, kind: LogKind, logs: int, request_id: str, origins: Sequence[object]) -> BatchSpan:
        """Start the span of a batch that links to ``origins``."""
        ...


@define
class BatchResult:
    """The outcome of a batch."""

    outcome: str = INTERRUPTED_OUTCOME


class BatchTracing:
    """Makes the spans of a shipper's batches; without a tracer it does nothing.

    Raises:
        ConfigurationError: ``tracer`` lacks a method.
    """

    def __init__(self, tracer: BatchTracer | None) -> None:
        if tracer is not None and not all(callable(getattr(tracer, name, None)) for name in ("origin", "start_batch")):
            raise ConfigurationError(
                "tracer must be an OpenTelemetryTracer of sevendigital_async.otel, or an object with its methods"
            )
        self._tracer = tracer
        self._guard = ObserverGuard("tracer", logger)

    def attach_origin(self, records: Sequence[Record]) -> None:
        """Store in new records in which span they are put."""
        if self._tracer is not None and (origin := self._guard.call(self._tracer.origin)) is not None:
            for record in records:
                record.origin = origin

    @contextmanager
    def batch(self, kind: LogKind, lease: Lease, records: Sequence[Record], request_id: str) -> Iterator[BatchResult]:
        """Make a span of the block; the caller stores the outcome in what this yields."""
        result = BatchResult()
        span = (
            None if self._tracer is None else self._guard.call(_start, self._tracer, kind, lease, records, request_id)
        )
        if span is None:
            yield result
            return
        try:
            with self._guard.entered(span):
                yield result
        finally:
            self._guard.call(lambda: span.end(result.outcome))


def _start(tracer: BatchTracer, kind: LogKind, lease: Lease, records: Sequence[Record], request_id: str) -> BatchSpan:
    found = [lease.origin, *(record.origin for record in records)]
    # Many plays are put in one span.
    distinct = {id(origin): origin for origin in found if origin is not None}
    span = tracer.start_batch(kind, len(records), request_id, list(islice(distinct.values(), MAX_LINKS)))
    lease.origin = span.context
    return span
