"""The SQLite spool: plays in a file on this machine."""

from .archive import SqliteArchive
from .spool import SqliteSpool

__all__ = ["SqliteArchive", "SqliteSpool"]
