"""URLs and headers without secrets and personal data, for traces and hooks. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote

REDACTED = "REDACTED"
"""The placeholder for a value, from OpenTelemetry's conventions."""

PUBLIC_PARAMETERS = frozenset(
    {
        "artistid", "artistslug", "bitrate", "country", "currency", "event", "format", "formatid", "fromdate",
        "imagesize", "letter", "locale", "mbids", "packageid", "page", "pagesize", "period", "releaseid", "releaseids",
        "releaseslug", "sevendigitalids", "shopid", "showerrors", "sort", "tags", "todate", "trackid", "trackids",
        "type", "usagetypes",
    }
)  # fmt: skip
"""Parameters whose values are shown, in lower case: they describe the catalogue. All others may be personal."""

PUBLIC_HEADERS = frozenset(
    {
        "accept", "accept-encoding", "accept-language", "content-length", "content-type", "if-match", "if-none-match",
        "if-range", "range", "user-agent", "x-7d-traceid",
    }
)  # fmt: skip
"""Headers of requests whose values are shown."""

_PRIVATE_WORDS = ("auth", "cookie", "credential", "key", "location", "secret", "signature", "token", "user")
"""Parts of the names of responses' headers whose values are not shown; locations may be signed URLs."""

_PUBLIC_PARTS = frozenset(f"{{{name}}}" for name in PUBLIC_PARAMETERS)
"""Of path templates."""

ORIGIN_PARTS = 3
"""Parts of an origin between slashes: ``https:``, nothing, and the host."""

_PRIVATE_HEADERS = frozenset({"link", "refresh", "content-disposition"})


def scrubbed_url(url: str, path_template: str) -> str:
    """Return the URL of a request to the service with only those values that describe the catalogue.

    Args:
        url: As it was sent, with or without a signature.
        path_template: The end of its path, with parameters in braces.
    """
    place, mark, query = url.partition("?")
    return _scrubbed_path(place, path_template) + mark + "&".join(map(_scrubbed_pair, query.split("&")))


def scrubbed_target(url: str) -> str:
    """Return the target of a redirect without path and query, which may hold a signature."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('?')[0].partition('/')[0]}/{REDACTED}"


def masked_request_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a request; those that may be private have no value."""
    return {name: value if name.lower() in PUBLIC_HEADERS else REDACTED for name, value in headers.items()}


def masked_response_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a response; those that may be private have no value."""
    return {name: REDACTED if _is_private(name.lower()) else value for name, value in headers.items()}


def _is_private(name: str) -> bool:
    return name in _PRIVATE_HEADERS or any(word in name for word in _PRIVATE_WORDS)


def _scrubbed_path(place: str, template: str) -> str:
    if "{" not in template:
        return place
    pattern = template.split("/")[1:]
    parts = place.split("/")
    prefix, values = parts[: -len(pattern)], parts[-len(pattern) :]
    if len(prefix) < ORIGIN_PARTS or len(values) != len(pattern):
        return scrubbed_target(place)
    return "/".join([*prefix, *map(_shown, pattern, values)])


def _shown(spelled: str, value: str) -> str:
    return value if "{" not in spelled or spelled.lower() in _PUBLIC_PARTS else REDACTED


def _scrubbed_pair(pair: str) -> str:
    name, mark, _ = pair.partition("=")
    return pair if unquote(name).lower() in PUBLIC_PARAMETERS or not mark else f"{name}={REDACTED}"
