"""A list that can be awaited for its first page or iterated to its end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Any, Generic, TypeVar

from ..errors import InvalidArgumentError
from ..models import Page

T = TypeVar("T")


class Pages(Generic[T]):
    """``await`` gives one :class:`Page`, ``async for`` gives every item from that page on.

    Nothing is requested before one of the two happens.
    """

    def __init__(self, fetch: Callable[[int], Awaitable[Page[T]]], *, first: int = 1) -> None:
        if first < 1:
            raise InvalidArgumentError("page counts from 1", argument="page")
        self._fetch = fetch
        self._first = first

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
        while True:
            page = await self._fetch(number)
            if not page.items or (previous is not None and page.items == previous.items):
                return  # past the end; some endpoints repeat their last page there
            yield page
            if is_last(page, number):
                return
            previous = page
            number += 1


def is_last(page: Page[T], number: int) -> bool:
    """Say whether page ``number`` is known to be the last one.

    The size that counts is the one the service used, which may be smaller than the one asked for.
    """
    size = page.page_size or len(page.items)
    if page.total_items is None:
        return len(page.items) < size
    return number * size >= page.total_items
