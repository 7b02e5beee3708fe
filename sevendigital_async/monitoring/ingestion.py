"""Figures about reading a source: plays put, records rejected, bytes read, and how far reading is behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from attrs import frozen

from ..sources import Ingestion, Lag, Source, TopicLag

PREFIX = "sevendigital_ingestion"

FigureValue = float | Mapping[str, float]
"""Of a figure; by the values of its label if it has one."""


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
    def lag(self) -> Lag | TopicLag | None:
        """How far reading of growing files or of a topic is behind; None for other sources."""
        lag = getattr(self.source, "lag", None)
        return lag() if callable(lag) else None


@frozen
class IngestionFigure:
    """One figure.

    Attributes:
        name: Without prefix and ``_total``.
        text: What it counts or measures.
        read: Returns it, by the values of ``label`` if there is one; None if the source has none.
        is_counter: It only grows.
        label: What it is given for each of.
    """

    name: str
    text: str
    read: Callable[[WatchedIngestion], FigureValue | None]
    is_counter: bool = True
    label: str | None = None


def _lag_figure(read: Callable[[Lag], float]) -> Callable[[WatchedIngestion], float | None]:
    def of(watched: WatchedIngestion) -> float | None:
        lag = watched.lag
        return read(lag) if isinstance(lag, Lag) else None

    return of


def _lag_of_partitions(watched: WatchedIngestion) -> Mapping[str, float] | None:
    lag = watched.lag
    if not isinstance(lag, TopicLag):
        return None
    return {str(number): behind for number, behind in lag.partitions.items()}


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
        _lag_figure(lambda lag: lag.size),
        is_counter=False,
    ),
    IngestionFigure(
        "lag_seconds",
        "Age of the oldest bytes that have not been read.",
        _lag_figure(lambda lag: lag.seconds),
        is_counter=False,
    ),
    IngestionFigure(
        "open_files",
        "Growing files that are open.",
        _lag_figure(lambda lag: lag.files),
        is_counter=False,
    ),
    IngestionFigure(
        "lag_messages",
        "Messages of an assigned partition that the spool does not have.",
        _lag_of_partitions,
        is_counter=False,
        label="partition",
    ),
)


def read_figures(watched: WatchedIngestion) -> Iterator[tuple[IngestionFigure, FigureValue]]:
    """Yield the figures that a source has, with their values now."""
    for figure in FIGURES:
        value = figure.read(watched)
        if value is not None:
            yield figure, value
