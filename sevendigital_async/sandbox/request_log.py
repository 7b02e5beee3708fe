"""The request log: every request to a logging operation, every accepted play, and counts of them."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import orjson
from attrs import Factory, asdict, define, frozen

from ..models.stream_log import LogKind
from .answers import Answer
from .limits import SlidingWindow
from .refusals import refusals
from .traffic import Traffic

DISCONNECTED = "disconnected"

_CHUNK_BYTES = 64 * 1024
_MAX_RECENT = 50


@define
class LoggedRequest:
    """One API request; ``batch`` is its number among all accepted ones, ``logs`` is None if it was not parsed."""

    kind: LogKind | None
    arrived_at: float
    arrived_monotonic: float
    user: str | None = None
    logs: int | None = None
    batch: int | None = None
    fault: str | None = None
    status: int | str | None = None


@frozen
class ReceivedLog:
    """One accepted play.

    Attributes:
        kind: How the play came about.
        batch: Number of its request among the accepted requests of all kinds, from 1.
        position: Its place in that request, from zero.
        arrived_at: When the request arrived, in seconds since the epoch.
        arrived_monotonic: The same on the sandbox's monotonic clock.
        user: The user whose token signed the request.
        log: The play as it was received.
    """

    kind: LogKind
    batch: int
    position: int
    arrived_at: float
    arrived_monotonic: float
    user: str | None
    log: Mapping[str, Any]


@define
class LogCounts:
    """The counts of one kind of log.

    Attributes:
        requests: Requests that arrived, accepted or not.
        accepted_requests: Those whose logs were saved.
        logs: Logs that were saved.
        largest_batch: Most logs in one request, accepted or not.
        busiest_second: Most requests in any half-open second of the monotonic clock, refused ones included.
        refused_logs: Logs that were refused.
        duplicates: Logs that were saved although an identical one had been.
        rate_limited: Requests that were answered 429, for their rate or as a fault.
    """

    requests: int = 0
    accepted_requests: int = 0
    logs: int = 0
    largest_batch: int = 0
    busiest_second: int = 0
    refused_logs: int = 0
    duplicates: int = 0
    rate_limited: int = 0


@define
class DuplicatePlay:
    """A play that was saved more than once, with the numbers of the first and the last batch that it came in."""

    count: int
    first_batch: int
    last_batch: int


@define
class _LogsOfKind:
    """The records of one kind of log: counts, the first batch of each log, and the doubles."""

    counts: LogCounts = Factory(LogCounts)
    window: SlidingWindow = Factory(SlidingWindow)
    first_batches: dict[bytes, int] = Factory(dict)
    duplicates: dict[bytes, DuplicatePlay] = Factory(dict)

    def record_batch(self, logs: tuple[bytes, ...], batch: int) -> None:
        self.counts.accepted_requests += 1
        self.counts.logs += len(logs)
        for log in logs:
            first = self.first_batches.get(log)
            if first is None:
                self.first_batches[log] = batch
                continue
            self.counts.duplicates += 1
            known = self.duplicates.pop(log, None)
            self.duplicates[log] = DuplicatePlay(
                2 if known is None else known.count + 1, first, batch
            )  # the newest is last


class RequestLog:
    """Keeps every request of the logging operations, and counts all others."""

    def __init__(self) -> None:
        self._by_kind = {kind: _LogsOfKind() for kind in LogKind}
        self._entries: list[LoggedRequest] = []
        self._batches: list[tuple[LoggedRequest, tuple[bytes, ...]]] = []
        self._refused: deque[dict[str, Any]] = deque(maxlen=_MAX_RECENT)
        self._traffic = Traffic()
        self._answers: Counter[str] = Counter()
        self._faults: Counter[str] = Counter()

    def record_arrival(self, kind: LogKind | None, arrived_at: float, arrived_monotonic: float) -> LoggedRequest:
        entry = LoggedRequest(kind, arrived_at, arrived_monotonic)
        if kind is not None:
            self._entries.append(entry)
            record = self._by_kind[kind]
            record.counts.requests += 1
            in_last_second = record.window.add(arrived_monotonic)
            record.counts.busiest_second = max(record.counts.busiest_second, in_last_second)
            self._traffic.record_arrival(kind, arrived_monotonic, in_last_second)
        return entry

    def record_logs(
        self, entry: LoggedRequest, *, logs: int | None, accepted: tuple[bytes, ...] = (), refused: int = 0
    ) -> None:
        """Record the outcome of a request's logs."""
        if entry.kind is None:
            return
        record = self._by_kind[entry.kind]
        counts = record.counts
        entry.logs = logs
        counts.largest_batch = max(counts.largest_batch, logs or 0)
        counts.refused_logs += refused
        if logs is not None:
            self._traffic.record_logs(entry.kind, entry.arrived_monotonic, logs=logs, saved=len(accepted))
        if not accepted:
            return
        entry.batch = len(self._batches) + 1
        self._batches.append((entry, accepted))
        record.record_batch(accepted, entry.batch)

    def record_refusals(self, entry: LoggedRequest, answer: Answer, logs: Any = None) -> None:
        """Record why a request, or plays of it, were refused."""
        if entry.kind is None:
            return
        about = {"kind": entry.kind.value, "user": entry.user, "arrived_at": entry.arrived_at}
        self._refused.extend({**about, **asdict(refusal)} for refusal in refusals(answer, logs))

    def record_response(self, entry: LoggedRequest, status: int | str, fault: str | None, monotonic: float) -> None:
        entry.status, entry.fault = status, fault
        self._answers[str(status)] += 1
        if fault is not None:
            self._faults[fault] += 1
        if entry.kind is None:
            return
        self._traffic.record_response(monotonic, status=status, latency=monotonic - entry.arrived_monotonic)
        if status == 429:  # noqa: PLR2004 - the HTTP status
            self._by_kind[entry.kind].counts.rate_limited += 1

    def received(self, kind: LogKind | None = None) -> list[ReceivedLog]:
        return list(self._plays(kind, orjson.loads))

    def requests(self, kind: LogKind | None = None) -> list[dict[str, Any]]:
        return [asdict(entry) for entry in self._entries if kind in {None, entry.kind}]

    def stats(self) -> dict[str, Any]:
        return {
            "kinds": {kind.value: asdict(record.counts) for kind, record in self._by_kind.items()},
            "answers": dict(sorted(self._answers.items())),
            "faults": dict(sorted(self._faults.items())),
        }

    def activity(self, monotonic: float) -> dict[str, Any]:
        """Return the last minutes, second by second, and the latest refused plays and doubles, newest first."""
        return {
            "traffic": self._traffic.tree(monotonic),
            "refused": list(reversed(self._refused)),
            "doubles": self._duplicates(),
        }

    def _duplicates(self) -> list[dict[str, Any]]:
        latest = [
            (double, kind, log)
            for kind, record in self._by_kind.items()
            for log, double in islice(reversed(record.duplicates.items()), _MAX_RECENT)
        ]
        latest.sort(key=lambda each: -each[0].last_batch)
        return [
            {
                "kind": kind.value,
                "log": orjson.loads(log),
                "times": double.count,
                "first": self._outcome(double.first_batch),
                "last": self._outcome(double.last_batch),
            }
            for double, kind, log in latest[:_MAX_RECENT]
        ]

    def _outcome(self, batch: int) -> dict[str, Any]:
        entry, _ = self._batches[batch - 1]
        return {"batch": batch, "arrived_at": entry.arrived_at, "status": entry.status, "fault": entry.fault}

    def log_lines(self, kind: LogKind | None = None) -> Iterator[bytes]:
        return _chunks(
            orjson.dumps(asdict(play, recurse=False), option=orjson.OPT_APPEND_NEWLINE)
            for play in self._plays(kind, orjson.Fragment)
        )

    def _plays(self, kind: LogKind | None, log_of: Callable[[bytes], Any]) -> Iterator[ReceivedLog]:
        # Batches that arrive meanwhile are left out: otherwise a reader of a busy sandbox would never reach the end.
        for number, (entry, logs) in enumerate(self._batches[:], 1):
            if entry.kind is None or kind not in {None, entry.kind}:
                continue
            for position, log in enumerate(logs):
                yield ReceivedLog(
                    entry.kind, number, position, entry.arrived_at, entry.arrived_monotonic, entry.user, log_of(log)
                )

    def request_lines(self, kind: LogKind | None = None) -> Iterator[bytes]:
        entries = [entry for entry in self._entries if kind in {None, entry.kind}]
        return _chunks(orjson.dumps(asdict(entry), option=orjson.OPT_APPEND_NEWLINE) for entry in entries)


def _chunks(lines: Iterable[bytes]) -> Iterator[bytes]:
    waiting: list[bytes] = []
    size = 0
    for line in lines:
        waiting.append(line)
        size += len(line)
        if size >= _CHUNK_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)
