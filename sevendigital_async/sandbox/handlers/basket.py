"""Baskets."""

from __future__ import annotations

from ..answers import Answer, Problem, RefusalError, not_available, not_found, payment_failed
from ..calls import Call
from ..catalogue import CURRENCY_BY_COUNTRY, HOME_CURRENCY
from ..sale_trees import basket_content
from ..state.baskets import Basket
from .lookup import requested_country
from .purchase_items import optional_pence, requested_item
from .purchases import buy, buyer

_PAYPAL = "https://paypal.example/checkoutnow"


def basket_of(call: Call) -> Basket:
    """Return the basket that a request names."""
    basket = call.state.baskets.find(call.arguments["basket_id"])
    if basket is None:
        raise not_found("basket")
    if "country" in call.arguments and requested_country(call) != basket.country:
        raise not_available("basket")
    return basket


def details(call: Call) -> Answer:
    return Answer(content=basket_content(basket_of(call)))


def create(call: Call) -> Answer:
    code = requested_country(call)
    return Answer(content=basket_content(call.state.baskets.create(code, CURRENCY_BY_COUNTRY.get(code, HOME_CURRENCY))))


def add_item(call: Call) -> Answer:
    """Add a release or a track to a basket, for the catalogue's price."""
    basket, item = basket_of(call), requested_item(call)
    basket.set_lines((*basket.lines, call.state.baskets.new_line(item, item.pence)))
    return Answer(content=basket_content(basket))


def add_priced_item(call: Call) -> Answer:
    """Add a release or a track to a basket, for the partner's price."""
    basket, item, price = basket_of(call), requested_item(call), optional_pence(call, "price") or 0
    basket.set_lines((*basket.lines, call.state.baskets.new_line(item, price)))
    return Answer(content=basket_content(basket))


def remove_item(call: Call) -> Answer:
    basket = basket_of(call)
    kept = [line for line in basket.lines if line.id != call.arguments["item_id"]]
    if len(kept) == len(basket.lines):
        raise not_found("basket item")
    basket.set_lines(kept)
    return Answer(content=basket_content(basket))


def apply_voucher(call: Call) -> Answer:
    basket = basket_of(call)
    voucher = call.state.vouchers.find_usable(call.arguments["voucher_code"], basket.currency, call.utc_now)
    if voucher is None or not basket.lines:
        raise payment_failed(3012, "Voucher not applied")
    basket.apply_voucher(voucher)
    return Answer(content=basket_content(basket))


def paypal_url(call: Call) -> Answer:
    return Answer(content={"paypalUrl": f"{_PAYPAL}?token={basket_of(call).start_paypal_checkout()}"})


def complete_paypal_purchase(call: Call) -> Answer:
    """Buy a basket that the user has consented to pay for."""
    basket = basket_of(call)
    if call.arguments["token"] not in basket.paypal_tokens:
        raise payment_failed(3003, "Payment for this purchase has failed")
    return buy_basket(call, basket)


def purchase_basket(call: Call) -> Answer:
    """Buy a basket with the user's card, if there is anything to pay."""
    return buy_basket(call, basket_of(call), charge_card=True)


def buy_basket(call: Call, basket: Basket, *, charge_card: bool = False) -> Answer:
    if not basket.lines:
        raise RefusalError(400, Problem(1002, "The basket is empty"))
    answer = buy(call, buyer(call), basket.lines, basket.currency, charge_card=charge_card)
    basket.is_paid = True
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
    "classic.user.purchase_basket": purchase_basket,
}
