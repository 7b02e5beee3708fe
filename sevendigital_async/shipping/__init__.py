"""The play-log shipper: lanes, batches, spools, outcomes, statistics."""

from .circuit_breaker import Alert, AlertKind
from .events import PlayEvent
from .hooks import AlertHook
from .log_transport import LogTransport, PlayLogClient
from .metrics import Metrics
from .records import Checkpoint, Counts, DeadLetter, Delivery, InDoubtPolicy, Lease, Receipt, Record
from .rules import Atomicity, LaneRules
from .shipper import StreamLogShipper
from .spools.base import Spool, SpoolContext, SpoolReader, SpoolWriter, Watermark
from .spools.memory import MemorySpool
from .statistics import LaneStatistics, Statistics
from .tracing import BatchTracer
from .user_tokens import TokenFunction, UserTokens

__all__ = [
    "Alert",
    "AlertHook",
    "AlertKind",
    "Atomicity",
    "BatchTracer",
    "Checkpoint",
    "Counts",
    "DeadLetter",
    "Delivery",
    "InDoubtPolicy",
    "LaneRules",
    "LaneStatistics",
    "Lease",
    "LogTransport",
    "MemorySpool",
    "Metrics",
    "PlayEvent",
    "PlayLogClient",
    "Receipt",
    "Record",
    "Spool",
    "SpoolContext",
    "SpoolReader",
    "SpoolWriter",
    "Statistics",
    "StreamLogShipper",
    "TokenFunction",
    "UserTokens",
    "Watermark",
]
