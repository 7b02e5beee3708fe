"""Sources: where plays come from. Each play goes from its source into the spool exactly once."""

from .base import BadRecord, Portion, ReadCheckpoint, Source
from .files import FileSource
from .follow import FollowSource, Lag
from .formats import Format
from .ingestion import Ingestion, StreamCounts, ship_from
from .positions import ReadOptions

__all__ = [
    "BadRecord",
    "FileSource",
    "FollowSource",
    "Format",
    "Ingestion",
    "Lag",
    "Portion",
    "ReadCheckpoint",
    "ReadOptions",
    "Source",
    "StreamCounts",
    "ship_from",
]
