"""Tracks."""

from __future__ import annotations

from functools import partial

from ..answers import Answer, unknown
from ..calls import Call
from ..catalogue import CATALOGUE
from ..recordings import STREAM_FORMAT, clip
from ..trees import track_tree
from .listings import charted
from .lookup import DETAILS_AGE, SEARCH_AGE, currency, find, holds
from .request_user import redirect_to


def chart(call: Call) -> Answer:
    tracks = [track for track in CATALOGUE.tracks.values() if track.release.released <= call.moment.date()]
    return charted(call, "track", tracks, partial(track_tree, currency=currency(call)))


def details(call: Call) -> Answer:
    track = find(call, "track", CATALOGUE.tracks)
    return Answer(content={"track": track_tree(track, currency(call))}, max_age=DETAILS_AGE)


def search(call: Call) -> Answer:
    """Find tracks whose title and artist together hold every word of the query."""
    hits = [
        track
        for track in CATALOGUE.tracks.values()
        if holds(call.arguments["q"], f"{track.title} {track.release.artist.name}")
    ]
    tree = partial(track_tree, currency=currency(call))
    return Answer(content=call.page_of("track", hits, tree, searched=True), max_age=SEARCH_AGE)


def match_by_id(call: Call) -> Answer:
    isrc = call.arguments["id"].upper().removeprefix("ISRC:")
    track = next((track for track in CATALOGUE.tracks.values() if track.isrc == isrc), None)
    if track is None:
        raise unknown("track")
    return Answer(content={"track": track_tree(track, currency(call))}, max_age=DETAILS_AGE)


def preview(call: Call) -> Answer:
    """Redirect to a track's clip, or answer with its address."""
    track = find(call, "track", CATALOGUE.tracks)
    currency(call)
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
