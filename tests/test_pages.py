import pytest

from sevendigital_async import InvalidArgumentError
from sevendigital_async.models import Page
from sevendigital_async.resources import Pages


def paged(*pages, first=1):
    """Serve the given (items, page size, total) and remember which pages were asked for."""
    asked = []

    async def fetch(number):
        asked.append(number)
        items, size, total = pages[min(number - 1, len(pages) - 1)]
        return Page(tuple(items), number, size, total)

    return Pages(fetch, first=first), asked


@pytest.mark.parametrize(
    ("pages", "items", "asked"),
    [
        ([("ab", 2, 5), ("cd", 2, 5), ("e", 2, 5)], "abcde", [1, 2, 3]),
        ([("ab", 2, 4), ("cd", 2, 4)], "abcd", [1, 2]),
        ([("", 2, 0)], "", [1]),
        ([("ab", 2, 99), ("cd", 2, 99), ("", 2, 99)], "abcd", [1, 2, 3]),
        ([("ab", 2, 99), ("cd", 2, 99)], "abcd", [1, 2, 3]),
        ([("ab", 2, None), ("c", 2, None)], "abc", [1, 2]),
        ([("ab", None, None), ("", None, None)], "ab", [1, 2]),
    ],
    ids=["plain", "exact", "empty", "total-too-large", "last-page-repeated", "no-total", "nothing-told"],
)
async def test_iteration_ends_where_the_list_ends(pages, items, asked):
    listing, requests = paged(*pages)
    assert "".join([item async for item in listing]) == items
    assert requests == asked


async def test_awaiting_gives_one_page():
    listing, requests = paged(("ab", 2, 5), ("cd", 2, 5))
    page = await listing
    assert (page.items, page.total_items, requests) == (("a", "b"), 5, [1])


async def test_a_listing_may_begin_later():
    listing, requests = paged(("ab", 2, 3), ("c", 2, 3), first=2)
    assert [item async for item in listing] == ["c"]
    assert requests == [2]


def test_pages_count_from_one():
    with pytest.raises(InvalidArgumentError, match="page"):
        paged(first=0)


def test_a_listing_that_is_not_used_costs_nothing():
    _, requests = paged(("ab", 2, 5))
    assert requests == []
