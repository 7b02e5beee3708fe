"""Releases and their tracks."""

from __future__ import annotations

from functools import partial

from ..answers import Answer
from ..calls import Call
from ..catalogue import CATALOGUE, Release
from ..trees import release_tree, track_tree
from .lookup import DETAILS_AGE, SEARCH_AGE, currency, find


def search(call: Call) -> Answer:
    """Find releases whose title and artist together hold every word of the query."""
    words = call.arguments["q"].casefold().split()

    def fits(release: Release) -> bool:
        text = f"{release.title} {release.artist.name}".casefold()
        return all(word in text for word in words)

    hits = [release for release in CATALOGUE.releases.values() if fits(release)]
    tree = partial(release_tree, currency=currency(call))
    return Answer(content=call.page_of("release", hits, tree, searched=True), max_age=SEARCH_AGE)


def details(call: Call) -> Answer:
    """Answer with one release."""
    release = find(call, "release", CATALOGUE.releases)
    return Answer(content={"release": release_tree(release, currency(call))}, max_age=DETAILS_AGE)


def tracks(call: Call) -> Answer:
    """List the tracks of one release in their order."""
    release = find(call, "release", CATALOGUE.releases)
    tree = partial(track_tree, currency=currency(call))
    return Answer(content=call.page_of("track", CATALOGUE.tracks_of(release), tree), max_age=DETAILS_AGE)


HANDLERS = {
    "classic.releases.search": search,
    "classic.releases.details": details,
    "classic.releases.tracks": tracks,
}
