"""Metrics for OpenTelemetry; needs the extra ``otel``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opentelemetry.metrics import Meter, get_meter

from .._version import __version__
from .events import PlayEvent
from .instruments import INSTRUMENTS, SECONDS_BUCKETS, Instrument, InstrumentType, measurements

PREFIX = "sevendigital.shipper"


class OpenTelemetryMetrics:
    """Implements :class:`~sevendigital_async.shipping.Metrics` with instruments of OpenTelemetry.

    The attributes are ``kind``, ``outcome``, ``state`` and ``alert``; never a user or a request.

    Args:
        meter: Creates the instruments; the meter of the global provider if left out.
    """

    def __init__(self, meter: Meter | None = None) -> None:
        meter = meter or get_meter("sevendigital_async", __version__)
        self._updates = {instrument: _update(meter, instrument) for instrument in INSTRUMENTS}

    def record(self, event: PlayEvent) -> None:
        """Count an event."""
        for instrument, value, labels in measurements(event):
            self._updates[instrument](value, dict(zip(instrument.labels, labels, strict=True)))


def _update(meter: Meter, instrument: Instrument) -> Callable[[float, dict[str, str]], Any]:
    """Create an instrument and return the function that updates it."""
    name, unit, description = f"{PREFIX}.{instrument.name}", instrument.unit, instrument.description
    match instrument.type:
        case InstrumentType.COUNTER:
            return meter.create_counter(name, unit=unit, description=description).add
        case InstrumentType.HISTOGRAM:
            return meter.create_histogram(
                name, unit=unit, description=description, explicit_bucket_boundaries_advisory=SECONDS_BUCKETS
            ).record
        case InstrumentType.GAUGE:
            return meter.create_gauge(name, unit=unit, description=description).set
