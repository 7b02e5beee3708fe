"""Where plays wait, by the name that users give the place."""

from __future__ import annotations

import os

from ..errors import ConfigurationError
from .archive import Archive
from .memory import MemorySpool
from .spool import Spool

REDIS = ("redis://", "rediss://", "unix://")


def open_spool(place: str | os.PathLike[str] | Spool | None) -> Spool:
    """Return the spool that a name stands for: None is memory, ``redis://...`` a server, any other text a file.

    Raises:
        ConfigurationError: Nothing can be kept there.
    """
    if place is None:
        return MemorySpool()
    if not isinstance(place, str | os.PathLike):
        return place
    name = os.fspath(place)
    if not name:
        raise ConfigurationError("a spool needs the name of a file")
    if name.startswith(REDIS):
        raise ConfigurationError("spools in Redis do not exist yet")
    from .sqlite import SqliteSpool  # noqa: PLC0415 - only who keeps plays in a file pays for it

    return SqliteSpool(name)


def open_archive(place: str | os.PathLike[str]) -> Archive:
    """Return the archive of the durable spool that a name stands for; close it with ``aclose``.

    Raises:
        ConfigurationError: Nothing can be kept there.
    """
    name = os.fspath(place)
    if not name:
        raise ConfigurationError("a spool needs the name of a file")
    if name.startswith(REDIS):
        raise ConfigurationError("spools in Redis do not exist yet")
    from .sqlite import SqliteArchive  # noqa: PLC0415 - only who keeps plays in a file pays for it

    return SqliteArchive(name)
