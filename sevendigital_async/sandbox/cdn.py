"""The content delivery network: unsigned addresses of media that expire."""

from __future__ import annotations

from aiohttp import hdrs, web

from ..clock import Clock
from .ranges import media_response
from .state.media import MediaAccess, Ticket

SEGMENT_SECONDS = 10
MANIFEST_TYPE = "application/vnd.apple.mpegurl"
_SEGMENT_TYPE = "video/mp2t"
_PREFIX = "/_cdn"


def media_url(origin: str, ticket: Ticket) -> str:
    return f"{origin}{_PREFIX}/{ticket.id}"


def manifest_url(origin: str, ticket: Ticket) -> str:
    return f"{media_url(origin, ticket)}.m3u8"


def hls_manifest(origin: str, ticket: Ticket) -> str:
    duration = ticket.media.seconds
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:3",
        f"#EXT-X-TARGETDURATION:{SEGMENT_SECONDS}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
    ]
    for number in range(_segments(duration)):
        length = min(SEGMENT_SECONDS, duration - number * SEGMENT_SECONDS)
        lines += [f"#EXTINF:{length:.3f},", f"{media_url(origin, ticket)}/{number}.ts"]
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""])


def _segments(duration: int) -> int:
    return -(-duration // SEGMENT_SECONDS)


class Cdn:
    """Serves the media of tickets. Requests are not signed, and refused if they carry OAuth credentials."""

    def __init__(self, media_access: MediaAccess, clock: Clock) -> None:
        self._media_access = media_access
        self._clock = clock

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(_PREFIX + "/{ticket:[0-9a-f]+}", self._file),
            web.get(_PREFIX + "/{ticket:[0-9a-f]+}.m3u8", self._manifest),
            web.get(_PREFIX + r"/{ticket:[0-9a-f]+}/{number:\d{1,4}}.ts", self._segment),
        ]

    async def _file(self, request: web.Request) -> web.StreamResponse:
        ticket = self._admit(request)
        if isinstance(ticket, web.Response):
            return ticket
        headers = request.headers
        delivery = media_response(ticket.media, headers.get(hdrs.RANGE), headers.get(hdrs.IF_RANGE))
        return web.Response(status=delivery.status, headers=delivery.headers, body=delivery.body)

    async def _manifest(self, request: web.Request) -> web.StreamResponse:
        ticket = self._admit(request)
        if isinstance(ticket, web.Response):
            return ticket
        text = hls_manifest(f"{request.scheme}://{request.host}", ticket)
        return web.Response(body=text.encode(), content_type=MANIFEST_TYPE)

    async def _segment(self, request: web.Request) -> web.StreamResponse:
        ticket = self._admit(request)
        if isinstance(ticket, web.Response):
            return ticket
        count, number = _segments(ticket.media.seconds), int(request.match_info["number"])
        if number >= count:
            return web.Response(status=404, text="No such segment")
        body = ticket.media.make_bytes()
        cut = body[number * len(body) // count : (number + 1) * len(body) // count]
        return web.Response(body=cut, content_type=_SEGMENT_TYPE)

    def _admit(self, request: web.Request) -> Ticket | web.Response:
        if hdrs.AUTHORIZATION in request.headers or any(name.startswith("oauth_") for name in request.query):
            return web.Response(status=400, text="No credentials wanted here: they belong to the API alone")
        ticket = self._media_access.find_ticket(request.match_info["ticket"])
        if ticket is None:
            return web.Response(status=404, text="No such file")
        if ticket.expires_at < self._clock.time():
            return web.Response(status=403, text="This address has expired")
        return ticket
