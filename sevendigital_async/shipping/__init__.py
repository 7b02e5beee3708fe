"""The play-log shipper: lanes, batches, spools, outcomes, statistics."""

from .circuit_breaker import Alert, AlertKind
from .events import PlayEvent
from .hooks import AlertHook
from .log_transport import LogTransport, PlayLogClient
from .metrics import Metrics
from .records import Checkpoint, Counts, DeadLetter, Delivery, InDoubtPolicy, Lease, Receipt, Record
from .rules import Atomicity, LaneChanges, LaneRules
from .shipper import StreamLogShipper
from .spools.base import Spool, SpoolContext, SpoolReader, SpoolWriter, Watermark
from .spools.inspector import (
    DeadLetterState,
    JournalEntry,
    JournalOutcome,
    SpoolInspector,
    SpoolStatus,
    StoredDeadLetter,
)
from .spools.memory import MemorySpool
from .spools.registry import open_inspector
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
    "DeadLetterState",
    "Delivery",
    "InDoubtPolicy",
    "JournalEntry",
    "JournalOutcome",
    "LaneChanges",
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
    "SpoolInspector",
    "SpoolReader",
    "SpoolStatus",
    "SpoolWriter",
    "Statistics",
    "StoredDeadLetter",
    "StreamLogShipper",
    "TokenFunction",
    "UserTokens",
    "Watermark",
    "open_inspector",
]
