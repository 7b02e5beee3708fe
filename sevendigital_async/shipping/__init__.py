"""The play-log shipper: lanes, batches, spools, outcomes, statistics."""

from .gate import Trouble, TroubleKind
from .memory import MemorySpool
from .metrics import Metrics
from .records import Bookmark, Counts, DeadLetter, Delivery, Receipt
from .rules import Atomicity, LaneRules
from .shipper import StreamLogShipper
from .spool import Spool
from .statistics import LaneStatistics, Statistics

__all__ = [
    "Atomicity",
    "Bookmark",
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
    "Trouble",
    "TroubleKind",
]
