"""The streaming platform's catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from ..answers import Answer, Bare, Tree, invalid
from ..calls import Call
from ..catalogue import CATALOGUE
from ..cdn import address
from ..recordings import DOWNLOAD_FORMAT, recording
from ..state.media import LIFETIME
from ..trees import artist_tree
from .bodies import listed, stamp
from .lookup import DETAILS_AGE, SEARCH_AGE, find
from .platform_trees import release_tree, track_tree

RELEASE_TYPES = ("album", "single", "ep", "compilation")

USAGE_TYPES: tuple[Tree, ...] = (
    {"id": "download", "name": "Download", "description": "Sale of files that the user keeps."},
    {
        "id": "subscription-streaming",
        "name": "Subscription Streaming",
        "description": "Any track at any time, for users who pay by the month.",
    },
    {
        "id": "ad-supported-streaming",
        "name": "Ad-Supported Streaming",
        "description": "Listening that is paid for by advertisements.",
    },
    {"id": "radio-streaming", "name": "Radio Streaming", "description": "Stations with rules for what is played."},
)

_Noun = TypeVar("_Noun")


def browse_artists(call: Call) -> Answer:
    letters = call.arguments["letter"].casefold()
    artists = [artist for artist in CATALOGUE.artists.values() if artist.sort_name.casefold().startswith(letters)]
    artists.sort(key=lambda artist: artist.sort_name.casefold())
    return Answer(content=call.page_of("artist", artists, artist_tree), max_age=SEARCH_AGE)


def artist_details(call: Call) -> Answer:
    return Answer(content=Bare(artist_tree(find(call, "artist", CATALOGUE.artists))), max_age=DETAILS_AGE)


def artist_releases(call: Call) -> Answer:
    artist, kind = find(call, "artist", CATALOGUE.artists), call.choice("type", RELEASE_TYPES)
    releases = [
        release for release in CATALOGUE.releases.values() if release.artist is artist and kind in {None, release.type}
    ]
    return Answer(content=call.page_of("release", releases, release_tree), max_age=SEARCH_AGE)


def release_details(call: Call) -> Answer:
    return Answer(content=Bare(release_tree(find(call, "release", CATALOGUE.releases))), max_age=DETAILS_AGE)


def release_tracks(call: Call) -> Answer:
    tracks = CATALOGUE.tracks_of(find(call, "release", CATALOGUE.releases))
    return Answer(content=call.page_of("track", tracks, track_tree), max_age=DETAILS_AGE)


def track_details(call: Call) -> Answer:
    return Answer(content=Bare(track_tree(find(call, "track", CATALOGUE.tracks))), max_age=DETAILS_AGE)


def search(
    noun: str, nouns: Iterable[_Noun], words: Callable[[_Noun], str], tree: Callable[[_Noun], Tree], call: Call
) -> Answer:
    wanted = call.arguments["q"].casefold().split()
    hits = [each for each in nouns if all(word in words(each).casefold() for word in wanted)]
    return Answer(content=call.page_of(noun, hits, tree), max_age=SEARCH_AGE)


def batch(noun: str, nouns: Mapping[str, _Noun], tree: Callable[[_Noun], Tree], call: Call) -> Answer:
    """Return all that were asked for that exist, in that order; list the others as errors on request."""
    ids = listed(call, f"{noun}_ids", f"{noun}Ids")
    show_errors = call.arguments.get("show_errors", False)
    if not isinstance(show_errors, bool):
        raise invalid("showErrors", "true or false")
    content: dict[str, Any] = {f"{noun}s": [tree(nouns[id_]) for id_ in map(str, ids) if id_ in nouns]}
    if show_errors:
        content["errors"] = [
            {"code": 2001, "message": f"{noun.capitalize()} not found", "index": index}
            for index, id_ in enumerate(ids)
            if str(id_) not in nouns
        ]
    return Answer(content=content)


def download_track(call: Call) -> Answer:
    """Return an address of a track's file that is valid for an hour."""
    track = find(call, "track", CATALOGUE.tracks)
    ticket = call.state.deliveries.issue(recording(track, DOWNLOAD_FORMAT), call.now)
    expires = call.moment + timedelta(seconds=LIFETIME)
    return Answer(content=Bare({"url": address(call.origin, ticket), "expiresAt": stamp(expires)}))


def usage_types(_: Call) -> Answer:
    return Answer(content={"usageTypes": list(USAGE_TYPES)}, max_age=DETAILS_AGE)


HANDLERS: Mapping[str, Callable[[Call], Answer]] = {
    "platform.catalogue.browse_artists": browse_artists,
    "platform.catalogue.artist_details": artist_details,
    "platform.catalogue.artist_releases": artist_releases,
    "platform.catalogue.search_artists": partial(
        search, "artist", CATALOGUE.artists.values(), lambda artist: artist.name, artist_tree
    ),
    "platform.catalogue.releases_batch": partial(batch, "release", CATALOGUE.releases, release_tree),
    "platform.catalogue.release_details": release_details,
    "platform.catalogue.release_tracks": release_tracks,
    "platform.catalogue.search_releases": partial(
        search,
        "release",
        CATALOGUE.releases.values(),
        lambda release: f"{release.title} {release.artist.name}",
        release_tree,
    ),
    "platform.catalogue.search_tracks": partial(
        search,
        "track",
        CATALOGUE.tracks.values(),
        lambda track: f"{track.title} {track.release.title} {track.release.artist.name}",
        track_tree,
    ),
    "platform.catalogue.tracks_batch": partial(batch, "track", CATALOGUE.tracks, track_tree),
    "platform.catalogue.track_details": track_details,
    "platform.catalogue.download_track": download_track,
    "platform.catalogue.usage_types": usage_types,
}
