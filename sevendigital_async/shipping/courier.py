"""What shipping asks of a client, and all it knows of one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from ..config import UserToken
from ..models import LogKind, StreamLog


class Turn(Protocol):
    """The right to send one batch now."""

    async def post(self, logs: Sequence[bytes], user: UserToken | None, *, request_id: str) -> str:
        """Send encoded logs in one request, exactly once; returns its answer if the service has accepted them all."""
        ...


class Courier(Protocol):
    """Carries batches to the service."""

    def encode(self, kind: LogKind, log: StreamLog) -> bytes:
        """Return the bytes that stand for a play.

        Raises:
            InvalidLogError: It tells less than the service demands of its kind, or more than it takes.
        """
        ...

    def queue(self, kind: LogKind, log: StreamLog, *, signed_by_user: bool) -> str:
        """Return what plays must have in common to share a batch; empty for those that all may."""
        ...

    def turn(self, kind: LogKind) -> AbstractAsyncContextManager[Turn]:
        """Wait until a request may go out, and hold the right to send it."""
        ...


class PlayLogClient(Protocol):
    """A client that can carry play logs."""

    @property
    def play_logs(self) -> Courier:
        """The way out for batches of plays."""
        ...
