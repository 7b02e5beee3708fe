"""Metrics of reading a source: plays put, records rejected, bytes read, and how far reading is behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from attrs import frozen

from ..sources import Ingestion, Lag, Source, TopicLag

PREFIX = "sevendigital_ingestion"

MetricValue = float | Mapping[str, float]
"""Of a metric; by the values of its label if it has one."""


@frozen
class MonitoredIngestion:
    """An ingestion and its source.

    Attributes:
        ingestion: Puts the plays.
        source: Reads them; one with a method ``lag`` or an attribute ``moved_partitions`` has more metrics.
    """

    ingestion: Ingestion
    source: Source

    @property
    def lag(self) -> Lag | TopicLag | None:
        """How far reading of growing files or of a topic is behind; None for other sources."""
        lag = getattr(self.source, "lag", None)
        return lag() if callable(lag) else None


@frozen
class IngestionMetric:
    """One metric.

    Attributes:
        name: Without prefix and ``_total``.
        description: What it counts or measures.
        read: Returns it, by the values of ``label`` if there is one; None if the source has none.
        is_counter: It only grows.
        label: What it is given for each of.
    """

    name: str
    description: str
    read: Callable[[MonitoredIngestion], MetricValue | None]
    is_counter: bool = True
    label: str | None = None


def _lag_reader(read: Callable[[Lag], float]) -> Callable[[MonitoredIngestion], float | None]:
    def of(monitored: MonitoredIngestion) -> float | None:
        lag = monitored.lag
        return read(lag) if isinstance(lag, Lag) else None

    return of


def _lag_of_partitions(monitored: MonitoredIngestion) -> Mapping[str, float] | None:
    lag = monitored.lag
    if not isinstance(lag, TopicLag):
        return None
    return {str(number): behind for number, behind in lag.partitions.items()}


METRICS = (
    IngestionMetric(
        "put", "Plays of the source that the spool has accepted.", lambda monitored: monitored.ingestion.put
    ),
    IngestionMetric("rejected", "Records that are not plays.", lambda monitored: monitored.ingestion.rejected),
    IngestionMetric(
        "read_bytes",
        "Bytes read from the source.",
        lambda monitored: sum(stream.size for stream in monitored.ingestion.streams.values()),
    ),
    IngestionMetric(
        "moved_partitions",
        "Partitions taken over from another worker, whose last plays may be doubled.",
        lambda monitored: getattr(monitored.source, "moved_partitions", None),
    ),
    IngestionMetric(
        "lag_bytes",
        "Bytes of growing files that have not been read.",
        _lag_reader(lambda lag: lag.size),
        is_counter=False,
    ),
    IngestionMetric(
        "lag_seconds",
        "Age of the oldest bytes that have not been read.",
        _lag_reader(lambda lag: lag.seconds),
        is_counter=False,
    ),
    IngestionMetric(
        "open_files",
        "Growing files that are open.",
        _lag_reader(lambda lag: lag.files),
        is_counter=False,
    ),
    IngestionMetric(
        "lag_messages",
        "Messages of an assigned partition that the spool does not have.",
        _lag_of_partitions,
        is_counter=False,
        label="partition",
    ),
)


def read_metrics(monitored: MonitoredIngestion) -> Iterator[tuple[IngestionMetric, MetricValue]]:
    """Yield the metrics that a source has, with their values now."""
    for metric in METRICS:
        value = metric.read(monitored)
        if value is not None:
            yield metric, value
