"""Artists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from ..answers import Answer, Tree, invalid_choice, not_found
from ..calls import Call
from ..catalogue import CATALOGUE, Artist
from ..charts import most_popular, popularity
from ..tags import has_all_tags, tags_of_artist
from ..trees import artist_tree, release_tree, track_tree
from .list_answers import chart_page, wrapped_page
from .lookup import DETAILS_MAX_AGE, SEARCH_MAX_AGE, contains_words, find_by_id, requested_currency
from .similarity import similar_artists
from .tags import requested_tags, tag_list

_RELEASE_TYPES = ("album", "single", "ep", "compilation", "video")

# Every hit contains all words, so all have the same score.
_SORT_KEYS: Mapping[str, Callable[[Artist], str | int]] = {
    "name": lambda artist: artist.sort_name.casefold(),
    "popularity": popularity,
    "score": lambda _: 0,
}


def browse(call: Call) -> Answer:
    """List the artists whose names begin with some letters, by the names that lists are sorted by."""
    requested_currency(call)
    letters = call.arguments["letter"].casefold()
    artists = [artist for artist in CATALOGUE.artists.values() if artist.sort_name.casefold().startswith(letters)]
    return _artist_page(call, sorted(artists, key=_SORT_KEYS["name"]))


def chart(call: Call) -> Answer:
    requested_currency(call)
    return chart_page(call, "artist", list(CATALOGUE.artists.values()), artist_tree)


def details(call: Call) -> Answer:
    requested_currency(call)
    return Answer(
        content={"artist": artist_tree(find_by_id(call, "artist", CATALOGUE.artists))}, max_age=DETAILS_MAX_AGE
    )


def releases(call: Call) -> Answer:
    artist, kind = find_by_id(call, "artist", CATALOGUE.artists), call.choice("type", _RELEASE_TYPES)
    found = [
        release for release in CATALOGUE.releases.values() if release.artist is artist and kind in {None, release.type}
    ]
    tree = partial(release_tree, currency=requested_currency(call))
    return Answer(content=call.page_of("release", found, tree), max_age=SEARCH_MAX_AGE)


def similar(call: Call) -> Answer:
    requested_currency(call)
    return _artist_page(call, list(similar_artists(find_by_id(call, "artist", CATALOGUE.artists))))


def search(call: Call) -> Answer:
    """Find artists whose name holds every word of the query."""
    requested_currency(call)
    column, _, order = call.arguments.get("sort", "score desc").strip().lower().partition(" ")
    if column not in _SORT_KEYS or order.strip() not in {"", "asc", "desc"}:
        raise invalid_choice("sort", [f"{column} asc|desc" for column in _SORT_KEYS])
    hits = [artist for artist in CATALOGUE.artists.values() if contains_words(call.arguments["q"], artist.name)]
    hits.sort(key=_SORT_KEYS[column], reverse=order.strip() == "desc")
    return Answer(content=call.page_of("artist", hits, artist_tree, is_search=True), max_age=SEARCH_MAX_AGE)


def top_tracks(call: Call) -> Answer:
    artist, tree = find_by_id(call, "artist", CATALOGUE.artists), partial(track_tree, currency=requested_currency(call))
    tracks = most_popular(track for track in CATALOGUE.tracks.values() if track.release.artist is artist)
    return Answer(content=call.page_of("track", tracks, tree), max_age=SEARCH_MAX_AGE)


def tags(call: Call) -> Answer:
    requested_currency(call)
    return tag_list(call, tags_of_artist(find_by_id(call, "artist", CATALOGUE.artists)))


def match_by_id(call: Call) -> Answer:
    mbid = call.arguments["id"].lower().removeprefix("mbid:")
    artist = next((artist for artist in CATALOGUE.artists.values() if artist.mbid == mbid), None)
    if artist is None:
        raise not_found("artist")
    return Answer(content={"artist": artist_tree(artist)}, max_age=DETAILS_MAX_AGE)


def top_by_tags(call: Call) -> Answer:
    requested_currency(call)
    wanted = requested_tags(call)
    artists = most_popular(
        artist for artist in CATALOGUE.artists.values() if has_all_tags(tags_of_artist(artist), wanted)
    )
    page = call.page_of("artist", artists, artist_tree)
    return wrapped_page(page, "taggedResults", "taggedItem", typed=True)


HANDLERS: Mapping[str, Callable[[Call], Answer]] = {
    "classic.artists.browse": browse,
    "classic.artists.chart": chart,
    "classic.artists.details": details,
    "classic.artists.releases": releases,
    "classic.artists.similar": similar,
    "classic.artists.search": search,
    "classic.artists.top_tracks": top_tracks,
    "classic.artists.tags": tags,
    "classic.artists.match_by_id": match_by_id,
    "classic.artists.top_by_tags": top_by_tags,
}


def _artist_page(call: Call, artists: list[Artist]) -> Answer:
    tree: Callable[[Artist], Tree] = artist_tree
    return Answer(content=call.page_of("artist", artists, tree), max_age=SEARCH_MAX_AGE)
