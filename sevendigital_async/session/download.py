"""Media to a file: resumed where it broke off, checked, and there only when it is whole."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import BinaryIO

import orjson
from attrs import frozen

from ..errors import DownloadError, InvalidRequestError, TransportError
from .body import MediaResponse

Progress = Callable[[int, int | None], object]
Opener = Callable[[Mapping[str, str]], AbstractAsyncContextManager[MediaResponse]]

WRITE_SIZE = 256 * 1024
"""Bytes that are collected before they are handed to the thread that writes."""

_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)").fullmatch


@frozen
class Partial:
    """A download that is under way: ``NAME.part``, and ``NAME.part.json`` with what it is a part of."""

    target: Path

    @property
    def path(self) -> Path:
        """Where the bytes are collected."""
        return self.target.with_name(f"{self.target.name}.part")

    @property
    def note(self) -> Path:
        """Where the validator is kept."""
        return self.target.with_name(f"{self.target.name}.part.json")

    def resumable(self) -> tuple[int, str | None]:
        """Return how many bytes there are and the validator they belong to; (0, None) to start anew."""
        try:
            validator = orjson.loads(self.note.read_bytes()).get("validator")
            size = self.path.stat().st_size
        except (OSError, ValueError, AttributeError):
            return 0, None
        return (size, validator) if size and isinstance(validator, str) else (0, None)

    def begin(self, offset: int, validator: str | None) -> BinaryIO:
        """Open the file for writing from ``offset`` and note what it is a part of."""
        self.note.write_bytes(orjson.dumps({"validator": validator}))
        file = self.path.open("r+b" if offset else "wb")
        file.seek(offset)
        file.truncate()
        return file

    def complete(self, file: BinaryIO) -> None:
        """Put the file in its place, whole, in one step."""
        file.flush()
        os.fsync(file.fileno())
        file.close()
        self.path.replace(self.target)
        self.note.unlink(missing_ok=True)


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
        DownloadError: The length is not what was announced, or the file cannot be written.
        SevenDigitalError: As the operation raises.
    """
    partial = Partial(to)
    size, validator = await asyncio.to_thread(partial.resumable)
    headers = {"Accept-Encoding": "identity"}
    if size and validator:
        headers |= {"Range": f"bytes={size}-", "If-Range": validator}
    try:
        async with open_media(headers) as response:
            await _receive(response, partial, size, validator, progress)
    except InvalidRequestError as error:
        if error.status != 416 or not size:  # noqa: PLR2004
            raise
        # Nothing lies beyond what we have, and yet it was not completed: it is something else by now.
        await asyncio.to_thread(partial.note.unlink, missing_ok=True)
        return await download(open_media, to, progress)
    except TransportError:
        raise  # a timeout is an OSError, too
    except OSError as error:
        raise DownloadError(f"{to}: {error.strerror or error}; what has arrived is in {partial.path}") from error
    return to


async def _receive(
    response: MediaResponse, partial: Partial, size: int, wanted: str | None, progress: Progress | None
) -> None:
    offset, total = _extent(response, size)
    if offset and _validator(response) not in {wanted, None}:
        await asyncio.to_thread(partial.note.unlink, missing_ok=True)
        raise DownloadError(f"{partial.target}: the service resumed something else; try again to start anew")
    if offset not in {0, size}:
        raise DownloadError(f"{partial.target}: the service resumed at byte {offset}, not {size}")
    file = await asyncio.to_thread(partial.begin, offset, _validator(response))
    done = offset
    pending: list[bytes] = []
    try:
        waiting = 0
        async for chunk in response:
            pending.append(chunk)
            waiting += len(chunk)
            if waiting >= WRITE_SIZE:
                done += await _write(file, pending)
                waiting = 0
                if progress:
                    progress(done, total)
        done += await _write(file, pending)
        if progress:
            progress(done, total)
        if total is not None and done != total:
            raise DownloadError(f"{partial.target}: {done} bytes arrived of {total}; they are in {partial.path}")
        await asyncio.to_thread(partial.complete, file)
    except TransportError:
        await _write(file, pending)  # every byte is one less to ask for again
        raise
    finally:
        await asyncio.to_thread(file.close)


async def _write(file: BinaryIO, pending: list[bytes]) -> int:
    data = b"".join(pending)
    pending.clear()
    return await asyncio.to_thread(file.write, data)


def _extent(response: MediaResponse, size: int) -> tuple[int, int | None]:
    """Return where the body begins and how large the whole is."""
    if response.status == 206:  # noqa: PLR2004
        found = _CONTENT_RANGE(response.headers.get("content-range", ""))
        if not found:
            return size, None if response.content_length is None else size + response.content_length
        return int(found[1]), None if found[2] == "*" else int(found[2])
    return 0, response.content_length


def _validator(response: MediaResponse) -> str | None:
    """Return what tells this content from another; weak tags don't."""
    tag = response.headers.get("etag", "")
    return tag if tag and not tag.startswith("W/") else response.headers.get("last-modified")
