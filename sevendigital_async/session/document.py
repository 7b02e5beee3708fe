"""A response's body: read to its end, and recognised by its content as JSON, XML, HTML, text or empty."""

from __future__ import annotations

import asyncio
import codecs
import enum
import re
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar
from urllib.parse import parse_qsl

import orjson
from attrs import field, frozen

from ..errors import RequestTimeoutError, ResponseTooLargeError
from .transport import Stream

P = ParamSpec("P")
T = TypeVar("T")

OFF_LOOP_BYTES = 256 * 1024
"""Bodies larger than this are parsed and decoded in a thread."""

XML_OFF_LOOP_BYTES = 16 * 1024
"""XML larger than this is parsed in a thread; it takes many times as long as JSON."""


class Kind(enum.Enum):
    """The kinds of a response's body; the value is for messages."""

    JSON = "JSON"
    XML = "XML"
    FORM = "form fields"
    HTML = "an HTML page"
    TEXT = "plain text"
    EMPTY = "an empty response"


@frozen
class Document:
    """A response's body, parsed if possible; its repr shows none of it.

    Attributes:
        body: The raw bytes.
        kind: Their kind.
        tree: JSON's value, the XML root's content, or a form's fields; None for other kinds.
        charset: The encoding of text.
        flaw: What is wrong with a body that looks like JSON or XML and can't be parsed.
    """

    body: bytes = field(repr=False)
    kind: Kind
    tree: object = field(default=None, repr=False)
    charset: str = "utf-8"
    flaw: str | None = None

    @property
    def text(self) -> str:
        """The body as text; invalid bytes are replaced."""
        return self.excerpt(len(self.body))

    def excerpt(self, size: int) -> str:
        """Return the first ``size`` bytes as text."""
        return _without_bom(self.body[:size].decode(self.charset, errors="replace"))

    @property
    def has_tree(self) -> bool:
        """Whether there is a tree to decode a model from."""
        return self.kind in (Kind.JSON, Kind.XML, Kind.FORM)  # an enum has a slow hash


_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHARSET = re.compile(r"""charset\s*=\s*["']?([\w.:-]+)""", re.IGNORECASE).search
_TEXT_CODECS = ("utf", "iso8859", "iso-8859", "latin", "windows-", "cp125", "koi8", "big5", "gb", "euc", "shift")
"""Python has codecs that are not for text, and some that raise in spite of ``errors="replace"``."""

_DOCTYPE = re.compile(r"<!doctype\s+html[\s>]", re.IGNORECASE).search
_FIRST_ELEMENT = re.compile(r"(?:[^<]|<[!?][^>]*>)*<([\w:.-]+)").match
_HTML_ROOTS = frozenset(
    {"html", "head", "title", "meta", "style", "script", "noscript", "body", "frameset", "iframe", "h1", "h2", "h3"}
    | {"p", "div", "span", "center", "font", "pre", "form", "table", "img", "br", "hr"}
)
_OAUTH_FORM = re.compile(r"oauth_token=[^&\s]+&(?:\w+=[^&\s]*&)*?oauth_token_secret=[^&\s]+(?:&\w+=[^&\s]*)*").fullmatch
"""Tokens arrive as form fields (RFC 5849), whatever the content type."""

_SNIFF_BYTES = 2048
"""Bytes that are examined to recognise what a body is."""


def parse(body: bytes, content_type: str | None, *, stopped: Callable[[], bool] = lambda: False) -> Document:
    """Recognise the kind of a body and parse it; a body that can't be parsed is text.

    Args:
        body: The bytes as they came, already unpacked.
        content_type: The header, if there was one. Only its charset is used: the type is often wrong.
        stopped: Called repeatedly while XML is parsed; returns whether to stop.

    Raises:
        XMLStoppedError: ``stopped`` returned True.
    """
    if body.startswith((b"{", b"[")):
        # The common case; parsing is faster than examining.
        try:
            return Document(body, Kind.JSON, orjson.loads(body))
        except orjson.JSONDecodeError:
            pass
    return _recognised(body, content_type, stopped)


def _recognised(body: bytes, content_type: str | None, stopped: Callable[[], bool]) -> Document:
    charset = next((name for mark, name in _BOMS if body.startswith(mark)), None) or _stated_charset(content_type)
    beginning = _beginning(body, charset)
    if not beginning:
        return Document(body, Kind.EMPTY)
    if beginning.startswith("<"):
        return _markup(body, charset, beginning, stopped)
    if _OAUTH_FORM(beginning.strip()):
        return Document(body, Kind.FORM, dict(parse_qsl(beginning.strip())))
    is_like_json = beginning.startswith(("{", "["))
    if is_like_json or "json" in (content_type or ""):
        try:
            return Document(body, Kind.JSON, _loads(body, charset))
        except ValueError:
            return _text(body, charset, "JSON that is cut short or malformed" if is_like_json else None)
    return _text(body, charset)


def _beginning(body: bytes, charset: str | None) -> str:
    """Return the first characters after white space; an empty text if there are none."""

    def decoded(part: bytes) -> str:
        return _without_bom(part.decode(charset or "utf-8", errors="replace")).lstrip()

    content = body.lstrip()
    return decoded(content[:_SNIFF_BYTES]) or decoded(content)[:_SNIFF_BYTES]


def _stated_charset(content_type: str | None) -> str | None:
    stated = _CHARSET(content_type or "")
    if not stated or not stated[1].lower().startswith(_TEXT_CODECS):
        return None
    try:
        return codecs.lookup(stated[1]).name
    except LookupError:
        return None


def _loads(body: bytes, charset: str | None) -> object:
    try:
        # JSON is UTF-8, whatever the header says.
        return orjson.loads(body.removeprefix(codecs.BOM_UTF8))
    except orjson.JSONDecodeError:
        if charset is None or charset == "utf-8":
            raise
    return orjson.loads(_without_bom(body.decode(charset)))


def _markup(body: bytes, charset: str | None, beginning: str, stopped: Callable[[], bool]) -> Document:
    from .xml import XMLError, parse_xml  # noqa: PLC0415 - most clients never see any XML

    content = body.removeprefix(codecs.BOM_UTF8).lstrip()
    flaw = None
    # The declared encoding is often wrong, so try without it.
    for encoding in dict.fromkeys((charset, None, "utf-8")):
        try:
            tree = parse_xml(content, encoding, stopped=stopped)
        except XMLError as error:
            flaw = flaw or str(error)
            continue
        if not _HTML_ROOTS.isdisjoint(name.lower() for name in tree):
            break
        return Document(body, Kind.XML, tree.get("response", tree))
    if _is_html(beginning):
        return Document(body, Kind.HTML, charset=charset or _guessed_charset(body))
    return _text(body, charset, flaw)


def _is_html(beginning: str) -> bool:
    """Return whether markup that is not well-formed is a page; XML that is cut short may have names of HTML inside."""
    first = _FIRST_ELEMENT(beginning)
    return _DOCTYPE(beginning) is not None or (first is not None and first[1].lower() in _HTML_ROOTS)


def _text(body: bytes, charset: str | None, flaw: str | None = None) -> Document:
    return Document(body, Kind.TEXT, charset=charset or _guessed_charset(body), flaw=flaw)


def _guessed_charset(body: bytes) -> str:
    try:
        body[:_SNIFF_BYTES].decode()
    except UnicodeDecodeError as error:
        # The last character may be incomplete.
        return "utf-8" if error.end >= _SNIFF_BYTES - 3 else "windows-1252"
    return "utf-8"


def _without_bom(text: str) -> str:
    return text.removeprefix("\ufeff")


async def read_all(stream: Stream, limit: int) -> bytes:
    """Return a body of at most ``limit`` bytes.

    Raises:
        TransportError: It ended early, stalled, or is larger.
    """
    chunks: list[bytes] = []
    size = 0
    while chunk := await stream.chunk():
        size += len(chunk)
        if size > limit:
            raise ResponseTooLargeError(f"the response is larger than {limit} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


async def parse_in_time(body: bytes, content_type: str | None, seconds: float | None) -> Document:
    """Parse a body within so many seconds; None for no limit.

    Raises:
        RequestTimeoutError: It took longer.
    """
    threshold = XML_OFF_LOOP_BYTES if b"<" in body[:256] else OFF_LOOP_BYTES
    if len(body) <= threshold:
        return parse(body, content_type)
    stop = threading.Event()
    try:
        return await run_in_thread(seconds, parse, body, content_type, stopped=stop.is_set)
    finally:
        stop.set()


async def run_in_thread(seconds: float | None, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call ``function`` in a thread and wait so many seconds for it; the thread itself runs to its end.

    Raises:
        RequestTimeoutError: It took longer.
    """
    try:
        async with asyncio.timeout(seconds):
            return await asyncio.to_thread(function, *args, **kwargs)
    except TimeoutError:
        raise RequestTimeoutError("the response was not parsed within the time allowed") from None
