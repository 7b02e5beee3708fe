"""Purchases and lockers. A request that arrives twice buys twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from ...models.wire import camel_case
from ..answers import Answer, Forms, invalid, no_choice, unknown, unpaid
from ..calls import Call
from ..recordings import DOWNLOAD_FORMAT
from ..sale_trees import download_url, locker_elements, locker_json, purchase_forms
from ..state.baskets import Line
from ..state.cards import CardProblem
from ..state.lockers import Owned
from ..trees import release_tree, track_tree
from .goods import pence, up_to_date, wanted
from .listings import paging
from .lookup import currency
from .request_user import named_user

_MANAGED = "partner"
"""The user if the partner signs alone and the request names none."""

_CARD_PROBLEMS: Mapping[CardProblem, str] = {
    CardProblem.EXPIRED: "The user's card has expired",
    CardProblem.MISSING: "The user has no card details saved",
    CardProblem.DECLINED: "Payment for this purchase has failed",
}

_ORDERS: Mapping[str, Callable[[Owned], str]] = {
    "releasetitle": lambda owned: owned.track.release.title,
    "purchasedate": lambda owned: owned.moment.isoformat(),
    "artistname": lambda owned: owned.track.release.artist.name,
}


def buyer(call: Call) -> str:
    return named_user(call) if "user_id" in call.arguments else call.user or _MANAGED


def bought(
    call: Call,
    user: str,
    lines: Sequence[Line],
    money: str,
    *,
    by_card: bool = True,
    transaction_id: str | None = None,
    delivered: bool = False,
) -> Answer:
    """Charge a user, record the purchase, and return the items in the locker.

    Args:
        call: The call.
        user: Who buys.
        lines: What, and for how much.
        money: The currency.
        by_card: Charge the user's card, unless it is all for free.
        transaction_id: The partner's number for the sale.
        delivered: Answer with the address of the first item's media.

    Raises:
        RefusalError: The card cannot be charged (3001 to 3003).
    """
    if by_card and sum(line.due for line in lines) > 0:
        problem = call.state.cards.charge(user, call.moment.date())
        if problem is not None:
            raise unpaid(problem, _CARD_PROBLEMS[problem])
    purchase = call.state.sell(
        user,
        lines,
        currency=money,
        moment=call.moment,
        source=call.operation.name,
        transaction_id=transaction_id,
    )
    owned = [each for each in call.state.lockers.of(user) if each.purchase_id == purchase.id]
    more = {"deliveryUrl": download_url(owned[0], DOWNLOAD_FORMAT, call.origin)} if delivered else {}
    return Answer(content=purchase_forms(purchase, owned, call.origin, **more))


def purchase_item(call: Call) -> Answer:
    item, money = wanted(call), currency(call)
    price = up_to_date(call, item.pence)
    return bought(call, buyer(call), [call.state.baskets.line(item, price)], money)


def purchase_rrp_item(call: Call) -> Answer:
    item, money = wanted(call), currency(call)
    price = up_to_date(call, item.rrp_pence)
    return bought(call, buyer(call), [call.state.baskets.line(item, price)], money)


def purchase_priced_item(call: Call) -> Answer:
    item, money, price = wanted(call), currency(call), pence(call, "price") or 0
    return bought(call, buyer(call), [call.state.baskets.line(item, price)], money)


def deliver_item(call: Call) -> Answer:
    """Add an item that the partner sold to the user's locker; nothing is charged."""
    item, money, price = wanted(call), currency(call), pence(call, "retail_price")
    line = call.state.baskets.line(item, item.rrp_pence if price is None else price)
    transaction_id = call.arguments.get("transaction_id")
    return bought(call, buyer(call), [line], money, by_card=False, transaction_id=transaction_id, delivered=True)


def locker(call: Call) -> Answer:
    money, owned = currency(call), _sorted(call, _filtered(call))
    releases = list({each.track.release.id: each.track.release for each in owned}.values())
    page = call.page_of("release", releases, partial(release_tree, currency=money))
    shown = {tree["id"] for tree in page.items}
    owned = [each for each in owned if each.track.release.id in shown]
    tracks = {each.track.id: each.track for each in owned}
    json = {
        **paging(page),
        "releases": list(page.items),
        "tracks": [track_tree(track, money) for track in tracks.values()],
        "lockerReleases": locker_json(owned, money, call.origin),
    }
    elements = locker_elements(owned, money, call.origin)
    xml = {"locker": {"lockerReleases": {**paging(page), "lockerRelease": elements}}}
    return Answer(content=Forms(json=json, xml=xml))


HANDLERS = {
    "classic.user.locker": locker,
    "classic.user.purchase_item": purchase_item,
    "classic.user.purchase_rrp_item": purchase_rrp_item,
    "classic.user.purchase_priced_item": purchase_priced_item,
    "classic.user.deliver_item": deliver_item,
}


def _filtered(call: Call) -> list[Owned]:
    owned, arguments = call.state.lockers.of(buyer(call)), call.arguments
    for name, fact in _FACTS.items():
        if name in arguments:
            if not (arguments[name].isascii() and arguments[name].isdigit()):
                raise invalid(camel_case(name), "a number")
            owned = [each for each in owned if fact(each) == arguments[name]]
    if "purchase_id" in arguments and not owned:
        raise unknown("purchase")
    return owned


_FACTS: Mapping[str, Callable[[Owned], str]] = {
    "release_id": lambda owned: owned.track.release.id,
    "track_id": lambda owned: owned.track.id,
    "purchase_id": lambda owned: owned.purchase_id,
}


def _sorted(call: Call, owned: list[Owned]) -> list[Owned]:
    column, _, order = call.arguments.get("sort", "releaseTitle asc").strip().lower().partition(" ")
    if column not in _ORDERS or order.strip() not in {"", "asc", "desc"}:
        raise no_choice("sort", ["releaseTitle asc|desc", "purchaseDate asc|desc", "artistName asc|desc"])
    return sorted(owned, key=_ORDERS[column], reverse=order.strip() == "desc")
