"""Media that can be streamed, downloaded, or handed to a player."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import TracebackType

from ..errors import ConfigurationError
from ..session.download import Opener, Progress, download
from ..session.media import MediaResponse


class MediaHandle:
    """One piece of media; nothing is requested until it is used.

    ``async with media as response`` streams it, ``await media.download(to=...)`` saves it, ``media.url()`` is a signed
    address for a player.
    """

    def __init__(self, open_media: Opener, sign_url: Callable[[], str]) -> None:
        self._open_media = open_media
        self._sign_url = sign_url
        self._opened: AbstractAsyncContextManager[MediaResponse] | None = None

    async def __aenter__(self) -> MediaResponse:
        """Request it from its beginning."""
        return await self._enter({})

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        """Close the response, read to its end or not."""
        opened, self._opened = self._opened, None
        return await opened.__aexit__(kind, error, traceback) if opened else None

    async def _enter(self, headers: Mapping[str, str]) -> MediaResponse:
        if self._opened is not None:
            raise ConfigurationError("this media is already being streamed; call the method again for another stream")
        self._opened = self._open_media(headers)
        try:
            return await self._opened.__aenter__()
        except BaseException:
            self._opened = None
            raise

    async def download(self, *, to: str | os.PathLike[str], progress: Progress | None = None) -> Path:
        """Save it in a file, which appears only when it is whole.

        An interrupted download is resumed when this is called again: its bytes are kept in
        ``NAME.part``. Bytes are never combined unless the service confirms that they belong to the same version of the
        file; length and digest are checked where the service announces them. What fails a check is discarded, and
        the next call starts over.

        Args:
            to: The file; replaced if it exists.
            progress: Called with the bytes so far, and the total if known.

        Returns:
            The file's path.

        Raises:
            DownloadError: The bytes are not those that were announced, or the file can't be written.
            InvalidArgumentError: ``to`` can't be the name of a file.
            SevenDigitalError: As the operation raises.
        """
        return await download(self._open_media, Path(to), progress)

    def url(self) -> str:
        """Return a signed URL that a player can fetch; it holds a signature, so treat it as a secret."""
        return self._sign_url()
