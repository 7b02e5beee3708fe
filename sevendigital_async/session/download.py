"""Media to a file: resumed where it broke off, checked, and there only when it is whole."""

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
from .body import MediaResponse
from .content_range import Extent, extent_of
from .part_file import Part

Progress = Callable[[int, int | None], object]
Opener = Callable[[Mapping[str, str]], AbstractAsyncContextManager[MediaResponse]]

WRITE_SIZE = 256 * 1024
"""Bytes that are collected before they are handed to the thread that writes."""


async def download(open_media: Opener, to: Path, progress: Progress | None = None) -> Path:
    """Fetch media into the file ``to``.

    Bytes are collected in ``NAME.part``; if that is there from an earlier try, the download goes on where it broke off,
    provided that the content is still the same. What is there already stays if this fails.

    Args:
        open_media: Asks for the media with the headers given.
        to: The file; replaced if it exists.
        progress: Called with bytes so far and bytes in all (None if unknown).

    Returns:
        ``to``.

    Raises:
        DownloadError: What arrived is not what was announced, or the file cannot be written.
        InvalidArgumentError: ``to`` can't be the name of a file.
        SevenDigitalError: As the operation raises.
    """
    try:
        part = Part(to)
    except ValueError:
        raise InvalidArgumentError("to must name a file", argument="to") from None
    try:
        await _fetch(open_media, part, progress)
    except TransportError:
        raise  # a timeout is an OSError, too
    except OSError as error:
        raise DownloadError(f"{to}: {error.strerror or error}; what has arrived is in {part.path}") from error
    return to


async def _fetch(open_media: Opener, part: Part, progress: Progress | None) -> None:
    try:
        await _opened(part)
        if part.size == 0 or not await _resume(open_media, part, progress):
            async with open_media({"Accept-Encoding": "identity"}) as response:
                await _receive(response, part, progress)
    finally:
        await asyncio.to_thread(part.close)


async def _opened(part: Part) -> None:
    try:
        await asyncio.to_thread(part.open)
    except ValueError:
        # A NUL, or a character that the file system's encoding doesn't have.
        raise InvalidArgumentError("to must name a file", argument="to") from None
    except (DownloadError, OSError) as error:
        words = f"{part.target}: {error.strerror or error}" if isinstance(error, OSError) else str(error)
        failure = DownloadError(words)
        failure.maybe_sent = False
        raise failure from error


async def _resume(open_media: Opener, part: Part, progress: Progress | None) -> bool:
    """Ask for the rest of a file; False if the service refuses, and the whole is to be asked for."""
    headers = {
        "Accept-Encoding": "identity",
        "Range": f"bytes={part.size}-",
        "If-Range": part.version.validator or "",
    }
    try:
        async with open_media(headers) as response:
            await _receive(response, part, progress)
    except InvalidRequestError as error:
        # Nothing lies beyond what we have, and yet it was not completed: it is something else by now.
        await asyncio.to_thread(part.discard)
        if error.maybe_sent:  # and may have cost something already
            raise
        return False
    except (APIError, DecodeError) as error:
        if not isinstance(error, RateLimitError | AuthenticationError):
            await asyncio.to_thread(part.refused)
        raise
    return True


async def _receive(response: MediaResponse, part: Part, progress: Progress | None) -> None:
    try:
        extent = extent_of(response, part.size, part.version)
        await asyncio.to_thread(part.begin, extent)
        await _collect(response, part, extent, progress)
        if part.version.total in {None, part.size}:
            await asyncio.to_thread(part.complete, extent)
            return
    except DownloadError as error:
        await asyncio.to_thread(part.discard)
        raise DownloadError(f"{part.target}: {error}; try again to start anew") from None
    raise DownloadError(
        f"{part.target}: {part.size} bytes arrived of {part.version.total}; they are in {part.path}, try again"
    )


async def _collect(response: MediaResponse, part: Part, extent: Extent, progress: Progress | None) -> None:
    """Write the body of an answer.

    Raises:
        DownloadError: It is longer than it was announced to be.
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
        await _write(part, pending)  # every byte is one less to ask for again
        raise
    if progress:
        progress(part.size, part.version.total)


async def _write(part: Part, pending: list[bytes]) -> None:
    data = b"".join(pending)
    pending.clear()
    await asyncio.to_thread(part.write, data)
