"""Tracks."""

from __future__ import annotations

from functools import partial

from ..answers import Answer, not_found
from ..calls import Call
from ..catalogue import CATALOGUE
from ..recordings import STREAM_FORMAT, clip
from ..trees import track_tree
from .list_answers import chart_page
from .lookup import DETAILS_MAX_AGE, SEARCH_MAX_AGE, contains_words, find_by_id, requested_currency
from .request_user import redirect_to


def chart(call: Call) -> Answer:
    tracks = [track for track in CATALOGUE.tracks.values() if track.release.release_date <= call.utc_now.date()]
    return chart_page(call, "track", tracks, partial(track_tree, currency=requested_currency(call)))


def details(call: Call) -> Answer:
    track = find_by_id(call, "track", CATALOGUE.tracks)
    return Answer(content={"track": track_tree(track, requested_currency(call))}, max_age=DETAILS_MAX_AGE)


def search(call: Call) -> Answer:
    """Find tracks whose title and artist together hold every word of the query."""
    hits = [
        track
        for track in CATALOGUE.tracks.values()
        if contains_words(call.arguments["q"], f"{track.title} {track.release.artist.name}")
    ]
    tree = partial(track_tree, currency=requested_currency(call))
    return Answer(content=call.page_of("track", hits, tree, is_search=True), max_age=SEARCH_MAX_AGE)


def match_by_id(call: Call) -> Answer:
    isrc = call.arguments["id"].upper().removeprefix("ISRC:")
    track = next((track for track in CATALOGUE.tracks.values() if track.isrc == isrc), None)
    if track is None:
        raise not_found("track")
    return Answer(content={"track": track_tree(track, requested_currency(call))}, max_age=DETAILS_MAX_AGE)


def preview(call: Call) -> Answer:
    """Redirect to a track's clip, or answer with its address."""
    track = find_by_id(call, "track", CATALOGUE.tracks)
    requested_currency(call)
    redirect = call.choice("redirect", ("true", "false"))
    found = redirect_to(call, clip(track, STREAM_FORMAT))
    return Answer(content={"url": found.headers["Location"]}) if redirect == "false" else found


HANDLERS = {
    "classic.tracks.chart": chart,
    "classic.tracks.details": details,
    "classic.tracks.search": search,
    "classic.tracks.match_by_id": match_by_id,
    "classic.tracks.preview": preview,
}
