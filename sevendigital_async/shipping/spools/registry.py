"""Where plays wait, by the name that users give the place: a file, or a URL whose scheme says what keeps them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

from attrs import frozen

from ...errors import ConfigurationError
from ...redis_url import SCHEMES as REDIS_SCHEMES
from ...redis_url import RedisURL
from .base import Spool
from .inspector import SpoolInspector
from .memory import MemorySpool

_URL = re.compile(r"([^:]*)://")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_REGISTERED = re.compile(r"[a-z][a-z0-9+.-]+")


@frozen
class SpoolScheme:
    """What a scheme of a spool's URL stands for.

    Attributes:
        spool: Makes the spool of a URL.
        archive: Makes its archive; None if nothing outlives the process.
        shown: Returns a URL as others may see it, without a password.
    """

    spool: Callable[[str], Spool]
    inspector: Callable[[str], SpoolInspector] | None
    shown: Callable[[str], str]


_schemes: dict[str, SpoolScheme] = {}


def register_scheme(name: str, scheme: SpoolScheme) -> None:
    """Let ``name:...`` stand for a spool, here and on the command line.

    Raises:
        ConfigurationError: The name is taken, or not one that a URL can have.
    """
    if not _REGISTERED.fullmatch(name) or name in _schemes:
        raise ConfigurationError(f"the scheme {name!r} is taken, or not lower-case letters, digits, +, . and -")
    _schemes[name] = scheme


def scheme_of(place: str) -> str | None:
    """Return the scheme of a place, in lower case; None if it is the plain name of a file.

    Raises:
        ConfigurationError: It looks like a URL, but nothing keeps plays there; the message does not quote it.
    """
    place = place.strip()
    named = _SCHEME.match(place)
    if named and named[1].lower() in _schemes:
        return named[1].lower()
    if _URL.match(place):
        known = ", ".join(f"{name}:" for name in _schemes)
        raise ConfigurationError(f"that scheme of a spool is not known; known are {known} and the name of a file")
    return None


def file_of(place: str) -> Path | None:
    """Return the file that a place is; None if it is none.

    Raises:
        ConfigurationError: As for :func:`scheme_of`.
    """
    match scheme_of(place):
        case None:
            return Path(place)
        case "file":
            return Path(_path_in(place))
        case _:
            return None


def open_spool(place: str | os.PathLike[str] | Spool | None) -> Spool:
    """Return the spool that a name stands for: None is memory, ``redis://...`` a server, any other text a file.

    Raises:
        ConfigurationError: Nothing can be kept there.
    """
    if place is None:
        return MemorySpool()
    if not isinstance(place, str | bytes | os.PathLike):
        return place
    name = _name_of(place)
    return _schemes[scheme_of(name) or "file"].spool(name)


def open_inspector(place: str | os.PathLike[str]) -> SpoolInspector:
    """Return the archive of the durable spool that a name stands for; close it with ``aclose``.

    Raises:
        ConfigurationError: Nothing can be kept there.
    """
    name = _name_of(place)
    make = _schemes[scheme_of(name) or "file"].inspector
    if make is None:
        raise ConfigurationError("a spool in memory ends with its process; there is nothing to look at")
    return make(name)


def shown(place: str) -> str:
    """Return the name of a place as others may see it: without a password."""
    return _schemes[scheme_of(place) or "file"].shown(place)


def _name_of(place: str | os.PathLike[str]) -> str:
    name = os.fspath(place)
    if not isinstance(name, str) or not name.strip():
        raise ConfigurationError("a spool needs the name of a file, as text")
    # A Path has made one slash of two.
    return name if isinstance(place, str) else re.sub(r"^([A-Za-z][A-Za-z0-9+.-]+):/(?!/)", r"\1://", name)


def _path_in(place: str) -> str:
    """Return the path in a ``file:`` URL; any other place is one."""
    if scheme_of(place) is None:
        return place
    rest = place.strip().partition(":")[2]
    if rest.startswith("//"):
        host, slash, path = rest[2:].partition("/")
        if host.lower() not in {"", "localhost"}:
            raise ConfigurationError("the URL of a file has three slashes (file:///path) or none (file:path)")
        rest = slash + path
    if not rest:
        raise ConfigurationError("a spool needs the name of a file")
    return unquote(rest)


def _sqlite_spool(place: str) -> Spool:
    from .sqlite import SqliteSpool  # noqa: PLC0415 - only who keeps plays in a file pays for it

    return SqliteSpool(_path_in(place))


def _sqlite_archive(place: str) -> SpoolInspector:
    from .sqlite import SqliteSpoolInspector  # noqa: PLC0415 - as above

    return SqliteSpoolInspector(_path_in(place))


def _redis_spool(place: str) -> Spool:
    from .redis import RedisSpool  # noqa: PLC0415 - as above

    return RedisSpool(place)


def _redis_archive(place: str) -> SpoolInspector:
    from .redis import RedisSpoolInspector  # noqa: PLC0415 - as above

    return RedisSpoolInspector(place)


register_scheme("file", SpoolScheme(_sqlite_spool, _sqlite_archive, lambda place: place))
for _name in REDIS_SCHEMES:
    register_scheme(_name, SpoolScheme(_redis_spool, _redis_archive, lambda place: RedisURL.parse(place).safe_url))
register_scheme("memory", SpoolScheme(lambda _: MemorySpool(), None, lambda _: "memory:"))
