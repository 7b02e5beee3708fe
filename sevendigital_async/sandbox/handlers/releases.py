"""Releases and their tracks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from functools import partial

from ..answers import Answer, Tree, invalid_choice, invalid_value, missing_parameter, not_found
from ..calls import Call
from ..catalogue import CATALOGUE, Artist, Release
from ..charts import most_popular
from ..tags import has_all_tags, tags_of_release
from ..trees import release_tree, track_tree
from .editorial import editorial_item
from .list_answers import chart_page, optional_date, wrapped_page
from .lookup import DETAILS_MAX_AGE, SEARCH_MAX_AGE, contains_words, find_by_id, requested_currency
from .similarity import similar_artists
from .tags import requested_tags, tag_list

RELEASE_TYPES = ("album", "single", "ep", "compilation", "video")

_RECOMMENDED_PER_ARTIST = 2


def by_date(call: Call) -> Answer:
    """List what came out between two days, the newest first; by default from the first release on."""
    today = call.utc_now.date()
    days = sorted((optional_date(call, "from_date", date.min), optional_date(call, "to_date", today)))
    releases = [
        release for release in _newest(CATALOGUE.releases.values()) if days[0] <= release.release_date <= days[1]
    ]
    return Answer(content=call.page_of("release", releases, _tree(call)), max_age=SEARCH_MAX_AGE)


def search(call: Call) -> Answer:
    """Find releases whose title and artist together hold every word of the query."""
    words, kinds = call.arguments["q"], _types(call)
    hits = [
        release
        for release in CATALOGUE.releases.values()
        if release.type in kinds and contains_words(words, f"{release.title} {release.artist.name}")
    ]
    return Answer(content=call.page_of("release", hits, _tree(call), is_search=True), max_age=SEARCH_MAX_AGE)


def details(call: Call) -> Answer:
    release = find_by_id(call, "release", CATALOGUE.releases)
    return Answer(content={"release": release_tree(release, requested_currency(call))}, max_age=DETAILS_MAX_AGE)


def editorial(call: Call) -> Answer:
    release = find_by_id(call, "release", CATALOGUE.releases)
    requested_currency(call)
    return Answer(content={"editorial": editorial_item(release)}, max_age=DETAILS_MAX_AGE)


def chart(call: Call) -> Answer:
    albums = [
        release
        for release in CATALOGUE.releases.values()
        if release.type == "album" and release.release_date <= call.utc_now.date()
    ]
    return chart_page(call, "release", albums, _tree(call), kind="album")


def recommend(call: Call) -> Answer:
    """Recommend the most popular releases of artists who resemble that of a release, or an artist."""
    seed = _seed_artist(call)
    releases = [
        release
        for artist in similar_artists(seed)
        for release in most_popular(_releases_of(artist))[:_RECOMMENDED_PER_ARTIST]
    ]
    return wrapped_page(call.page_of("release", releases, _tree(call)), "recommendations", "recommendedItem")


def tracks(call: Call) -> Answer:
    release = find_by_id(call, "release", CATALOGUE.releases)
    tree = partial(track_tree, currency=requested_currency(call))
    return Answer(content=call.page_of("track", CATALOGUE.tracks_of(release), tree), max_age=DETAILS_MAX_AGE)


def tags(call: Call) -> Answer:
    requested_currency(call)
    return tag_list(call, tags_of_release(find_by_id(call, "release", CATALOGUE.releases)))


def match_by_id(call: Call) -> Answer:
    upc = call.arguments["id"].removeprefix("upc:").lstrip("0")
    release = next((release for release in CATALOGUE.releases.values() if release.upc.lstrip("0") == upc), None)
    if release is None:
        raise not_found("release")
    return Answer(content={"release": release_tree(release, requested_currency(call))}, max_age=DETAILS_MAX_AGE)


def by_tags(order: Callable[[Iterable[Release]], list[Release]], call: Call) -> Answer:
    wanted = requested_tags(call)
    releases = order(
        release for release in CATALOGUE.releases.values() if has_all_tags(tags_of_release(release), wanted)
    )
    return wrapped_page(call.page_of("release", releases, _tree(call)), "taggedResults", "taggedItem", typed=True)


def _newest(releases: Iterable[Release]) -> list[Release]:
    return sorted(releases, key=lambda release: release.release_date, reverse=True)


HANDLERS: Mapping[str, Callable[[Call], Answer]] = {
    "classic.releases.by_date": by_date,
    "classic.releases.details": details,
    "classic.releases.editorial": editorial,
    "classic.releases.chart": chart,
    "classic.releases.recommend": recommend,
    "classic.releases.search": search,
    "classic.releases.tracks": tracks,
    "classic.releases.tags": tags,
    "classic.releases.match_by_id": match_by_id,
    "classic.releases.new_by_tags": partial(by_tags, _newest),
    "classic.releases.top_by_tags": partial(by_tags, most_popular),
}


def _tree(call: Call) -> Callable[[Release], Tree]:
    return partial(release_tree, currency=requested_currency(call))


def _types(call: Call) -> set[str]:
    """Return the types that are wanted, of which there may be several."""
    text = call.arguments.get("type")
    if text is None:
        return set(RELEASE_TYPES)
    wanted = {name.strip().lower() for name in text.split(",")}
    if not wanted <= set(RELEASE_TYPES):
        raise invalid_choice("type", RELEASE_TYPES)
    return wanted


def _seed_artist(call: Call) -> Artist:
    match call.arguments:
        case {"release_id": _, "artist_id": _}:
            raise invalid_value("artistId", "nothing next to releaseId")
        case {"release_id": _}:
            return find_by_id(call, "release", CATALOGUE.releases).artist
        case {"artist_id": _}:
            return find_by_id(call, "artist", CATALOGUE.artists)
    raise missing_parameter("releaseId")


def _releases_of(artist: Artist) -> list[Release]:
    return [release for release in CATALOGUE.releases.values() if release.artist is artist]
