"""The registry of spools: a file name, or a URL whose scheme says which spool it is.

Another package adds a scheme with :func:`register_scheme`, or with an entry point in the group
``sevendigital_async.spools`` whose name is the scheme and whose object is a :class:`SpoolScheme`; the shipper and the
command line find it in either case.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from attrs import frozen

from ...errors import ConfigurationError
from ...redis_url import SCHEMES as REDIS_SCHEMES
from ...redis_url import RedisURL
from .base import Spool
from .memory import MemorySpool

if TYPE_CHECKING:
    from .inspector import SpoolInspector

_URL = re.compile(r"([^:]*)://")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
ENTRY_POINTS = "sevendigital_async.spools"
"""The group of entry points in which other packages declare schemes."""

_NAME = re.compile(r"[a-z][a-z0-9+.-]+")


@frozen
class SpoolScheme:
    """How the spools of one URL scheme are opened.

    Attributes:
        spool: Returns the spool of a URL.
        inspector: Returns its inspector; None if the spool does not outlive its process.
        safe_location: Returns a URL without its password, for logs and error messages.
    """

    spool: Callable[[str], Spool]
    inspector: Callable[[str], SpoolInspector] | None
    safe_location: Callable[[str], str]


_schemes: dict[str, SpoolScheme] = {}


def register_scheme(name: str, scheme: SpoolScheme) -> None:
    """Register the scheme ``name``, so that ``name:...`` opens its spool, in the shipper and on the command line.

    Raises:
        ConfigurationError: The name is registered already, or not a valid scheme.
    """
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"not a URL scheme: {name!r} (use lower-case letters, digits, +, . and -)")
    if name in _schemes:
        raise ConfigurationError(f"the scheme {name!r} is already registered")
    _schemes[name] = scheme


def scheme_of(location: str) -> str | None:
    """Return the registered scheme of a location, in lower case; None for a file name.

    Raises:
        ConfigurationError: It is a URL of an unknown scheme. The message does not quote it: it may hold a password.
    """
    location = location.strip()
    match = _SCHEME.match(location)
    if match and _is_registered(scheme := match[1].lower()):
        return scheme
    if _URL.match(location):
        known = ", ".join(f"{name}:" for name in _schemes)
        raise ConfigurationError(f"unknown spool scheme; use one of {known} or a file name")
    return None


def _is_registered(name: str) -> bool:
    if name not in _schemes and _NAME.fullmatch(name):
        from importlib.metadata import entry_points  # noqa: PLC0415 - takes long to load, and most schemes are ours

        for entry_point in entry_points(group=ENTRY_POINTS, name=name):
            register_scheme(name, entry_point.load())
            break
    return name in _schemes


def file_of(location: str) -> Path | None:
    """Return the path of a location that is a file; None for any other spool.

    Raises:
        ConfigurationError: As for :func:`scheme_of`.
    """
    match scheme_of(location):
        case None:
            return Path(location)
        case "file":
            return Path(_path_in(location))
        case _:
            return None


def open_spool(location: str | os.PathLike[str] | Spool | None) -> Spool:
    """Return the spool of a location: a file name or a URL; None is a memory spool, and a spool is returned as it is.

    Raises:
        ConfigurationError: It is not a file name or a URL of a registered scheme.
    """
    if location is None:
        return MemorySpool()
    if not isinstance(location, str | bytes | os.PathLike):
        return location
    text = _text_of(location)
    return _schemes[scheme_of(text) or "file"].spool(text)


def open_inspector(location: str | os.PathLike[str]) -> SpoolInspector:
    """Return the inspector of a durable spool; close it with ``aclose``.

    Raises:
        ConfigurationError: It is not a file name or a URL of a registered scheme, or such a spool can't be inspected.
    """
    text = _text_of(location)
    scheme = scheme_of(text) or "file"
    inspector = _schemes[scheme].inspector
    if inspector is None:
        raise ConfigurationError(f"a {scheme} spool exists only in its own process and can't be inspected")
    return inspector(text)


def safe_location(location: str) -> str:
    """Return a location without its password, for logs and error messages."""
    return _schemes[scheme_of(location) or "file"].safe_location(location)


def _text_of(location: str | os.PathLike[str]) -> str:
    text = os.fspath(location)
    if not isinstance(text, str) or not text.strip():
        raise ConfigurationError("spool must be a file name or a URL, as text, and not empty")
    # A Path has made one slash of two.
    return text if isinstance(location, str) else re.sub(r"^([A-Za-z][A-Za-z0-9+.-]+):/(?!/)", r"\1://", text)


def _path_in(location: str) -> str:
    """Return the path in a ``file:`` URL, or a file name as it is."""
    if scheme_of(location) is None:
        return location
    rest = location.strip().partition(":")[2]
    if rest.startswith("//"):
        host, slash, path = rest[2:].partition("/")
        if host.lower() not in {"", "localhost"}:
            raise ConfigurationError("a file URL must be file:///path or file:path, without a host")
        rest = slash + path
    if not rest:
        raise ConfigurationError("a file URL needs a path, such as file:plays.db")
    return unquote(rest)


def _sqlite_spool(location: str) -> Spool:
    from .sqlite import SqliteSpool  # noqa: PLC0415 - imported only where it is used

    return SqliteSpool(_path_in(location))


def _sqlite_inspector(location: str) -> SpoolInspector:
    from .sqlite import SqliteSpoolInspector  # noqa: PLC0415 - as above

    return SqliteSpoolInspector(_path_in(location))


def _redis_spool(location: str) -> Spool:
    from .redis import RedisSpool  # noqa: PLC0415 - as above

    return RedisSpool(location)


def _redis_inspector(location: str) -> SpoolInspector:
    from .redis import RedisSpoolInspector  # noqa: PLC0415 - as above

    return RedisSpoolInspector(location)


register_scheme("file", SpoolScheme(_sqlite_spool, _sqlite_inspector, lambda location: location))
for _name in REDIS_SCHEMES:
    register_scheme(_name, SpoolScheme(_redis_spool, _redis_inspector, lambda url: RedisURL.parse(url).safe_url))
register_scheme("memory", SpoolScheme(lambda _: MemorySpool(), None, lambda _: "memory:"))
