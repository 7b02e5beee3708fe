"""Editorial texts and lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from attrs import frozen

from ..answers import Answer, JsonAndXml, Tree, not_found
from ..calls import Call
from ..catalogue import CATALOGUE, Release
from ..charts import most_popular
from ..trees import SHOP_URL, release_tree
from .list_answers import paging_fields
from .lookup import SEARCH_MAX_AGE, requested_currency


@frozen
class _EditorialList:
    """A list of the editors': what its items are, and which releases belong there."""

    number: int
    key: str
    kind: str
    size: int
    includes: Callable[[Release], bool]


_LISTS = (
    _EditorialList(833, "featured_albums", "feature", 4, lambda release: release.type == "album"),
    _EditorialList(834, "new_releases", "slot", 12, lambda release: 2020 < release.release_date.year < 2099),  # noqa: PLR2004
    _EditorialList(835, "promo_selection", "banner", 6, lambda release: release.pence < release.rrp_pence),
    _EditorialList(836, "preorders", "banner", 3, lambda release: release.release_date.year == 2099),  # noqa: PLR2004
    _EditorialList(837, "staff_recommendations", "feature", 6, lambda release: release.label.name == "Saltworks"),
)
_ALL_KEYS = "all"


def editorial_item(release: Release, kind: str = "feature") -> Tree:
    return {
        "id": f"editorial-{release.id}",
        "title": f"{release.title} by {release.artist.name}",
        "description": f"Why {release.artist.name} ({release.label.name}) deserve to be heard.",
        "type": kind,
        "url": f"{SHOP_URL}/editorial/{release.id}",
        "image": f"{SHOP_URL}/release/{release.id}_350.jpg",
    }


def editorial_list(call: Call) -> Answer:
    """List the editorial items of a key, or of all keys."""
    currency = requested_currency(call)
    key = call.arguments.get("key", _ALL_KEYS)
    lists = [column for column in _LISTS if key in {column.key, _ALL_KEYS}]
    if not lists:
        raise not_found("list")
    chosen = [(column, release) for column in lists for release in _releases_of(column)]
    page = call.page_of("editorial", chosen, lambda pair: editorial_item(pair[1], pair[0].kind))
    shown = chosen[(page.number - 1) * page.size : page.number * page.size]
    items = [
        {"id": f"{column.number}{release.id}", "type": "release", "release": release_tree(release, currency)}
        for column, release in shown
    ]
    number = lists[0].number if len(lists) == 1 else 0
    about = {"id": number, "key": key, **paging_fields(page)}
    json = {**paging_fields(page), "editorial": list(page.items)}
    return Answer(
        content=JsonAndXml(json=json, xml={"list": {**about, "listItems": {"listItem": items}}}), max_age=SEARCH_MAX_AGE
    )


HANDLERS: Mapping[str, Callable[[Call], Answer]] = {"classic.editorial.list": editorial_list}


def _releases_of(list_: _EditorialList) -> Sequence[Release]:
    return most_popular(release for release in CATALOGUE.releases.values() if list_.includes(release))[: list_.size]
