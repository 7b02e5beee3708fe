"""Pages of a list."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Generic, TypeVar, overload

from attrs import frozen

T = TypeVar("T")


@frozen
class Page(Generic[T]):
    """One page of a list; a sequence of its items.

    The service's metadata of the list is kept as stated: it may be missing or wrong.

    Attributes:
        items: What is on the page.
        page: Number of the page, from one.
        page_size: How many items a full page has.
        total_items: How many items the whole list has.
        from_date: First day that a chart is about.
        to_date: Last day that a chart is about.
        list_id: The service's id of an editorial list.
        list_key: The key of an editorial list: ``featured_albums``.
    """

    items: tuple[T, ...] = ()
    page: int | None = None
    page_size: int | None = None
    total_items: int | None = None
    from_date: date | None = None
    to_date: date | None = None
    list_id: str | None = None
    list_key: str | None = None

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...
    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        return self.items[index]
