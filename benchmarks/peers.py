"""Other clients that batch events: OpenTelemetry's, Segment's and PostHog's, with the same batch size as the shipper.

All of them keep events in the memory of a thread and lose them with the process; none is rate-limited here.

* opentelemetry-sdk: ``BatchLogRecordProcessor`` with the OTLP/HTTP exporter, 500 records an export, and a queue that
  holds all records, because a full one drops the oldest silently. A play is the attributes of a log record.
* segment-analytics-python: ``upload_size=500``, no compression, one thread, and a queue that holds all events.
* posthog: ``flush_at=500``, no compression, one thread, and a queue that holds all events.

Their threads send 500 waiting events at once. The intervals are short, so that the last events do not wait.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from .bare import as_dict
from .optional import present
from .plays import Play

BATCH = 500
WAIT = 0.05
"""Seconds that an incomplete batch waits for more events; the defaults are half a second and five."""
KEY = "benchmark-key"

Shipping = Callable[[str, Sequence[Play]], None]


def installed() -> Mapping[str, Shipping | None]:
    """Return the function of each client that ships plays to a base URL; None if the client is not installed."""
    otel = present("opentelemetry.sdk._logs", "opentelemetry.exporter.otlp.proto.http")
    return {
        "opentelemetry-sdk, OTLP/HTTP": _ship_by_otel if otel else None,
        "segment-analytics-python": _ship_by_segment if present("segment.analytics") else None,
        "posthog": _ship_by_posthog if present("posthog") else None,
    }


def _ship_by_otel(base_url: str, plays: Sequence[Play]) -> None:
    from opentelemetry._logs import LogRecord
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    provider = LoggerProvider()
    exporter = OTLPLogExporter(endpoint=f"{base_url}/v1/logs")
    provider.add_log_record_processor(
        BatchLogRecordProcessor(exporter, max_export_batch_size=BATCH, max_queue_size=max(BATCH, len(plays)))
    )
    logger = provider.get_logger("plays")
    for play in plays:
        moment = int(play.played_at.timestamp() * 1e9)
        logger.emit(LogRecord(timestamp=moment, event_name="play", attributes=as_dict(play)))
    provider.force_flush(600_000)
    provider.shutdown()


def _ship_by_segment(base_url: str, plays: Sequence[Play]) -> None:
    from segment.analytics import Client

    client = Client(KEY, host=base_url, max_queue_size=len(plays) + 1, upload_size=BATCH, upload_interval=WAIT)
    client.log.setLevel(logging.ERROR)
    for play in plays:
        client.track(user_id=play.user_id, event="play", properties=as_dict(play), timestamp=play.played_at)
    client.flush()
    client.join()


def _ship_by_posthog(base_url: str, plays: Sequence[Play]) -> None:
    from posthog import Posthog

    client = Posthog(
        KEY,
        host=base_url,
        max_queue_size=len(plays) + 1,
        flush_at=BATCH,
        flush_interval=WAIT,
        enable_local_evaluation=False,
    )
    for play in plays:
        client.capture("play", distinct_id=play.user_id, properties=as_dict(play), timestamp=play.played_at)
    client.flush()
    client.shutdown()
