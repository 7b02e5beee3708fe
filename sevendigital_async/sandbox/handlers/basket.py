"""Baskets."""

from __future__ import annotations

from ..answers import Answer, Problem, RefusalError, unavailable, unknown, unpaid
from ..calls import Call
from ..catalogue import HOME_CURRENCY, TERRITORIES
from ..sale_trees import basket_forms
from ..state.baskets import Basket
from .goods import pence, wanted
from .lookup import country
from .purchases import bought, buyer

_PAYPAL = "https://paypal.example/checkoutnow"


def basket_of(call: Call) -> Basket:
    """Return the basket that a request names."""
    basket = call.state.baskets.find(call.arguments["basket_id"])
    if basket is None:
        raise unknown("basket")
    if "country" in call.arguments and country(call) != basket.country:
        raise unavailable("basket")
    return basket


def details(call: Call) -> Answer:
    return Answer(content=basket_forms(basket_of(call)))


def create(call: Call) -> Answer:
    code = country(call)
    return Answer(content=basket_forms(call.state.baskets.create(code, TERRITORIES.get(code, HOME_CURRENCY))))


def add_item(call: Call) -> Answer:
    """Add a release or a track to a basket, for the catalogue's price."""
    basket, item = basket_of(call), wanted(call)
    basket.fill((*basket.lines, call.state.baskets.line(item, item.pence)))
    return Answer(content=basket_forms(basket))


def add_priced_item(call: Call) -> Answer:
    """Add a release or a track to a basket, for the partner's price."""
    basket, item, price = basket_of(call), wanted(call), pence(call, "price") or 0
    basket.fill((*basket.lines, call.state.baskets.line(item, price)))
    return Answer(content=basket_forms(basket))


def remove_item(call: Call) -> Answer:
    basket = basket_of(call)
    kept = [line for line in basket.lines if line.id != call.arguments["item_id"]]
    if len(kept) == len(basket.lines):
        raise unknown("basket item")
    basket.fill(kept)
    return Answer(content=basket_forms(basket))


def apply_voucher(call: Call) -> Answer:
    basket = basket_of(call)
    voucher = call.state.vouchers.usable(call.arguments["voucher_code"], basket.currency, call.moment)
    if voucher is None or not basket.lines:
        raise unpaid(3012, "Voucher not applied")
    basket.apply(voucher)
    return Answer(content=basket_forms(basket))


def paypal_url(call: Call) -> Answer:
    return Answer(content={"paypalUrl": f"{_PAYPAL}?token={basket_of(call).begin_paypal()}"})


def complete_paypal_purchase(call: Call) -> Answer:
    """Buy a basket that the user has consented to pay for."""
    basket = basket_of(call)
    if call.arguments["token"] not in basket.paypal_tokens:
        raise unpaid(3003, "Payment for this purchase has failed")
    return bought_basket(call, basket)


def purchase(call: Call) -> Answer:
    """Buy a basket with the user's card, if there is anything to pay."""
    return bought_basket(call, basket_of(call), by_card=True)


def bought_basket(call: Call, basket: Basket, *, by_card: bool = False) -> Answer:
    if not basket.lines:
        raise RefusalError(400, Problem(1002, "The basket is empty"))
    answer = bought(call, buyer(call), basket.lines, basket.currency, by_card=by_card)
    basket.paid = True
    if basket.voucher:
        call.state.vouchers.redeem(basket.voucher)
    return answer


HANDLERS = {
    "classic.basket.details": details,
    "classic.basket.create": create,
    "classic.basket.add_item": add_item,
    "classic.basket.remove_item": remove_item,
    "classic.basket.apply_voucher": apply_voucher,
    "classic.basket.add_priced_item": add_priced_item,
    "classic.basket.paypal_url": paypal_url,
    "classic.basket.complete_paypal_purchase": complete_paypal_purchase,
    "classic.user.purchase_basket": purchase,
}
