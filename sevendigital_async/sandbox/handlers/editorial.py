"""Editorial texts and lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from attrs import frozen

from ..answers import Answer, Forms, Tree, unknown
from ..calls import Call
from ..catalogue import CATALOGUE, Release
from ..charts import most_popular
from ..trees import SITE, release_tree
from .listings import paging
from .lookup import SEARCH_AGE, currency


@frozen
class _Column:
    """A list of the editors': what its items are, and which releases belong there."""

    number: int
    key: str
    kind: str
    size: int
    fits: Callable[[Release], bool]


_COLUMNS = (
    _Column(833, "featured_albums", "feature", 4, lambda release: release.type == "album"),
    _Column(834, "new_releases", "slot", 12, lambda release: 2020 < release.released.year < 2099),  # noqa: PLR2004
    _Column(835, "promo_selection", "banner", 6, lambda release: release.pence < release.rrp_pence),
    _Column(836, "preorders", "banner", 3, lambda release: release.released.year == 2099),  # noqa: PLR2004
    _Column(837, "staff_recommendations", "feature", 6, lambda release: release.label.name == "Saltworks"),
)
_EVERYTHING = "all"


def review(release: Release, kind: str = "feature") -> Tree:
    return {
        "id": f"editorial-{release.id}",
        "title": f"{release.title} by {release.artist.name}",
        "description": f"Why {release.artist.name} ({release.label.name}) deserve to be heard.",
        "type": kind,
        "url": f"{SITE}/editorial/{release.id}",
        "image": f"{SITE}/release/{release.id}_350.jpg",
    }


def editorial_list(call: Call) -> Answer:
    """List the editorial items of a key, or of all keys."""
    money = currency(call)
    key = call.arguments.get("key", _EVERYTHING)
    columns = [column for column in _COLUMNS if key in {column.key, _EVERYTHING}]
    if not columns:
        raise unknown("list")
    chosen = [(column, release) for column in columns for release in _chosen(column)]
    page = call.page_of("editorial", chosen, lambda pair: review(pair[1], pair[0].kind))
    shown = chosen[(page.number - 1) * page.size : page.number * page.size]
    items = [
        {"id": f"{column.number}{release.id}", "type": "release", "release": release_tree(release, money)}
        for column, release in shown
    ]
    number = columns[0].number if len(columns) == 1 else 0
    about = {"id": number, "key": key, **paging(page)}
    json = {**paging(page), "editorial": list(page.items)}
    return Answer(
        content=Forms(json=json, xml={"list": {**about, "listItems": {"listItem": items}}}), max_age=SEARCH_AGE
    )


HANDLERS: Mapping[str, Callable[[Call], Answer]] = {"classic.editorial.list": editorial_list}


def _chosen(column: _Column) -> Sequence[Release]:
    return most_popular(release for release in CATALOGUE.releases.values() if column.fits(release))[: column.size]
