"""Purchases and lockers. A request that arrives twice buys twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from ...models.wire import camel_case
from ..answers import Answer, JsonAndXml, invalid_choice, invalid_value, not_found, payment_failed
from ..calls import Call
from ..recordings import DOWNLOAD_FORMAT
from ..sale_trees import download_url, locker_elements, locker_json, purchase_content
from ..state.baskets import BasketLine
from ..state.cards import CardProblem
from ..state.lockers import OwnedTrack
from ..trees import release_tree, track_tree
from .list_answers import paging_fields
from .lookup import requested_currency
from .purchase_items import checked_price, optional_pence, requested_item
from .request_user import named_user

_PARTNER_USER = "partner"
"""The user if the partner signs alone and the request names none."""

_CARD_PROBLEMS: Mapping[CardProblem, str] = {
    CardProblem.EXPIRED: "The user's card has expired",
    CardProblem.MISSING: "The user has no card details saved",
    CardProblem.DECLINED: "Payment for this purchase has failed",
}

_SORT_KEYS: Mapping[str, Callable[[OwnedTrack], str]] = {
    "releasetitle": lambda owned: owned.track.release.title,
    "purchasedate": lambda owned: owned.purchased_at.isoformat(),
    "artistname": lambda owned: owned.track.release.artist.name,
}


def buyer(call: Call) -> str:
    return named_user(call) if "user_id" in call.arguments else call.user or _PARTNER_USER


def buy(
    call: Call,
    user: str,
    lines: Sequence[BasketLine],
    currency: str,
    *,
    charge_card: bool = True,
    transaction_id: str | None = None,
    with_delivery_url: bool = False,
) -> Answer:
    """Charge a user, record the purchase, and return the items in the locker.

    Args:
        call: The call.
        user: Who buys.
        lines: What, and for how much.
        currency: The currency of the amounts.
        charge_card: Charge the user's card, unless it is all for free.
        transaction_id: The partner's number for the sale.
        with_delivery_url: Answer with the address of the first item's media.

    Raises:
        RefusalError: The card cannot be charged (3001 to 3003).
    """
    if charge_card and sum(line.pence_due for line in lines) > 0:
        problem = call.state.cards.charge(user, call.utc_now.date())
        if problem is not None:
            raise payment_failed(problem, _CARD_PROBLEMS[problem])
    purchase = call.state.sell(
        user,
        lines,
        currency=currency,
        purchased_at=call.utc_now,
        operation=call.operation.name,
        transaction_id=transaction_id,
    )
    owned = [each for each in call.state.lockers.of(user) if each.purchase_id == purchase.id]
    more = {"deliveryUrl": download_url(owned[0], DOWNLOAD_FORMAT, call.origin)} if with_delivery_url else {}
    return Answer(content=purchase_content(purchase, owned, call.origin, **more))


def purchase_item(call: Call) -> Answer:
    item, currency = requested_item(call), requested_currency(call)
    price = checked_price(call, item.pence)
    return buy(call, buyer(call), [call.state.baskets.new_line(item, price)], currency)


def purchase_rrp_item(call: Call) -> Answer:
    item, currency = requested_item(call), requested_currency(call)
    price = checked_price(call, item.rrp_pence)
    return buy(call, buyer(call), [call.state.baskets.new_line(item, price)], currency)


def purchase_priced_item(call: Call) -> Answer:
    item, currency, price = requested_item(call), requested_currency(call), optional_pence(call, "price") or 0
    return buy(call, buyer(call), [call.state.baskets.new_line(item, price)], currency)


def deliver_item(call: Call) -> Answer:
    """Add an item that the partner sold to the user's locker; nothing is charged."""
    item, currency, price = requested_item(call), requested_currency(call), optional_pence(call, "retail_price")
    line = call.state.baskets.new_line(item, item.rrp_pence if price is None else price)
    transaction_id = call.arguments.get("transaction_id")
    return buy(
        call, buyer(call), [line], currency, charge_card=False, transaction_id=transaction_id, with_delivery_url=True
    )


def locker(call: Call) -> Answer:
    currency, owned = requested_currency(call), _sorted(call, _filtered(call))
    releases = list({each.track.release.id: each.track.release for each in owned}.values())
    page = call.page_of("release", releases, partial(release_tree, currency=currency))
    shown = {tree["id"] for tree in page.items}
    owned = [each for each in owned if each.track.release.id in shown]
    tracks = {each.track.id: each.track for each in owned}
    json = {
        **paging_fields(page),
        "releases": list(page.items),
        "tracks": [track_tree(track, currency) for track in tracks.values()],
        "lockerReleases": locker_json(owned, currency, call.origin),
    }
    elements = locker_elements(owned, currency, call.origin)
    xml = {"locker": {"lockerReleases": {**paging_fields(page), "lockerRelease": elements}}}
    return Answer(content=JsonAndXml(json=json, xml=xml))


HANDLERS = {
    "classic.user.locker": locker,
    "classic.user.purchase_item": purchase_item,
    "classic.user.purchase_rrp_item": purchase_rrp_item,
    "classic.user.purchase_priced_item": purchase_priced_item,
    "classic.user.deliver_item": deliver_item,
}


def _filtered(call: Call) -> list[OwnedTrack]:
    owned, arguments = call.state.lockers.of(buyer(call)), call.arguments
    for name, field_of in _FILTER_FIELDS.items():
        if name in arguments:
            if not (arguments[name].isascii() and arguments[name].isdigit()):
                raise invalid_value(camel_case(name), "a number")
            owned = [each for each in owned if field_of(each) == arguments[name]]
    if "purchase_id" in arguments and not owned:
        raise not_found("purchase")
    return owned


_FILTER_FIELDS: Mapping[str, Callable[[OwnedTrack], str]] = {
    "release_id": lambda owned: owned.track.release.id,
    "track_id": lambda owned: owned.track.id,
    "purchase_id": lambda owned: owned.purchase_id,
}


def _sorted(call: Call, owned: list[OwnedTrack]) -> list[OwnedTrack]:
    column, _, order = call.arguments.get("sort", "releaseTitle asc").strip().lower().partition(" ")
    if column not in _SORT_KEYS or order.strip() not in {"", "asc", "desc"}:
        raise invalid_choice("sort", ["releaseTitle asc|desc", "purchaseDate asc|desc", "artistName asc|desc"])
    return sorted(owned, key=_SORT_KEYS[column], reverse=order.strip() == "desc")
