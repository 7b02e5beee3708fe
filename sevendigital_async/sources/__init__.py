"""Sources: where plays come from. Each play goes from its source into the spool exactly once."""

from typing import TYPE_CHECKING, Any

from .base import BadRecord, Portion, ReadCheckpoint, SharedSource, Source, StreamProgress
from .files import FileSource
from .follow import FollowSource
from .formats import Format
from .ingestion import Ingestion, OnBadRecords, PendingPortion, PlaySink, StreamCounts, ship_from
from .lag import Lag, TopicLag
from .positions import ReadOptions

if TYPE_CHECKING:
    from .kafka import DeadLetterTopic, KafkaSource, KafkaURL

_KAFKA_NAMES = ("DeadLetterTopic", "KafkaSource", "KafkaURL")

__all__ = [
    "BadRecord",
    "DeadLetterTopic",
    "FileSource",
    "FollowSource",
    "Format",
    "Ingestion",
    "KafkaSource",
    "KafkaURL",
    "Lag",
    "OnBadRecords",
    "PendingPortion",
    "PlaySink",
    "Portion",
    "ReadCheckpoint",
    "ReadOptions",
    "SharedSource",
    "Source",
    "StreamCounts",
    "StreamProgress",
    "TopicLag",
    "ship_from",
]


def __getattr__(name: str) -> Any:
    """Import what needs the extra ``kafka`` when it is used.

    Raises:
        ConfigurationError: The extra is not installed.
    """
    if name in _KAFKA_NAMES:
        from . import kafka  # noqa: PLC0415 - an extra

        return getattr(kafka, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
