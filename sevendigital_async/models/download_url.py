"""Where a file can be fetched."""

from __future__ import annotations

from datetime import datetime

from attrs import frozen

from .media_format import Format
from .wire import wire


@frozen(kw_only=True)
class DownloadUrl:
    """A signed address that is good for a while.

    Attributes:
        url: The address, to be used as it is; it is as good as a key, so it stays out of the repr.
        format: What will be there, in a locker's answers.
        expires_at: Until when it can be used.
    """

    url: str | None = wire("url", repr=False)
    format: Format | None = None
    expires_at: datetime | None = None
