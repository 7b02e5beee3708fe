"""The sandbox server: listens on a port of this machine until it is closed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from ipaddress import ip_address
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from ..clock import Clock, SystemClock
from ..config import Credentials, UserToken
from ..errors import ConfigurationError
from ..models.stream_log import LogKind
from ..operations import RateClass
from .account_pages import AccountPages
from .accounts import DEMO_KEY, DEMO_SECRET, Accounts
from .admin_api import AdminAPI
from .cdn import Cdn
from .dispatcher import Dispatcher
from .faults import Faults
from .limits import RateLimiter
from .oauth import Verifier
from .request_log import ReceivedLog, RequestLog
from .routes import Endpoint, endpoints
from .state import State

MAX_BODY_BYTES = 2 * 1024 * 1024
"""Larger bodies are refused; 500 logs with long ids fit."""

_SHUTDOWN_TIMEOUT = 0.25


class Sandbox:
    """A local 7digital server.

    Use it as an async context manager::

        async with Sandbox() as sandbox:
            client = SevenDigital(DEMO_KEY, DEMO_SECRET, base_url=sandbox.base_url)

    Every user has the token ``sandbox-token-<user id>`` with the secret ``sandbox-secret-<user id>``.

    Args:
        port: Where to listen; 0 picks a free port.
        host: A loopback address; the sandbox serves no other machine.
        credentials: The consumer key and secret it accepts.
        faults: Faults from the start.
        managed_users: Serve operations of users without a user's token, as for partners who manage their users.
        tokens: Tokens of users, by user id, in place of the derived ones.
        daily_quota: Requests per UTC day.
        preview_rate: Requests to the preview log in any one second.
        allow_nonce_reuse: Accept a nonce again.
        clock_tolerance: Seconds by which a timestamp may be off.
        clock: The sandbox's time.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        credentials: Credentials | None = None,
        faults: Faults | None = None,
        managed_users: bool = False,
        tokens: Mapping[str, UserToken] | None = None,
        daily_quota: int = 1_000_000,
        preview_rate: int = RateClass.PREVIEW_LOGS.value,
        allow_nonce_reuse: bool = False,
        clock_tolerance: float = 300.0,
        clock: Clock | None = None,
    ) -> None:
        self._host, self._port = _loopback(host), port
        self.credentials: Credentials = credentials or Credentials(DEMO_KEY, DEMO_SECRET)
        self._accounts = Accounts(self.credentials, dict(tokens or {}))
        self._preview_rate = preview_rate
        self._clock = clock or SystemClock()
        self._request_log = RequestLog()
        self._state = State(self._accounts.token_for, self._accounts.oauth_tokens)
        self._dispatcher = Dispatcher(
            verifier=Verifier(self._accounts, tolerance=clock_tolerance, allow_nonce_reuse=allow_nonce_reuse),
            request_log=self._request_log,
            limits=RateLimiter(daily_quota, {RateClass.PREVIEW_LOGS: preview_rate}),
            clock=self._clock,
            state=self._state,
            managed_users=managed_users,
            faults=faults or Faults(),
        )
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def start(self) -> None:
        """Open the port and serve.

        Raises:
            ConfigurationError: It is running already, the port is taken, or an operation has no handler.
        """
        if self._runner is not None:
            raise ConfigurationError("the sandbox is running already")
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=_SHUTDOWN_TIMEOUT)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except OSError as error:
            await runner.cleanup()
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise ConfigurationError(
                f"the sandbox cannot listen on {self._host}:{self._port}: {reason}; choose another port, or 0 for any"
            ) from error
        self._runner = runner

    async def aclose(self) -> None:
        """Close the port and all connections; what arrived can still be read."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    @property
    def base_url(self) -> str:
        """The origin to point a client at.

        Raises:
            ConfigurationError: The sandbox is not running.
        """
        if self._runner is None:
            raise ConfigurationError("the sandbox is not running; use it in `async with`")
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._runner.addresses[0][1]}"

    @property
    def faults(self) -> Faults:
        """The faults in effect; may be changed while it runs."""
        return self._dispatcher.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._dispatcher.faults = faults

    def token_for(self, user: str) -> UserToken:
        """Return a token that is accepted as that of ``user``."""
        return self._accounts.token_for(user)

    def received(self, kind: LogKind | None = None) -> list[ReceivedLog]:
        """Return the plays that were accepted, of one kind or of all, batch by batch."""
        return self._request_log.received(kind)

    def requests(self, kind: LogKind | None = None) -> list[dict[str, Any]]:
        """Return the requests to the logging operations in the order of their arrival, as ``/_sandbox/requests``."""
        return self._request_log.requests(kind)

    def stats(self) -> dict[str, Any]:
        """Return the counts, as ``/_sandbox/stats``."""
        return {**self._request_log.stats(), "limit": self._preview_rate}

    def activity(self) -> dict[str, Any]:
        """Return the last minutes, refused plays, doubles and faults, as ``/_sandbox/activity``."""
        return {
            "stats": self.stats(),
            "faults": self._faults_tree(),
            **self._request_log.activity(self._clock.monotonic()),
        }

    def state(self) -> dict[str, Any]:
        """Return the state that calls have changed, such as purchases, as ``/_sandbox/state``."""
        return self._state.tree()

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=MAX_BODY_BYTES)
        for (http_method, path), sharing in _by_route(endpoints()).items():
            application.router.add_route(http_method, path, partial(self._dispatcher.serve, sharing))
        admin_api = AdminAPI(
            self._request_log,
            stats=self.stats,
            activity=self.activity,
            state=self.state,
            faults=self._faults_tree,
            set_faults=self._set_faults,
            host=self._host,
        )
        application.add_routes(admin_api.routes())
        application.add_routes(Cdn(self._state.media_access, self._clock).routes())
        application.add_routes(AccountPages(self._accounts, self._accounts.oauth_tokens).routes())
        return application

    def _faults_tree(self) -> dict[str, Any]:
        return {**self.faults.tree(), "version": self._dispatcher.faults_version}

    def _set_faults(self, faults: Faults) -> None:
        self.faults = faults


def _by_route(endpoints: Iterable[Endpoint]) -> Mapping[tuple[str, str], Sequence[Endpoint]]:
    routes: dict[tuple[str, str], list[Endpoint]] = {}
    for endpoint in endpoints:
        routes.setdefault((endpoint.binding.http_method, endpoint.binding.path), []).append(endpoint)
    # Literal paths go before those with parameters.
    return dict(sorted(routes.items(), key=lambda route: route[0][1].count("{")))


def _loopback(host: str) -> str:
    if host == "localhost":
        return "127.0.0.1"
    try:
        fits = ip_address(host).is_loopback
    except ValueError:
        fits = False
    if not fits:
        raise ConfigurationError(f"the sandbox serves this machine only: listen on 127.0.0.1 or ::1, not on {host!r}")
    return host
