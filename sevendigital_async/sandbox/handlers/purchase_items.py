"""The item and the price of a purchase request."""

from __future__ import annotations

import re

from ...models.wire import camel_case
from ..answers import Problem, RefusalError, invalid_value, missing_parameter, not_available, not_found, out_of_range
from ..calls import Call
from ..catalogue import CATALOGUE, Item
from .lookup import find_by_id

_AMOUNT = re.compile(r"(-?)(\d{1,7})(?:\.(\d+))?", re.ASCII)
_DECIMALS = 2


def requested_item(call: Call) -> Item:
    """Return the release or the track of a request."""
    if not {"release_id", "track_id"} & call.arguments.keys():
        raise missing_parameter("releaseId")
    track = find_by_id(call, "track", CATALOGUE.tracks) if "track_id" in call.arguments else None
    if track is not None and "release_id" not in call.arguments:
        release = track.release
    else:
        release = find_by_id(call, "release", CATALOGUE.releases)
    if track is not None and track.release is not release:
        raise not_found("track")
    if release.release_date > call.utc_now.date():
        raise not_available("release" if track is None else "track")
    return Item(release, track)


def optional_pence(call: Call, name: str) -> int | None:
    """Return an amount of money in hundredths; None if none was sent."""
    text = call.arguments.get(name)
    if text is None:
        return None
    found = _AMOUNT.fullmatch(text)
    if found is None:
        raise invalid_value(camel_case(name), "an amount such as 11.95")
    sign, whole, decimals = found[1], found[2], (found[3] or "").rstrip("0")
    if sign or len(decimals) > _DECIMALS:
        raise out_of_range(camel_case(name), "zero or more, with two decimals at the most")
    return 100 * int(whole) + int(decimals.ljust(_DECIMALS, "0"))


def checked_price(call: Call, actual: int) -> int:
    """Return the price of an item if it equals the price shown to the user."""
    if optional_pence(call, "price") not in {None, actual}:
        raise RefusalError(400, Problem(3004, "Price supplied is out of date"))
    return actual
