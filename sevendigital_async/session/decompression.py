"""Compressed bodies: gzip and deflate, decompressed in pieces and checked to their end."""

from __future__ import annotations

import zlib

ACCEPT_ENCODING = "gzip, deflate"
"""What requests accept; other codings need libraries that may not be installed."""

PIECE = 256 * 1024
"""Most bytes that one step returns, whatever the ratio of compression."""

_GZIP = {"gzip", "x-gzip"}
_SUPPORTED = _GZIP | {"deflate"}
_PACKINGS = _SUPPORTED | {"br", "zstd", "compress", "x-compress"}
_GZIP_MAGIC = b"\x1f\x8b"
_ZLIB_METHOD = 8


class UnpackingError(Exception):
    """A body that is not in the coding it declares, or is cut short; the message says which."""


class Unpacker:
    """Decompresses one body of the given ``encoding``."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._inflater: zlib._Decompress | None = None
        self._packed = b""
        self._is_full = False

    @property
    def pending(self) -> bool:
        """Whether there may be more without feeding more."""
        return bool(self._packed) or self._is_full

    def feed(self, packed: bytes) -> None:
        """Add the next bytes of the body."""
        self._packed += packed

    def unpacked(self) -> bytes:
        """Return a piece of what was fed; nothing may come of a small part.

        Raises:
            UnpackingError: The bytes are not packed as they should be.
        """
        if self._encoding not in _SUPPORTED:
            raise UnpackingError(f"the body has the content coding {self._encoding}, which was not requested")
        if self._inflater is None:
            self._inflater = zlib.decompressobj(self._window())
        try:
            piece = self._inflater.decompress(self._packed, PIECE)
        except zlib.error:
            raise UnpackingError(f"the body is not valid {self._encoding} data") from None
        self._packed = self._inflater.unconsumed_tail
        self._is_full = len(piece) == PIECE
        if self._inflater.eof:
            self._begin_next(self._inflater.unused_data)
        return piece

    def finish(self) -> None:
        """Check that the body has come to its end.

        Raises:
            UnpackingError: It is cut short.
        """
        if self._inflater is not None and not self._inflater.eof:
            raise UnpackingError(f"the {self._encoding} body is cut short")

    def _window(self) -> int:
        if self._encoding in _GZIP:
            return zlib.MAX_WBITS | 16
        # Deflate should come in a zlib frame, and often doesn't.
        return zlib.MAX_WBITS if self._packed[0] & 0x0F == _ZLIB_METHOD else -zlib.MAX_WBITS

    def _begin_next(self, rest: bytes) -> None:
        rest = rest.lstrip(b"\0")
        if rest and not (self._encoding in _GZIP and _GZIP_MAGIC.startswith(rest[:2])):
            raise UnpackingError(f"data follows the end of the {self._encoding} body")
        if rest:
            self._inflater, self._packed = None, rest


def unpacker(encoding: str) -> Unpacker | None:
    """Return what unpacks a body with this ``Content-Encoding``; None if it isn't packed."""
    if not encoding:
        return None
    codings = [coding for part in encoding.split(",") if (coding := part.strip().lower()) in _PACKINGS]
    return Unpacker(", ".join(codings)) if codings else None
