"""File formats."""

from __future__ import annotations

from attrs import frozen

from .wire import TEXT, wire


@frozen(kw_only=True)
class Format:
    """A form in which music can be downloaded.

    Attributes:
        id: The service's number for the format; new ones may appear at any time.
        description: In words: ``MP3 320``.
        file_format: Kind of file: ``MP3``.
        bit_rate: In kbit/s.
        drm_free: Whether the file is free of copy protection.
    """

    id: str | None = None
    description: str | None = wire("description", TEXT)
    file_format: str | None = None
    bit_rate: int | None = None
    drm_free: bool | None = None
