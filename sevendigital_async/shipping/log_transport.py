"""What shipping asks of a client, and all it knows of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from ..config import UserToken
from ..models import LogKind, StreamLog
from ..models.stream_log import Encoder


class SendPermit(Protocol):
    """The right to send one batch now."""

    async def post(self, logs: Sequence[bytes], user: UserToken | None, *, request_id: str) -> str:
        """Send encoded logs in one request, exactly once; returns its answer if the service has accepted them all."""
        ...


class LogTransport(Protocol):
    """Carries batches to the service."""

    @property
    def dialect(self) -> str:
        """Names what plays are made for; a spool that holds those of one form is no place for those of another."""
        ...

    def encoder(self, kind: LogKind) -> Encoder:
        """Return what checks a play and turns it into the bytes that stand for it.

        It raises ``InvalidLogError`` for a play that is unfit, or tells less than the service demands of the kind, or
        more than it takes.
        """
        ...

    def partition_key(self, kind: LogKind, *, signed_by_user: bool) -> Callable[[StreamLog], str] | None:
        """Return what tells of a play what all of a batch must have in common; None if they need nothing."""
        ...

    def permit(self, kind: LogKind) -> AbstractAsyncContextManager[SendPermit]:
        """Wait until a request may go out, and hold the right to send it."""
        ...


class PlayLogClient(Protocol):
    """A client that can carry play logs."""

    @property
    def play_logs(self) -> LogTransport:
        """The way out for batches of plays."""
        ...
