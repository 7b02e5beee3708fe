"""Compressed files, recognised by their first bytes."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable
from typing import BinaryIO, cast

from ..errors import ConfigurationError

DAMAGE_ERRORS: tuple[type[Exception], ...] = (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError)
"""What a decompressor raises for data that is cut short or damaged; bz2 raises an ``OSError`` without a number."""


class ZstdFile:
    """The content of a zstd file; unlike zstandard's own reader it notices that the last frame is cut short."""

    def __init__(self, file: BinaryIO) -> None:
        try:
            import zstandard  # noqa: PLC0415 - an extra
        except ImportError:
            raise ConfigurationError(
                "zstd-compressed input needs the extra zstd: pip install 'sevendigital-async[zstd]'"
            ) from None
        self._file = file
        self._decompressor = zstandard.ZstdDecompressor()
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._compressed = b""
        self._content = b""

    def read(self, size: int) -> bytes:
        """Return the next bytes, at most ``size``; none at the end.

        Raises:
            EOFError: The file ends within a frame.
            ZstdError: It is damaged.
        """
        while not self._content:
            if not self._compressed:
                self._compressed = self._file.read(ZSTD_CHUNK_BYTES)
            if not self._compressed:
                if self._frame is not None:
                    raise EOFError("the zstd data ends inside a frame")
                return b""
            self._frame = self._frame or self._decompressor.decompressobj()
            self._content = self._frame.decompress(self._compressed)
            self._compressed = b""
            if self._frame.eof:
                self._compressed, self._frame = self._frame.unused_data, None
        data, self._content = self._content[:size], self._content[size:]
        return data


ZSTD_CHUNK_BYTES = 1024
"""Compressed bytes per step; they decompress to at most 32 MiB."""


def _open_gzip(file: BinaryIO) -> BinaryIO:
    return cast("BinaryIO", gzip.GzipFile(fileobj=file))


def _open_bz2(file: BinaryIO) -> BinaryIO:
    return cast("BinaryIO", bz2.BZ2File(file))


COMPRESSION_BY_MAGIC: dict[bytes, tuple[str, Callable[[BinaryIO], BinaryIO]]] = {
    b"\x1f\x8b": ("gzip", _open_gzip),
    b"\x28\xb5\x2f\xfd": ("zstd", lambda file: cast("BinaryIO", ZstdFile(file))),
    b"BZh": ("bz2", _open_bz2),
    b"\xfd7zXZ\x00": ("xz", lambda file: cast("BinaryIO", lzma.LZMAFile(file))),  # noqa: SIM115 - closed with the file below it
}
"""The first bytes of a compressed file, its name, and what opens it."""

MAX_MAGIC_LENGTH = max(map(len, COMPRESSION_BY_MAGIC))


def compression_of(head: bytes) -> str | None:
    """Return the name of a file's compression, given its first bytes; None if it is not compressed."""
    return next((name for magic, (name, _) in COMPRESSION_BY_MAGIC.items() if head.startswith(magic)), None)


def decompressed(file: BinaryIO, name: str | None) -> BinaryIO:
    """Return the content of a file.

    Raises:
        ConfigurationError: The library for this compression is not installed.
    """
    for known, opened in COMPRESSION_BY_MAGIC.values():
        if known == name:
            return opened(file)
    return file


def is_damage_error(error: Exception) -> bool:
    """Return whether an error of reading means that compressed data is cut short or damaged."""
    if isinstance(error, DAMAGE_ERRORS) or type(error).__name__ == "ZstdError":
        return True
    return isinstance(error, OSError) and error.errno is None
