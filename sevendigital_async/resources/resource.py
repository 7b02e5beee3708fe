"""What all resources stand on: a caller, and the shapes of an answer."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from ..models import Page
from ..operations import Operation
from .media_handle import Media
from .pages import Pages

T = TypeVar("T")


class Caller(Protocol):
    """The one method that a resource needs of a client."""

    @property
    def consumer_key(self) -> str:
        """The partner's key, which is part of some addresses."""
        ...

    async def call(self, operation: Operation, /, **arguments: object) -> Any:
        """Make one call; the answer's type follows from the operation."""
        ...

    def media_of(self, operation: Operation, /, **arguments: object) -> Media:
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

    def _media(self, operation: Operation, /, **arguments: object) -> Media:
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
        assert all(isinstance(item, model) for item in answer.items)
        return answer.items

    def _pages(
        self, model: type[T], operation: Operation, /, *, page: int, page_size: int | None, **arguments: object
    ) -> Pages[T]:
        async def fetch(number: int) -> Page[T]:
            asked_for = number if number > 1 or self._numbers_first_page else None
            answer: Page[T] = await self._caller.call(operation, page=asked_for, page_size=page_size, **arguments)
            assert all(isinstance(item, model) for item in answer.items)
            return answer

        return Pages(fetch, first=page)
