"""The SQLite spool: plays in a file on this machine."""

from .inspector import SqliteSpoolInspector
from .spool import SqliteSpool

__all__ = ["SqliteSpool", "SqliteSpoolInspector"]
