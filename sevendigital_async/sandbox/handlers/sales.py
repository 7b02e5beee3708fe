"""Sales of the partner, their refunds, and the locker they fill."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from ..answers import Answer, Problem, RefusalError, invalid_choice, missing_parameter, not_found
from ..calls import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, Call
from ..catalogue import CATALOGUE, CURRENCY_BY_COUNTRY, Item
from ..sale_trees import purchase_content
from ..state.purchases import Purchase
from ..state.refunds import is_reported
from .lookup import find_by_id
from .platform_trees import release_tree, track_tree
from .purchase_items import optional_pence
from .request_fields import optional_text, required_text
from .request_user import named_user


def locker(call: Call) -> Answer:
    owned = call.state.lockers.of(named_user(call))
    releases = list({each.track.release.id: each.track.release for each in owned}.values())
    number = call.whole_number("page", 1, least=1)
    size = call.whole_number("page_size", DEFAULT_PAGE_SIZE, least=1, most=MAX_PAGE_SIZE)
    cut = releases[(number - 1) * size : number * size]
    tracks = {each.track.id: each.track for each in owned if each.track.release in cut}
    tree = {
        "page": number,
        "pageSize": size,
        "totalItems": len(releases),
        "releases": list(map(release_tree, cut)),
        "tracks": list(map(track_tree, tracks.values())),
    }
    return Answer(content=tree)


def credit_item(call: Call) -> Answer:
    """Record a sale of the partner's and put what was sold into the user's locker; sent twice, it is sold twice."""
    user, item = named_user(call), _item(call)
    currency = call.arguments["currency"].upper()
    if currency not in CURRENCY_BY_COUNTRY.values():
        raise invalid_choice("currency", sorted(set(CURRENCY_BY_COUNTRY.values())))
    line = call.state.baskets.new_line(item, optional_pence(call, "price") or 0)
    purchase = call.state.sell(
        user,
        [line],
        currency=currency,
        purchased_at=call.utc_now,
        operation=call.operation.name,
        transaction_id=call.arguments.get("transaction_id"),
    )
    owned = [each for each in call.state.lockers.of(user) if each.purchase_id == purchase.id]
    return Answer(content=purchase_content(purchase, owned, call.origin))


def refund(noun: str, call: Call) -> Answer:
    """Take a purchase out of the sales report and out of the locker."""
    user, purchase_id = required_text(call, "user_id", "userId"), required_text(call, "purchase_id", "purchaseId")
    reason = optional_text(call, "reason", "reason")
    purchase = call.state.purchases.find(purchase_id)
    if purchase is None or purchase.user != user or not _is_of(noun, purchase):
        raise not_found("purchase")
    if purchase.id in call.state.refunds:
        raise RefusalError(400, Problem(3017, "The purchase was refunded before"))
    if is_reported(purchase.purchased_at, call.utc_now):
        raise RefusalError(400, Problem(2002, "The month of the purchase has been reported"))
    call.state.refunds.record(purchase.id, reason)
    call.state.lockers.remove(user, lambda owned: owned.purchase_id == purchase.id)
    return Answer(content={"purchaseId": purchase.id})


HANDLERS: Mapping[str, Callable[[Call], Answer]] = {
    "platform.sales.locker": locker,
    "platform.sales.credit_item": credit_item,
    "platform.sales.refund_release": partial(refund, "release"),
    "platform.sales.refund_track": partial(refund, "track"),
}


def _is_of(noun: str, purchase: Purchase) -> bool:
    return any((line.item.track is None) == (noun == "release") for line in purchase.lines)


def _item(call: Call) -> Item:
    if "track_id" in call.arguments:
        track = find_by_id(call, "track", CATALOGUE.tracks)
        if call.arguments.get("release_id", track.release.id) != track.release.id:
            raise not_found("track")
        return Item(release=track.release, track=track)
    if "release_id" not in call.arguments:
        raise missing_parameter("releaseId")
    return Item(release=find_by_id(call, "release", CATALOGUE.releases), track=None)
