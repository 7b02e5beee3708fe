"""The user of a request, and what that user has a licence for."""

from __future__ import annotations

from collections.abc import Callable

from ..answers import Answer, Problem, RefusalError
from ..calls import Call
from ..catalogue import Track
from ..cdn import media_url
from ..recordings import Media
from ..state.lockers import OwnedTrack


def request_user(call: Call) -> str:
    """Return the user whose token signed the request, or whom it names."""
    if "user_id" in call.arguments:
        return named_user(call)
    if call.user is None:
        raise RefusalError(401, "OAuth authentication error: Not authorised - no user credentials provided")
    return call.user


def named_user(call: Call) -> str:
    """Return the user whom the request names."""
    user: str = call.arguments["user_id"]
    if call.user not in {None, user}:
        raise RefusalError(403, "OAuth authentication error: Access to resource denied")
    return user


def find_licences(call: Call, user: str, matches: Callable[[OwnedTrack], bool]) -> list[OwnedTrack]:
    """Return a user's tracks that ``matches`` accepts; of a track bought twice, the copy with more downloads left."""
    found: dict[str, OwnedTrack] = {}
    for owned in call.state.lockers.of(user):
        if matches(owned):
            other = found.get(owned.track.id)
            found[owned.track.id] = (
                owned if other is None or owned.remaining_downloads > other.remaining_downloads else other
            )
    if not found:
        raise RefusalError(404, Problem(2002, "No licences found for the download request"))
    return list(found.values())


def use_licences(call: Call, user: str, matches: Callable[[OwnedTrack], bool]) -> list[Track]:
    """Return the tracks that ``matches`` accepts, and count one download of each."""
    found = find_licences(call, user, matches)
    if any(owned.remaining_downloads < 1 for owned in found):
        raise RefusalError(404, Problem(2002, "No licences available for download request"))
    for owned in found:
        owned.remaining_downloads -= 1
    return [owned.track for owned in found]


def redirect_to(call: Call, media: Media) -> Answer:
    ticket = call.state.media_access.issue_ticket(media, call.now)
    return Answer(status=302, headers={"Location": media_url(call.origin, ticket)})
