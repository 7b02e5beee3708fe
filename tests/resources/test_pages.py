import asyncio

import pytest

from sevendigital_async import InvalidArgumentError, NotFoundError
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
    ids=["plain", "exact", "empty", "total-too-large", "last-page-repeated", "no-total", "nothing-stated"],
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


def counted(total, size, *, fail_at=None):
    """Serve a list of numbers; remember what was asked for and how many requests were under way at once."""
    state = {"asked": [], "under_way": 0, "most": 0}

    async def fetch(number):
        state["asked"].append(number)
        state["under_way"] += 1
        state["most"] = max(state["most"], state["under_way"])
        try:
            await asyncio.sleep(0.01)
            if number == fail_at:
                raise NotFoundError("gone", status=404)
        finally:
            state["under_way"] -= 1
        return Page(tuple(range((number - 1) * size, min(number * size, total))), number, size, total)

    return Pages(fetch), state


@pytest.mark.parametrize("ahead", [0, 1, 3, 50])
@pytest.mark.parametrize("total", [0, 1, 10, 95, 100])
async def test_prefetching_changes_the_pace_and_nothing_else(ahead, total):
    listing, state = counted(total, 10)
    assert [item async for item in listing.prefetch(ahead)] == list(range(total))
    assert state["asked"] == list(range(1, max(1, -(-total // 10)) + 1))
    assert state["most"] <= max(1, ahead)


async def test_pages_are_fetched_at_the_same_time():
    listing, state = counted(100, 10)
    assert len([item async for item in listing.prefetch(4)]) == 100
    assert state["most"] == 4


async def test_leaving_early_leaves_nothing_running():
    listing, state = counted(1000, 10)
    pages = listing.prefetch(5).pages()
    async for page in pages:
        assert page.items[0] == 0
        break
    await pages.aclose()
    assert state["under_way"] == 0
    assert len(asyncio.all_tasks()) == 1


async def test_an_error_of_a_page_arrives_in_its_place():
    listing, state = counted(100, 10, fail_at=4)
    seen = []
    with pytest.raises(NotFoundError):
        async for item in listing.prefetch(5):
            seen.append(item)  # noqa: PERF401 - what came before the error counts
    assert seen == list(range(30))
    assert state["under_way"] == 0


def test_prefetching_backwards_is_refused():
    with pytest.raises(InvalidArgumentError, match="ahead"):
        paged(("ab", 2, 5))[0].prefetch(-1)
