"""Work for the writer's thread, and the order in which it is done: deliveries and plays that arrive share the time.

A play of a user that is put costs a few random pages of the file, and a producer may put thousands at once. A step of
a delivery is small, but each delivery takes several, one after the other. If both simply stood in line, every step
would wait for thousands of plays, and deliveries would come to a standstill for as long as plays are put.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from attrs import define, field

from .later import Later

T = TypeVar("T")
R = TypeVar("R")

MAX_WEIGHT = 5_000
"""Plays that one transaction takes in at the most, unless a single job brings more."""

GRACE = 0.02
"""Seconds without a step after which plays need not wait for steps any longer; a turn of a busy loop takes less."""


@define(eq=False)
class Job(Generic[T, R]):
    """Work for the thread.

    Attributes:
        work: What to do with the connection, inside a transaction, or to leave for its end. It may be done more than
            once: when the transaction fails, everything in it is undone and tried again by itself.
        applied: Hears the result on the loop, once it is durable, whether or not somebody still waits for it; what
            it returns is what ``done`` tells.
        weight: Plays that it brings; zero for a step of a delivery.
    """

    work: Callable[[sqlite3.Connection], T | Later[Any]]
    applied: Callable[[T], R]
    weight: int = 0
    done: asyncio.Future[R] = field(init=False, factory=lambda: asyncio.get_running_loop().create_future())


class JobQueue:
    """Jobs on their way to the thread; any thread may put them, one takes them.

    Steps go first, as many as there are. After a transaction that has taken in plays while steps were waiting, steps
    have the thread to themselves for as long as that has taken, or until no more of them come. So each of the two gets
    at least half of the time if it can use it, and all of it while the other one has nothing to do.

    Args:
        clock: Seconds on a monotonic clock.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._steps: deque[Job[Any, Any]] = deque()
        self._appends: deque[Job[Any, Any]] = deque()
        self._closed = False
        self._appends_from = 0.0

    def put(self, job: Job[Any, Any]) -> None:
        """Let a job stand in line."""
        with self._changed:
            (self._appends if job.weight else self._steps).append(job)
            self._changed.notify()

    def close(self) -> None:
        """No more jobs will come."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def take(self, timeout: float) -> list[Job[Any, Any]] | None:
        """Wait for the jobs of the next transaction: none if no job has come; None if none will come any more."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._steps or self._appends or self._closed, timeout):
                return []
            if not self._steps and (reserved := self._appends_from - self._clock()) > 0:
                self._changed.wait_for(lambda: self._steps or self._closed, min(reserved, GRACE))
                if not self._steps:
                    self._appends_from = 0.0
            return self._cut(0) or None

    def join(self, jobs: list[Job[Any, Any]]) -> list[Job[Any, Any]]:
        """Take those that have come in the meantime and fit into the transaction of ``jobs``."""
        with self._changed:
            return self._cut(sum([job.weight for job in jobs]))

    def used(self, jobs: list[Job[Any, Any]], seconds: float) -> None:
        """Hear how long the transaction of ``jobs`` has taken."""
        weights = [job.weight for job in jobs]
        with self._changed:
            if any(weights):
                steps_wait = bool(self._steps) or not all(weights)
                self._appends_from = self._clock() + seconds if steps_wait else 0.0

    def _cut(self, weight: int) -> list[Job[Any, Any]]:
        jobs = list(self._steps)
        self._steps.clear()
        if self._clock() >= self._appends_from:
            while self._appends and weight < MAX_WEIGHT:
                jobs.append(self._appends.popleft())
                weight += jobs[-1].weight
        return jobs
