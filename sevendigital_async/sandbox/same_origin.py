"""Refuses requests of other sites' pages, by what browsers say about a request's origin.

A page anywhere can make a browser on this machine send requests to a port of it. With a host name that resolves to
127.0.0.1 (DNS rebinding), it can even read the responses. Programs aren't affected: they send neither ``Origin`` nor
``Sec-Fetch-Site``, and name a loopback address as ``Host``.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address

from aiohttp import hdrs, web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_AUTHORITY = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+))(?::([0-9]{1,5}))?").fullmatch
_DEFAULT_PORT = 80
_ALLOWED_FETCH_SITES = {"same-origin", "none"}


def cross_site_problem(
    hosts: Sequence[str], origins: Sequence[str], fetch_sites: Sequence[str], *, port: int, listens_on: str
) -> str | None:
    """Return why a request may come from another site's page, or None."""
    if len(hosts) != 1 or not _is_own_authority(hosts[0], port, listens_on):
        return f"the Host header must be a loopback address or localhost, with port {port}"
    if not all(_is_own_origin(origin, port, listens_on) for origin in origins):
        return "the Origin header names another site"
    if not _ALLOWED_FETCH_SITES.issuperset(site.strip().lower() for site in fetch_sites):
        return "the browser says that another site's page has sent this (Sec-Fetch-Site)"
    return None


def same_origin_only(handler: Handler, listens_on: str) -> Handler:
    """Return a handler that refuses requests of other sites' pages with 403."""

    @functools.wraps(handler)
    async def guarded(request: web.Request) -> web.StreamResponse:
        headers = request.headers
        reason = cross_site_problem(
            headers.getall(hdrs.HOST, []),
            headers.getall(hdrs.ORIGIN, []),
            headers.getall("Sec-Fetch-Site", []),
            port=_port(request),
            listens_on=listens_on,
        )
        if reason is None:
            return await handler(request)
        text = f"Refused: {reason}. The sandbox shows and changes its state only for its own page and for programs.\n"
        return web.Response(status=403, text=text, headers={hdrs.CACHE_CONTROL: "no-store"})

    return guarded


def _port(request: web.Request) -> int:
    address = request.get_extra_info("sockname")
    return int(address[1]) if isinstance(address, tuple) else 0


def _is_own_origin(origin: str, port: int, listens_on: str) -> bool:
    scheme, _, authority = origin.strip().partition("://")
    return scheme == "http" and _is_own_authority(authority, port, listens_on)


def _is_own_authority(authority: str, port: int, listens_on: str) -> bool:
    found = _AUTHORITY(authority.strip())
    if found is None or int(found[3] or _DEFAULT_PORT) != port:
        return False
    name = (found[1] or found[2]).lower().removesuffix(".")
    if name in {"localhost", listens_on.lower()}:
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
