"""The user of a request, and what that user has a licence for."""

from __future__ import annotations

from collections.abc import Callable

from ..answers import Answer, Problem, RefusalError
from ..calls import Call
from ..catalogue import Track
from ..cdn import address
from ..recordings import Media
from ..state.lockers import Owned


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


def licences(call: Call, user: str, fits: Callable[[Owned], bool]) -> list[Owned]:
    """Return the tracks of a user that ``fits`` accepts; of a track bought twice, the copy with more downloads left."""
    found: dict[str, Owned] = {}
    for owned in call.state.lockers.of(user):
        if fits(owned):
            other = found.get(owned.track.id)
            found[owned.track.id] = owned if other is None or owned.remaining > other.remaining else other
    if not found:
        raise RefusalError(404, Problem(2002, "No licences found for the download request"))
    return list(found.values())


def spend(call: Call, user: str, fits: Callable[[Owned], bool]) -> list[Track]:
    """Return the tracks of what ``fits``, and count one download of each."""
    found = licences(call, user, fits)
    if any(owned.remaining < 1 for owned in found):
        raise RefusalError(404, Problem(2002, "No licences available for download request"))
    for owned in found:
        owned.remaining -= 1
    return [owned.track for owned in found]


def redirect_to(call: Call, media: Media) -> Answer:
    ticket = call.state.deliveries.issue(media, call.now)
    return Answer(status=302, headers={"Location": address(call.origin, ticket)})
