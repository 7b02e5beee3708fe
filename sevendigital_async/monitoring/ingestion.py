"""Figures about reading a source: plays put, records rejected, bytes read, and how far reading is behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from attrs import frozen

from ..sources import Ingestion, Lag, Source

PREFIX = "sevendigital_ingestion"


@frozen
class WatchedIngestion:
    """An ingestion and its source.

    Attributes:
        ingestion: Puts the plays.
        source: Reads them; one with a method ``lag`` or an attribute ``moved`` has more figures.
    """

    ingestion: Ingestion
    source: Source

    @property
    def lag(self) -> Lag | None:
        """How far reading of growing files is behind; None for other sources."""
        lag = getattr(self.source, "lag", None)
        return lag() if callable(lag) else None


@frozen
class IngestionFigure:
    """One figure.

    Attributes:
        name: Without prefix and ``_total``.
        text: What it counts or measures.
        read: Returns it; None if the source has none.
        is_counter: It only grows.
    """

    name: str
    text: str
    read: Callable[[WatchedIngestion], float | None]
    is_counter: bool = True


def _of_lag(read: Callable[[Lag], float]) -> Callable[[WatchedIngestion], float | None]:
    def of(watched: WatchedIngestion) -> float | None:
        lag = watched.lag
        return None if lag is None else read(lag)

    return of


FIGURES = (
    IngestionFigure("put", "Plays of the source that the spool has accepted.", lambda watched: watched.ingestion.put),
    IngestionFigure("rejected", "Records that are not plays.", lambda watched: watched.ingestion.rejected),
    IngestionFigure(
        "read_bytes",
        "Bytes read from the source.",
        lambda watched: sum(stream.size for stream in watched.ingestion.streams.values()),
    ),
    IngestionFigure(
        "moved_partitions",
        "Partitions taken over from another worker, whose last plays may be doubled.",
        lambda watched: getattr(watched.source, "moved", None),
    ),
    IngestionFigure(
        "lag_bytes",
        "Bytes of growing files that have not been read.",
        _of_lag(lambda lag: lag.size),
        is_counter=False,
    ),
    IngestionFigure(
        "lag_seconds",
        "Age of the oldest bytes that have not been read.",
        _of_lag(lambda lag: lag.seconds),
        is_counter=False,
    ),
    IngestionFigure(
        "open_files",
        "Growing files that are open.",
        _of_lag(lambda lag: lag.files),
        is_counter=False,
    ),
)


def read_figures(watched: WatchedIngestion) -> Iterator[tuple[IngestionFigure, float]]:
    """Yield the figures that a source has, with their values now."""
    for figure in FIGURES:
        value = figure.read(watched)
        if value is not None:
            yield figure, value
