"""The streaming platform's catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from ..answers import Answer, Tree, WithoutEnvelope, invalid_value
from ..calls import Call
from ..catalogue import CATALOGUE
from ..cdn import media_url
from ..recordings import DOWNLOAD_FORMAT, recording
from ..state.media import TICKET_LIFETIME
from ..trees import artist_tree
from .lookup import DETAILS_MAX_AGE, SEARCH_MAX_AGE, find_by_id
from .platform_trees import release_tree, track_tree
from .request_fields import iso_time, required_list

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
    return Answer(content=call.page_of("artist", artists, artist_tree), max_age=SEARCH_MAX_AGE)


def artist_details(call: Call) -> Answer:
    return Answer(
        content=WithoutEnvelope(artist_tree(find_by_id(call, "artist", CATALOGUE.artists))), max_age=DETAILS_MAX_AGE
    )


def artist_releases(call: Call) -> Answer:
    artist, kind = find_by_id(call, "artist", CATALOGUE.artists), call.choice("type", RELEASE_TYPES)
    releases = [
        release for release in CATALOGUE.releases.values() if release.artist is artist and kind in {None, release.type}
    ]
    return Answer(content=call.page_of("release", releases, release_tree), max_age=SEARCH_MAX_AGE)


def release_details(call: Call) -> Answer:
    return Answer(
        content=WithoutEnvelope(release_tree(find_by_id(call, "release", CATALOGUE.releases))), max_age=DETAILS_MAX_AGE
    )


def release_tracks(call: Call) -> Answer:
    tracks = CATALOGUE.tracks_of(find_by_id(call, "release", CATALOGUE.releases))
    return Answer(content=call.page_of("track", tracks, track_tree), max_age=DETAILS_MAX_AGE)


def track_details(call: Call) -> Answer:
    return Answer(
        content=WithoutEnvelope(track_tree(find_by_id(call, "track", CATALOGUE.tracks))), max_age=DETAILS_MAX_AGE
    )


def search(
    noun: str, nouns: Iterable[_Noun], words: Callable[[_Noun], str], tree: Callable[[_Noun], Tree], call: Call
) -> Answer:
    wanted = call.arguments["q"].casefold().split()
    hits = [each for each in nouns if all(word in words(each).casefold() for word in wanted)]
    return Answer(content=call.page_of(noun, hits, tree), max_age=SEARCH_MAX_AGE)


def batch(noun: str, nouns: Mapping[str, _Noun], tree: Callable[[_Noun], Tree], call: Call) -> Answer:
    """Return all that were asked for that exist, in that order; list the others as errors on request."""
    ids = required_list(call, f"{noun}_ids", f"{noun}Ids")
    show_errors = call.arguments.get("show_errors", False)
    if not isinstance(show_errors, bool):
        raise invalid_value("showErrors", "true or false")
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
    track = find_by_id(call, "track", CATALOGUE.tracks)
    ticket = call.state.media_access.issue_ticket(recording(track, DOWNLOAD_FORMAT), call.now)
    expires = call.utc_now + timedelta(seconds=TICKET_LIFETIME)
    return Answer(content=WithoutEnvelope({"url": media_url(call.origin, ticket), "expiresAt": iso_time(expires)}))


def usage_types(_: Call) -> Answer:
    return Answer(content={"usageTypes": list(USAGE_TYPES)}, max_age=DETAILS_MAX_AGE)


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
