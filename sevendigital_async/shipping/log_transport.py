"""The client as the shipper sees it: three protocols."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from ..config import UserToken
from ..models import LogKind, StreamLog
from ..models.encoded_log import EncodedLog
from ..models.stream_log import Encoder, Window


class SendPermit(Protocol):
    """Permission to send one batch."""

    async def post(self, logs: Sequence[bytes], user: UserToken | None, *, request_id: str) -> str:
        """Send encoded logs in one request, exactly once; returns the response if the service has accepted them all."""
        ...


class LogTransport(Protocol):
    """Sends batches to the service."""

    @property
    def dialect(self) -> str:
        """The API that plays are encoded for; a spool keeps plays of one dialect."""
        ...

    def encoder(self, kind: LogKind) -> Encoder:
        """Return a function that checks a play and encodes it.

        It raises ``InvalidLogError`` for a play that is invalid, lacks a field that the service requires of the kind,
        or has one that the service does not accept.
        """
        ...

    def wire_form_encoder(self, kind: LogKind) -> Callable[[EncodedLog, Window], bytes]:
        """Return a function that does the same for an encoded play."""
        ...

    def partition_key(self, kind: LogKind, *, signed_by_user: bool) -> Callable[[StreamLog | EncodedLog], str] | None:
        """Return a function from play to partition key, which all plays of a batch share; None if there is one key."""
        ...

    def permit(self, kind: LogKind) -> AbstractAsyncContextManager[SendPermit]:
        """Wait until a request may be sent, and hold the permission while the context is open."""
        ...


class PlayLogClient(Protocol):
    """A client that can send play logs."""

    @property
    def play_logs(self) -> LogTransport:
        """Its transport for play logs."""
        ...
