"""What jobs leave for the end of their transaction, where the like of several jobs is done in one statement.

Whatever leaves Python hands the interpreter lock to the event loop, and gets it back when that lets go.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from attrs import frozen

ItemT = TypeVar("ItemT")

Together = Callable[[sqlite3.Connection, Sequence[ItemT]], None]


@frozen
class Later(Generic[ItemT]):
    """A part of a job that may be done after other jobs, because it makes no difference to them.

    Attributes:
        together: Does it, for the items of all jobs at once.
        item: Of this job.
    """

    together: Together[ItemT]
    item: ItemT


def all_done(db: sqlite3.Connection, results: Sequence[Any]) -> list[Any]:
    """Do what was left for later, and return the results of the jobs; that of one that has left something is None."""
    left: dict[Together[Any], list[Any]] = {}
    for result in results:
        if isinstance(result, Later):
            left.setdefault(result.together, []).append(result.item)
    for together, items in left.items():
        together(db, items)
    return [None if isinstance(result, Later) else result for result in results]
