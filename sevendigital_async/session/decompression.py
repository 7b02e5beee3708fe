"""Compressed bodies: gzip and deflate, decompressed in pieces and checked to their end."""

from __future__ import annotations

import zlib

ACCEPT_ENCODING = "gzip, deflate"
"""The accepted codings; others need libraries that may not be installed."""

MAX_STEP_BYTES = 256 * 1024
"""Largest number of bytes that one step returns, whatever the compression ratio."""

_GZIP = {"gzip", "x-gzip"}
_SUPPORTED = _GZIP | {"deflate"}
_KNOWN_ENCODINGS = _SUPPORTED | {"br", "zstd", "compress", "x-compress"}
_GZIP_MAGIC = b"\x1f\x8b"
_ZLIB_METHOD = 8


class DecompressionError(Exception):
    """A body that is truncated or not in its declared coding; the message says which."""


class Decompressor:
    """Decompresses one body of the given ``encoding``."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._inflater: zlib._Decompress | None = None
        self._unread_input = b""
        self._is_full = False

    @property
    def pending(self) -> bool:
        """Whether more output may follow without further input."""
        return bool(self._unread_input) or self._is_full

    def feed(self, packed: bytes) -> None:
        self._unread_input += packed

    def unpacked(self) -> bytes:
        """Return a piece of the output; it may be empty.

        Raises:
            DecompressionError: The bytes are not valid in this coding.
        """
        if self._encoding not in _SUPPORTED:
            raise DecompressionError(f"the body has the content coding {self._encoding}, which was not requested")
        if self._inflater is None:
            self._inflater = zlib.decompressobj(self._window())
        try:
            piece = self._inflater.decompress(self._unread_input, MAX_STEP_BYTES)
        except zlib.error:
            raise DecompressionError(f"the body is not valid {self._encoding} data") from None
        self._unread_input = self._inflater.unconsumed_tail
        self._is_full = len(piece) == MAX_STEP_BYTES
        if self._inflater.eof:
            self._begin_next(self._inflater.unused_data)
        return piece

    def finish(self) -> None:
        """Check that the body is complete.

        Raises:
            DecompressionError: It is truncated.
        """
        if self._inflater is not None and not self._inflater.eof:
            raise DecompressionError(f"the {self._encoding} body is cut short")

    def _window(self) -> int:
        if self._encoding in _GZIP:
            return zlib.MAX_WBITS | 16
        # Deflate should have a zlib frame, and often lacks it.
        return zlib.MAX_WBITS if self._unread_input[0] & 0x0F == _ZLIB_METHOD else -zlib.MAX_WBITS

    def _begin_next(self, rest: bytes) -> None:
        rest = rest.lstrip(b"\0")
        if rest and not (self._encoding in _GZIP and _GZIP_MAGIC.startswith(rest[:2])):
            raise DecompressionError(f"data follows the end of the {self._encoding} body")
        if rest:
            self._inflater, self._unread_input = None, rest


def unpacker(encoding: str) -> Decompressor | None:
    """Return the unpacker for a ``Content-Encoding``; None if the body is not compressed."""
    if not encoding:
        return None
    codings = [coding for part in encoding.split(",") if (coding := part.strip().lower()) in _KNOWN_ENCODINGS]
    return Decompressor(", ".join(codings)) if codings else None
