"""The play-log shipper: lanes, batches, spools, outcomes, statistics."""

from .circuit_breaker import Alert, AlertKind
from .metrics import Metrics
from .records import Checkpoint, Counts, DeadLetter, Delivery, Receipt
from .rules import Atomicity, LaneRules
from .shipper import StreamLogShipper
from .spools.base import Spool
from .spools.memory import MemorySpool
from .statistics import LaneStatistics, Statistics

__all__ = [
    "Alert",
    "AlertKind",
    "Atomicity",
    "Checkpoint",
    "Counts",
    "DeadLetter",
    "Delivery",
    "LaneRules",
    "LaneStatistics",
    "MemorySpool",
    "Metrics",
    "Receipt",
    "Spool",
    "Statistics",
    "StreamLogShipper",
]
