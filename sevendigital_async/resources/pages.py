"""A list that can be awaited for its first page or iterated to its end."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Any, Generic, TypeVar

from ..errors import InvalidArgumentError
from ..models import Page

T = TypeVar("T")


class Pages(Generic[T]):
    """``await`` gives one :class:`Page`, ``async for`` gives every item from that page on.

    Nothing is requested before one of the two happens.
    """

    def __init__(self, fetch: Callable[[int], Awaitable[Page[T]]], *, first: int = 1, ahead: int = 0) -> None:
        if type(first) is not int or first < 1:
            raise InvalidArgumentError("page counts from 1", argument="page")
        if type(ahead) is not int or ahead < 0:
            raise InvalidArgumentError("ahead is the number of pages to fetch in advance", argument="ahead")
        self._fetch = fetch
        self._first = first
        self._ahead = ahead

    def prefetch(self, ahead: int) -> Pages[T]:
        """Return the same list, of which up to ``ahead`` pages are fetched at the same time while it is iterated.

        Only pages that the list is known to have are asked for, so that no request is wasted.
        """
        return Pages(self._fetch, first=self._first, ahead=ahead)

    def __await__(self) -> Generator[Any, None, Page[T]]:
        return self._fetch(self._first).__await__()

    async def __aiter__(self) -> AsyncIterator[T]:
        async for page in self.pages():
            for item in page.items:
                yield item

    async def pages(self) -> AsyncIterator[Page[T]]:
        """Iterate page by page."""
        number = self._first
        previous: Page[T] | None = None
        coming: deque[asyncio.Task[Page[T]]] = deque()
        try:
            while True:
                page = await (coming.popleft() if coming else self._fetch(number))
                if not page.items or (previous is not None and page.items == previous.items):
                    return  # past the end; some endpoints repeat their last page there
                if self._ahead:
                    known = min(self._ahead, last_page(page, number) - number)
                    coming.extend(
                        asyncio.create_task(self._page(number + 1 + offset)) for offset in range(len(coming), known)
                    )
                yield page
                if is_last(page, number):
                    return
                previous = page
                number += 1
        finally:
            for task in coming:
                task.cancel()
            await asyncio.gather(*coming, return_exceptions=True)

    async def _page(self, number: int) -> Page[T]:
        return await self._fetch(number)


def last_page(page: Page[T], number: int) -> int:
    """Return the number of the last page that the list is known to have, as page ``number`` tells it."""
    size = page.page_size or len(page.items)
    return number if page.total_items is None or not size else -(-page.total_items // size)


def is_last(page: Page[T], number: int) -> bool:
    """Say whether page ``number`` is known to be the last one.

    The size that counts is the one the service used, which may be smaller than the one asked for.
    """
    size = page.page_size or len(page.items)
    if page.total_items is None:
        return len(page.items) < size
    return number * size >= page.total_items
