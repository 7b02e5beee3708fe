"""Media to a file: resumed, checked, and renamed to its name only when complete."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from ..errors import (
    APIError,
    AuthenticationError,
    DecodeError,
    DownloadError,
    InvalidArgumentError,
    InvalidRequestError,
    RateLimitError,
    TransportError,
)
from .content_range import Extent, extent_of
from .media import MediaResponse
from .part_file import PartFile

Progress = Callable[[int, int | None], object]
Opener = Callable[[Mapping[str, str]], AbstractAsyncContextManager[MediaResponse]]

WRITE_SIZE = 256 * 1024
"""Bytes that are buffered before a thread writes them."""


async def download(open_media: Opener, to: Path, progress: Progress | None = None) -> Path:
    """Fetch media into the file ``to``.

    Bytes are collected in ``NAME.part``; if that exists from an earlier try, the download continues there, provided
    that the content is still the same. An existing file stays if the download fails.

    Args:
        open_media: Requests the media with the given headers.
        to: The file; replaced if it exists.
        progress: Called with the bytes so far and the total (None if unknown).

    Returns:
        ``to``.

    Raises:
        DownloadError: What arrived is not what was announced, or the file cannot be written.
        InvalidArgumentError: ``to`` can't be the name of a file.
        SevenDigitalError: As the operation raises.
    """
    try:
        part = PartFile(to)
    except ValueError:
        raise InvalidArgumentError("to must name a file", argument="to") from None
    try:
        await _fetch(open_media, part, progress)
    except TransportError:
        raise  # a timeout is an OSError, too
    except OSError as error:
        raise DownloadError(f"{to}: {error.strerror or error}; what has arrived is in {part.path}") from error
    return to


async def _fetch(open_media: Opener, part: PartFile, progress: Progress | None) -> None:
    try:
        await _open(part)
        if part.size == 0 or not await _resume(open_media, part, progress):
            async with open_media({"Accept-Encoding": "identity"}) as response:
                await _receive(response, part, progress)
    finally:
        await asyncio.to_thread(part.close)


async def _open(part: PartFile) -> None:
    try:
        await asyncio.to_thread(part.open)
    except ValueError:
        # A NUL, or a character that the file system's encoding doesn't have.
        raise InvalidArgumentError("to must name a file", argument="to") from None
    except (DownloadError, OSError) as error:
        reason = f"{part.target}: {error.strerror or error}" if isinstance(error, OSError) else str(error)
        failure = DownloadError(reason)
        failure.maybe_sent = False
        raise failure from error


async def _resume(open_media: Opener, part: PartFile, progress: Progress | None) -> bool:
    """Request the rest of a file; return False if the service refuses, and the whole is to be requested."""
    headers = {
        "Accept-Encoding": "identity",
        "Range": f"bytes={part.size}-",
        "If-Range": part.version.validator or "",
    }
    try:
        async with open_media(headers) as response:
            await _receive(response, part, progress)
    except InvalidRequestError as error:
        # The service has no bytes after ours, but the file was incomplete: the content has changed.
        await asyncio.to_thread(part.discard)
        if error.maybe_sent:  # and it may already have been charged
            raise
        return False
    except (APIError, DecodeError) as error:
        if not isinstance(error, RateLimitError | AuthenticationError):
            await asyncio.to_thread(part.count_refusal)
        raise
    return True


async def _receive(response: MediaResponse, part: PartFile, progress: Progress | None) -> None:
    try:
        extent = extent_of(response, part.size, part.version)
        await asyncio.to_thread(part.begin, extent)
        await _collect(response, part, extent, progress)
        if part.version.total in {None, part.size}:
            await asyncio.to_thread(part.complete, extent)
            return
    except DownloadError as error:
        await asyncio.to_thread(part.discard)
        raise DownloadError(f"{part.target}: {error}; call again to start over") from None
    raise DownloadError(
        f"{part.target}: {part.size} of {part.version.total} bytes arrived, kept in {part.path}; call again to resume"
    )


async def _collect(response: MediaResponse, part: PartFile, extent: Extent, progress: Progress | None) -> None:
    """Write the body of a response.

    Raises:
        DownloadError: It is longer than announced.
    """
    pending: list[bytes] = []
    waiting = 0
    try:
        async for chunk in response:
            pending.append(chunk)
            waiting += len(chunk)
            if extent.end is not None and part.size + waiting > extent.end:
                raise DownloadError("the service sent more bytes than it announced")
            if waiting >= WRITE_SIZE:
                await _write(part, pending)
                waiting = 0
                if progress:
                    progress(part.size, part.version.total)
        await _write(part, pending)
    except TransportError:
        await _write(part, pending)  # keep every byte, so that it is not requested again
        raise
    if progress:
        progress(part.size, part.version.total)


async def _write(part: PartFile, pending: list[bytes]) -> None:
    data = b"".join(pending)
    pending.clear()
    await asyncio.to_thread(part.write, data)
