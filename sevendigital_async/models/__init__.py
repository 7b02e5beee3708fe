"""What comes back: attrs classes, a file per noun."""

from .artist import Artist
from .release import Release
from .service import ServiceStatus
from .stream_log import LogKind, StreamLog
from .track import Track

__all__ = ["Artist", "LogKind", "Release", "ServiceStatus", "StreamLog", "Track"]
