"""A disk whose writes fail or block."""

import asyncio
import sqlite3
import threading

from sevendigital_async import failpoints
from sevendigital_async.shipping.spools.sqlite import writer


class Disk:
    """Says no, or stops to think, whenever something is about to be committed.

    Attributes:
        error: What it says, the name of an SQLite error.
        skip: Commits that succeed before it says so.
        after_commit: Called after each commit.
    """

    def __init__(self, monkeypatch):
        self.error = None
        self.skip = 0
        self.after_commit = None
        self.stopped = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()
        monkeypatch.setattr(failpoints, "on_hit", self)
        monkeypatch.setattr(
            writer, "IDLE_TIME", 600.0
        )  # on a slow machine, the idle thread's own commit would stop here

    def __call__(self, point):
        if point == "after commit" and self.after_commit is not None:
            self.after_commit()
        if point != "before commit":
            return
        if not self.go_on.is_set():
            self.stopped.set()
            self.go_on.wait(20)
        if self.skip:
            self.skip -= 1
        elif self.error is not None:
            error = sqlite3.OperationalError(self.error)
            error.sqlite_errorcode = getattr(sqlite3, self.error)
            raise error

    def stop(self):
        self.stopped.clear()
        self.go_on.clear()

    async def has_stopped(self):
        await asyncio.to_thread(self.stopped.wait, 20)
