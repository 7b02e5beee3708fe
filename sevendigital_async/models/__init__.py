"""What comes back: attrs classes, a file per noun.

A model is the same whichever of the wire's shapes it came in. What can be asked for by id (artists, releases,
tracks) always has one; every other field may be missing and is then None, or an empty tuple. Ids are text, money
is `Decimal`, times are aware, and a kind that this version does not know stays the text it was.
"""

from .artist import Artist
from .availability import Download, Package, Streaming
from .label import Label, Licensor
from .media_format import Format
from .page import Page
from .price import Price
from .release import Release, ReleaseType
from .service import ServiceStatus
from .stream_log import LogKind, StreamLog
from .track import Track, TrackType

__all__ = [
    "Artist",
    "Download",
    "Format",
    "Label",
    "Licensor",
    "LogKind",
    "Package",
    "Page",
    "Price",
    "Release",
    "ReleaseType",
    "ServiceStatus",
    "StreamLog",
    "Streaming",
    "Track",
    "TrackType",
]
