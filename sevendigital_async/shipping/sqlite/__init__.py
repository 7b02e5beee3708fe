"""The SQLite spool: plays in a file on this machine."""

from .spool import SqliteSpool

__all__ = ["SqliteSpool"]
