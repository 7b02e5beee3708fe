"""The base of all resources: lists in pages, and the kinds of responses."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from itertools import repeat
from typing import Any, Generic, Protocol, TypeVar

from ..errors import InvalidArgumentError
from ..models import Page
from ..operations import Operation
from .media_handle import MediaHandle

T = TypeVar("T")


class Pages(Generic[T]):
    """``await`` gives one :class:`Page`, ``async for`` gives every item from that page on.

    Nothing is requested before one of the two happens.
    """

    def __init__(self, fetch: Callable[[int], Awaitable[Page[T]]], *, first: int = 1, ahead: int = 0) -> None:
        if type(first) is not int or first < 1:
            raise InvalidArgumentError("page must be a whole number, 1 or more", argument="page")
        if type(ahead) is not int or ahead < 0:
            raise InvalidArgumentError("ahead must be a number of pages, 0 or more", argument="ahead")
        self._fetch = fetch
        self._first = first
        self._ahead = ahead

    def prefetch(self, ahead: int) -> Pages[T]:
        """Return the same list, of which up to ``ahead`` pages are fetched at the same time while it is iterated.

        Only pages that the list is known to have are requested.
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
                    return  # past the end, where some endpoints repeat their last page
                if self._ahead:
                    known = min(self._ahead, known_last_page(page, number) - number)
                    coming.extend(
                        asyncio.create_task(self._page(number + 1 + offset)) for offset in range(len(coming), known)
                    )
                yield page
                if is_last_page(page, number):
                    return
                previous = page
                number += 1
        finally:
            for task in coming:
                task.cancel()
            await asyncio.gather(*coming, return_exceptions=True)

    async def _page(self, number: int) -> Page[T]:
        return await self._fetch(number)


def known_last_page(page: Page[T], number: int) -> int:
    """Return the number of the last page that the list is known to have, by what page ``number`` says."""
    size = page.page_size or len(page.items)
    return number if page.total_items is None or not size else -(-page.total_items // size)


def is_last_page(page: Page[T], number: int) -> bool:
    """Return whether page ``number`` is known to be the last one.

    The size that counts is the one the service used, which may be smaller than the one asked for.
    """
    size = page.page_size or len(page.items)
    if page.total_items is None:
        return len(page.items) < size
    return number * size >= page.total_items


class Caller(Protocol):
    """The one method that a resource needs of a client."""

    @property
    def consumer_key(self) -> str:
        """The partner's key, which is part of some addresses."""
        ...

    async def call(self, operation: Operation, /, **arguments: object) -> Any:
        """Make one call; the response's type follows from the operation."""
        ...

    def media_of(self, operation: Operation, /, **arguments: object) -> MediaHandle:
        """Return a handle on an operation's media."""
        ...


class Resource:
    """A group of methods that share a caller."""

    _numbers_first_page = True
    """Whether the first page of a list is asked for by its number."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def _one(self, model: type[T], operation: Operation, /, **arguments: object) -> T:
        answer = await self._caller.call(operation, **arguments)
        assert isinstance(answer, model)
        return answer

    def _media(self, operation: Operation, /, **arguments: object) -> MediaHandle:
        return self._caller.media_of(operation, **arguments)

    async def _text(self, operation: Operation, /, **arguments: object) -> str:
        answer = await self._caller.call(operation, **arguments)
        assert isinstance(answer, str)
        return answer

    async def _none(self, operation: Operation, /, **arguments: object) -> None:
        await self._caller.call(operation, **arguments)

    async def _all(self, model: type[T], operation: Operation, /, **arguments: object) -> tuple[T, ...]:
        """Fetch a list that comes in one piece."""
        answer: Page[T] = await self._caller.call(operation, **arguments)
        assert all(map(isinstance, answer.items, repeat(model)))
        return answer.items

    def _pages(
        self, model: type[T], operation: Operation, /, *, page: int, page_size: int | None, **arguments: object
    ) -> Pages[T]:
        async def fetch(number: int) -> Page[T]:
            asked_for = number if number > 1 or self._numbers_first_page else None
            answer: Page[T] = await self._caller.call(operation, page=asked_for, page_size=page_size, **arguments)
            assert all(map(isinstance, answer.items, repeat(model)))
            return answer

        return Pages(fetch, first=page)


class ClassicResource(Resource):
    """A group of methods of the classic API."""

    # The OpenAPI file knows no pages of some lists that the guide pages.
    _numbers_first_page = False
