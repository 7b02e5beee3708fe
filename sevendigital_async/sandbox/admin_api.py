"""The admin API of a running sandbox, without signatures: request log, counts, state, faults, and the page at ``/``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from importlib.resources import files
from typing import Any

import orjson
from aiohttp import web

from ..errors import ConfigurationError
from ..models.stream_log import LogKind
from .faults import Faults
from .request_log import RequestLog
from .same_origin import Handler, same_origin_only

_JSON_LINES = "application/x-ndjson"
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE_HEADERS = {"Content-Security-Policy": _CONTENT_SECURITY_POLICY, "Referrer-Policy": "no-referrer", **_HEADERS}

STATIC_FILES: Mapping[str, tuple[str, str]] = {
    "/": ("page.html", "text/html"),
    "/_sandbox/static/page.css": ("page.css", "text/css"),
    "/_sandbox/static/charts.js": ("charts.js", "text/javascript"),
    "/_sandbox/static/faults.js": ("faults.js", "text/javascript"),
    "/_sandbox/static/page.js": ("page.js", "text/javascript"),
}
"""The file in ``static/`` and the content type of each path of the page."""


def read_static_file(name: str) -> str:
    return files(__package__).joinpath("static", name).read_text("utf-8")


class AdminAPI:
    """The admin endpoints."""

    def __init__(
        self,
        request_log: RequestLog,
        *,
        stats: Callable[[], dict[str, Any]],
        activity: Callable[[], dict[str, Any]],
        state: Callable[[], dict[str, Any]],
        faults: Callable[[], dict[str, Any]],
        set_faults: Callable[[Faults], None],
        host: str,
    ) -> None:
        self._request_log = request_log
        self._stats = stats
        self._activity = activity
        self._state = state
        self._faults = faults
        self._set_faults = set_faults
        self._host = host

    def routes(self) -> list[web.RouteDef]:
        served: list[tuple[Callable[[str, Handler], web.RouteDef], str, Handler]] = [
            (web.get, "/_sandbox/stats", self._show_stats),
            (web.get, "/_sandbox/activity", self._show_activity),
            (web.get, "/_sandbox/state", self._show_state),
            (web.get, "/_sandbox/logs", self._stream_logs),
            (web.get, "/_sandbox/requests", self._stream_requests),
            (web.put, "/_sandbox/faults", self._change_faults),
            *((web.get, path, _static(name, content_type)) for path, (name, content_type) in STATIC_FILES.items()),
        ]
        return [route(path, same_origin_only(handler, self._host)) for route, path, handler in served]

    async def _show_stats(self, _: web.Request) -> web.StreamResponse:
        return _json(self._stats())

    async def _show_activity(self, _: web.Request) -> web.StreamResponse:
        return _json(self._activity())

    async def _show_state(self, _: web.Request) -> web.StreamResponse:
        return _json(self._state())

    async def _stream_logs(self, request: web.Request) -> web.StreamResponse:
        return await _stream(request, self._request_log.log_lines)

    async def _stream_requests(self, request: web.Request) -> web.StreamResponse:
        return await _stream(request, self._request_log.request_lines)

    async def _change_faults(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        try:
            faults, version = _read_faults(body)
        except ConfigurationError as error:
            return _json({"error": str(error)}, status=400)
        # Between this check and the change there must be no await.
        if version not in {None, self._faults()["version"]}:
            return _json({"error": f"the faults have changed since version {version}", **self._faults()}, status=409)
        self._set_faults(faults)
        return _json(self._faults())


def _static(name: str, content_type: str) -> Handler:
    text = read_static_file(name)

    async def serve(_: web.Request) -> web.StreamResponse:
        return web.Response(text=text, content_type=content_type, headers=_PAGE_HEADERS)

    return serve


def _read_faults(body: bytes) -> tuple[Faults, int | None]:
    """Return the faults of a body, and the version that they replace; None replaces any."""
    try:
        wanted = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ConfigurationError("the body is not valid JSON") from None
    match wanted:
        case {**members} if members.keys() <= {"faults", "latency", "seed", "version"}:
            specs, latency, seed = members.get("faults", []), members.get("latency"), members.get("seed", 0)
            version = members.get("version")
        case _:
            raise ConfigurationError('the body must be a JSON object of "faults", "latency", "seed" and "version"')
    if not isinstance(specs, list) or not all(isinstance(spec, str) for spec in specs):
        raise ConfigurationError('"faults" must be a list of strings')
    if not isinstance(latency, str | None) or type(seed) is not int:
        raise ConfigurationError('"latency" must be a string, "seed" a whole number')
    if version is not None and type(version) is not int:
        raise ConfigurationError('"version" must be a whole number')
    return Faults.parse(specs, latency=latency, seed=seed), version


async def _stream(request: web.Request, lines: Callable[[LogKind | None], Iterable[bytes]]) -> web.StreamResponse:
    wanted = request.query.get("kind")
    try:
        kind = None if wanted is None else LogKind(wanted)
    except ValueError:
        return _json({"error": f"kind must be one of {', '.join(LogKind)}"}, status=400)
    response = web.StreamResponse(headers={"Content-Type": _JSON_LINES, **_HEADERS})
    # A reader may disconnect at any time.
    with suppress(ConnectionError):
        await response.prepare(request)
        for chunk in lines(kind):
            await response.write(chunk)
            # Otherwise a fast reader would block the loop.
            await asyncio.sleep(0)
        await response.write_eof()
    return response


def _json(tree: dict[str, Any], status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(tree), status=status, content_type="application/json", headers=_HEADERS)
