"""Dispatches API requests: arrival, limits, signature, faults, handler, answer."""

from __future__ import annotations

from collections.abc import Sequence
from email.utils import formatdate
from random import Random
from typing import Any

from aiohttp import hdrs, web
from attrs import evolve, frozen

from ..clock import Clock
from ..operations import Auth, ParameterLocation
from .answers import Answer, Problem, RefusalError
from .calls import FORM, Call, read_arguments, read_form
from .faults import DISCONNECT_AFTER, DISCONNECT_BEFORE, SLOW_BODY, Faults
from .limits import RateLimiter
from .media_errors import as_error_redirect
from .oauth import OAuthError, SignedRequest, Verifier
from .ranges import media_response
from .recordings import Media
from .rendering import render
from .request_log import DISCONNECTED, LoggedRequest, RequestLog
from .response_writer import drop_connection, send, send_slowly
from .routes import Endpoint, ParameterKey
from .state import State

_PROBLEM_BY_STATUS = {
    400: Problem(1002, "Invalid parameter value"),
    404: Problem(2001, "Resource cannot be found"),
    429: Problem(7001, "Too many requests"),
    504: Problem(7003, "Operation timed out"),
}
_CLIENT_PROBLEM = Problem(1002, "Request refused")
_SERVER_PROBLEM = Problem(9001, "Unexpected internal server error")
_TOO_LARGE = Answer(status=413, content=Problem(1003, "The body is too large"))
_AUTH_STATUSES = frozenset({401, 403})
_RETRY_HEADERS = {"Retry-After": "0.2"}


@frozen(kw_only=True)
class RequestContext:
    """A request, and the decisions made at its arrival."""

    endpoint: Endpoint
    request: web.Request
    entry: LoggedRequest
    faults: Faults
    fault: str | None
    delay: float
    retry_after: str | None


class Dispatcher:
    """Passes requests to their handlers."""

    def __init__(
        self,
        *,
        verifier: Verifier,
        request_log: RequestLog,
        limits: RateLimiter,
        clock: Clock,
        state: State,
        managed_users: bool,
        faults: Faults,
    ) -> None:
        self._verifier = verifier
        self._request_log = request_log
        self._limits = limits
        self._clock = clock
        self._state = state
        self._managed_users = managed_users
        self.faults_version: int = 0
        """How often the faults have been set."""
        self.faults = faults

    @property
    def faults(self) -> Faults:
        """The faults in effect; setting them restarts their random numbers."""
        return self._faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._faults = faults
        self.faults_version += 1
        self._random = Random(faults.seed)  # noqa: S311 - repeatable on purpose

    async def serve(self, endpoints: Sequence[Endpoint], request: web.Request) -> web.StreamResponse:
        """Answer one request to one of the endpoints that share its route, or drop it."""
        endpoint = endpoints[0] if len(endpoints) == 1 else await _choose_endpoint(endpoints, request)
        context = self._admit(endpoint, request)
        answer, fault = await self._process(context)
        status = DISCONNECTED if answer is None else answer.status
        self._request_log.record_response(context.entry, status, fault, self._clock.monotonic())
        if answer is None:
            return drop_connection(request)
        written = self._render(context, answer)
        if fault == SLOW_BODY:
            return await send_slowly(request, *written, self._clock.sleep)
        return send(request, *written)

    def _admit(self, endpoint: Endpoint, request: web.Request) -> RequestContext:
        now, monotonic = self._clock.time(), self._clock.monotonic()
        faults = self._faults
        fault = faults.draw(self._random)
        # A request that is refused with 429 by a fault is not counted in the window.
        spared = fault == "429"
        retry_after = None if spared else self._limits.admit(endpoint.operation.rate_class, now, monotonic)
        return RequestContext(
            endpoint=endpoint,
            request=request,
            entry=self._request_log.record_arrival(endpoint.kind, now, monotonic),
            faults=faults,
            fault=fault,
            delay=faults.delay(self._random),
            retry_after=retry_after,
        )

    async def _process(self, context: RequestContext) -> tuple[Answer | None, str | None]:
        """Return the response, or None to drop the connection, and the fault that was applied."""
        try:
            body = await context.request.read()
            if context.delay:
                await self._clock.sleep(context.delay)
            self._check(context, body)
        except web.HTTPRequestEntityTooLarge:
            return _TOO_LARGE, None
        except (ConnectionError, web.RequestPayloadError):
            return None, None
        except RefusalError as refusal:
            self._request_log.record_refusals(context.entry, refusal.answer)
            return refusal.answer, None
        fault = context.fault
        if fault is not None and fault.isdigit():
            return _error_answer(int(fault)), fault
        answer = None if fault == DISCONNECT_BEFORE else self._handle(context, body)
        return (None if fault == DISCONNECT_AFTER else answer), fault

    def _check(self, context: RequestContext, body: bytes) -> None:
        try:
            context.entry.user = self._identify(context, body)
        except OAuthError as error:
            raise RefusalError(401, f"OAuth authentication error: {error}") from None
        if context.retry_after is not None:
            raise RefusalError(429, _PROBLEM_BY_STATUS[429], headers={hdrs.RETRY_AFTER: context.retry_after})

    def _identify(self, context: RequestContext, body: bytes) -> str | None:
        request = context.request
        signed = SignedRequest(
            request.method,
            request.host,
            request.raw_path,
            request.headers.get(hdrs.AUTHORIZATION),
            body if request.content_type == FORM else b"",
        )
        find = self._state.tokens.find_request_token_secret if context.endpoint.is_signed_by_request_token else None
        user = self._verifier.verify(signed, self._clock.time(), find=find)
        wants_user = context.endpoint.operation.auth is Auth.THREE_LEGGED and not self._managed_users
        endpoint = context.endpoint
        names_user = not endpoint.takes_user_id or any(name == "userid" for _, name in _sent_parameters(request, body))
        if user is None and wants_user and not (endpoint.is_live and names_user):
            raise OAuthError("Not authorised, this operation wants a user's access token")
        return user

    def _handle(self, context: RequestContext, body: bytes) -> Answer:
        endpoint, request, entry = context.endpoint, context.request, context.entry
        arguments: dict[str, Any] = {}
        query = request.raw_path.partition("?")[2]
        origin = f"{request.scheme}://{request.host}"
        try:
            arguments = read_arguments(
                endpoint.binding,
                query=query,
                path=request.match_info,
                content_type=request.content_type,
                body=body,
            )
            answer = endpoint.handler(
                Call(
                    operation=endpoint.operation,
                    arguments=arguments,
                    user=entry.user,
                    now=self._clock.time(),
                    faults=context.faults,
                    origin=origin,
                    state=self._state,
                )
            )
        except RefusalError as refusal:
            answer = as_error_redirect(refusal.answer, endpoint.operation, read_form(query), origin)
        logs = arguments.get("logs", arguments.get("items"))
        self._request_log.record_logs(
            entry,
            logs=len(logs) if isinstance(logs, list) else None,
            accepted=answer.accepted_logs,
            refused=answer.refused_logs,
        )
        self._request_log.record_refusals(entry, answer, logs)
        if isinstance(answer.content, Problem):
            return evolve(answer, content=evolve(answer.content, has_no_envelope=endpoint.has_bare_problems))
        return answer

    def _render(self, context: RequestContext, answer: Answer) -> tuple[int, dict[str, str], bytes]:
        asked = context.request.headers
        now = self._clock.time()
        headers = {
            hdrs.DATE: formatdate(now, usegmt=True),
            hdrs.CACHE_CONTROL: f"private, max-age={answer.max_age}" if answer.max_age else "no-cache, no-store",
            **self._limits.quota.headers(now),
            **answer.headers,
        }
        if isinstance(answer.content, Media):
            delivery = media_response(answer.content, asked.get(hdrs.RANGE), asked.get(hdrs.IF_RANGE))
            return delivery.status, {**headers, **delivery.headers}, delivery.body
        body, content_type = render(answer, asked.get(hdrs.ACCEPT, ""), context.endpoint.only_type)
        if body:
            headers[hdrs.CONTENT_TYPE] = content_type
        return answer.status, headers, body


async def _choose_endpoint(endpoints: Sequence[Endpoint], request: web.Request) -> Endpoint:
    """Choose between endpoints that share a route by the request's parameters.

    Of those whose required ones are present, the one that requires most and accepts most; else the first.
    """
    try:
        sent = _sent_parameters(request, await request.read())
    except (web.HTTPRequestEntityTooLarge, ConnectionError, web.RequestPayloadError):
        return endpoints[0]
    fitting = [endpoint for endpoint in endpoints if endpoint.required_parameters <= sent]
    return max(
        fitting,
        key=lambda endpoint: (len(endpoint.required_parameters), len(endpoint.accepted_parameters & sent)),
        default=endpoints[0],
    )


def _sent_parameters(request: web.Request, body: bytes) -> set[ParameterKey]:
    form = read_form(body.decode("utf-8", "replace")) if request.content_type == FORM else {}
    query = read_form(request.raw_path.partition("?")[2])
    return {(ParameterLocation.QUERY, name) for name in query} | {(ParameterLocation.FORM, name) for name in form}


def _error_answer(status: int) -> Answer:
    if status in _AUTH_STATUSES:
        return Answer(status=status, content="OAuth authentication error: Access to resource denied")
    fallback = _SERVER_PROBLEM if status >= 500 else _CLIENT_PROBLEM  # noqa: PLR2004 - the HTTP status
    headers = _RETRY_HEADERS if status == 429 else {}  # noqa: PLR2004 - as above
    return Answer(status=status, content=_PROBLEM_BY_STATUS.get(status, fallback), headers=headers)
