"""The transport for play logs: the client's side of the shipper."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from attrs import define, evolve, field

from ..config import UserToken
from ..errors import APIError, ItemError
from ..models import LogKind, StreamLog
from ..models.encoded_log import EncodedLog
from ..models.stream_log import Encoder, Window
from ..operations import Operation
from ..operations.platform import logging as operations
from ..operations.platform.play_dialects import MAX_USER_AGENT_LENGTH, PLAY_DIALECTS, PlayDialect
from .core import Session
from .rate_limiter import Slot
from .request import Call

logger = logging.getLogger("sevendigital_async")

OPERATIONS: Mapping[LogKind, Operation] = {
    LogKind.PREVIEW: operations.REPORT_PREVIEW_STREAM,
    LogKind.CATALOGUE: operations.REPORT_CATALOGUE_STREAM,
    LogKind.SUBSCRIBER: operations.REPORT_SUBSCRIBER_STREAM,
}


MAX_QUOTA_WAIT = 60.0
"""Seconds that a batch waits for a spent quota here; for a longer wait the lane pauses, and logs it."""


@define
class PlayLogPermit:
    """Permission to send one batch."""

    _session: Session
    _operation: Operation
    _dialect: PlayDialect
    _slot: Slot | None

    async def post(self, logs: Sequence[bytes], user: UserToken | None, *, request_id: str) -> str:
        """Send encoded logs in one request, exactly once.

        Args:
            logs: Encoded plays of the permit's kind.
            user: The user who signs beside the partner.
            request_id: Sent as the trace id, so that it is in the service's records, too.

        Returns:
            The response, for the journal.

        Raises:
            SevenDigitalError: The batch was not accepted, or its response was lost.
        """
        options = evolve(self._session.options, user=user, trace_id=request_id)
        call = Call(self._operation, self._dialect.arguments(logs), options)
        try:
            return await self._session.send_once(call, self._slot)
        except APIError as error:
            if error.code in self._dialect.user_error_codes and not error.errors:
                # The user is refused, not single plays: halving the batch would not help.
                error.errors = tuple(ItemError(index, error.code, error.message) for index in range(len(logs)))
            raise


@define
class PlayLogTransport:
    """Sends batches of play logs to the service."""

    _session: Session
    _dialects: Mapping[LogKind, PlayDialect] = field(init=False)
    _has_warned: bool = field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        """Look up the dialect's encoding of plays."""
        self._dialects = PLAY_DIALECTS[self._session.settings.dialect]

    @property
    def dialect(self) -> str:
        """The name of the dialect that plays are encoded for; a spool keeps plays of one dialect."""
        return self._session.settings.dialect.value

    def encoder(self, kind: LogKind) -> Encoder:
        """Return a function that checks a play and encodes it.

        It raises ``InvalidLogError`` where the play is unfit, lacks a field that the dialect in use demands, or has one
        that it has no place for.
        """
        dialect = self._dialects[kind]
        return self._warning_of_truncation(dialect.encode) if dialect.truncates_user_agents else dialect.encode

    def wire_form_encoder(self, kind: LogKind) -> Callable[[EncodedLog, Window], bytes]:
        """Return a function that does the same for an encoded play."""
        return self._dialects[kind].encode_wire_form

    def partition_key(self, kind: LogKind, *, signed_by_user: bool) -> Callable[[StreamLog | EncodedLog], str] | None:
        """Return a function that gives the key shared by all plays of a request; None if any plays may share one."""
        return self._dialects[kind].partition_key(signed_by_user=signed_by_user)

    def _warning_of_truncation(self, encode: Encoder) -> Encoder:
        """Log once that the service truncates a long user agent."""

        def encode_and_warn(log: StreamLog, window: Window) -> bytes:
            body = encode(log, window)
            if not self._has_warned and log.user_agent is not None and len(log.user_agent) > MAX_USER_AGENT_LENGTH:
                self._has_warned = True
                length = len(log.user_agent)
                logger.warning(
                    "a user_agent has %d characters, of which the service keeps %d", length, MAX_USER_AGENT_LENGTH
                )
            return body

        return encode_and_warn

    @asynccontextmanager
    async def permit(self, kind: LogKind) -> AsyncIterator[PlayLogPermit]:
        """Wait until a request of ``kind`` may be sent.

        Raises:
            RateLimitError: The quota is spent for longer than the client's ``max_wait``, or than a minute.
        """
        operation = OPERATIONS[kind]
        max_wait = min(self._session.settings.max_wait, MAX_QUOTA_WAIT)
        async with self._session.admission(operation, max_wait) as slot:
            yield PlayLogPermit(self._session, operation, self._dialects[kind], slot)
