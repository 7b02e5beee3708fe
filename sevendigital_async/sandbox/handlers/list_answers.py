"""Lists that are plain in JSON, with an XML element around each entry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from ...models.wire import camel_case
from ..answers import Answer, JsonAndXml, Page, Tree, invalid_value
from ..calls import Call
from ..charts import PERIODS, ChartEntry, chart, first_day
from .lookup import SEARCH_MAX_AGE


def paging_fields(page: Page) -> dict[str, Any]:
    return {"page": page.number, "pageSize": page.size, "totalItems": page.total}


def wrapped_page(page: Page, collection: str, entry: str, *, typed: bool = False) -> Answer:
    """Return a page whose items XML wraps one by one.

    Args:
        page: The page.
        collection: The element around the list.
        entry: The element around each item.
        typed: The list has its item type as a member.
    """
    about = {"type": page.noun} if typed else {}
    xml = {collection: {**paging_fields(page), **about, entry: [{page.noun: item} for item in page.items]}}
    return Answer(content=JsonAndXml(json=page, xml=xml), max_age=SEARCH_MAX_AGE)


def optional_date(call: Call, name: str, default: date) -> date:
    """Return an argument that is a day, as the classic API writes it."""
    text = call.arguments.get(name)
    if text is None:
        return default
    try:
        return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        raise invalid_value(camel_case(name), "a day such as 20260528") from None


def chart_page(
    call: Call, noun: str, candidates: Sequence[Any], tree: Callable[[Any], Tree], *, kind: str = ""
) -> Answer:
    """Return a page of a chart.

    Args:
        call: The call, with a period and a last day.
        noun: What the chart is of.
        candidates: What to rank.
        tree: Describes one of them.
        kind: What the chart calls them, if not by the noun.
    """
    period = call.choice("period", PERIODS) or "week"
    to_date = optional_date(call, "to_date", call.utc_now.date() - timedelta(days=1))

    def ranked(entry: ChartEntry[Any]) -> Tree:
        return {**tree(entry.item), "position": entry.position, "change": entry.change.lower()}

    entries = chart(candidates, to_date, period)
    page = call.page_of(noun, entries, ranked)
    chart_items = [
        {"position": entry.position, "change": entry.change, noun: tree(entry.item)}
        for entry in entries[(page.number - 1) * page.size : page.number * page.size]
    ]
    about = {"type": kind or noun, "fromDate": _midnight(first_day(to_date, period)), "toDate": _midnight(to_date)}
    xml = {"chart": {**paging_fields(page), **about, "chartItem": chart_items}}
    return Answer(content=JsonAndXml(json=page, xml=xml), max_age=SEARCH_MAX_AGE)


def _midnight(day: date) -> str:
    return f"{day.isoformat()}T00:00:00Z"
