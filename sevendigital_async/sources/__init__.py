"""Sources: where plays come from. Each play goes from its source into the spool exactly once."""

from .base import BadRecord, Portion, ReadCheckpoint, Source
from .ingestion import Ingestion, StreamCounts, ship_from

__all__ = ["BadRecord", "Ingestion", "Portion", "ReadCheckpoint", "Source", "StreamCounts", "ship_from"]
