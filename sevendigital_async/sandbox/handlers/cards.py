"""A user's payment cards."""

from __future__ import annotations

from ...models.wire import camel_case
from ..answers import Answer, JsonAndXml, Tree, WithoutEnvelope, invalid_value, not_found
from ..calls import Call
from ..state.cards import Card, Registration, brand_of
from .purchases import buyer

_MIN_DIGITS, _MAX_DIGITS = 12, 19


def payment_cards(call: Call) -> Answer:
    user = buyer(call)
    default = call.state.cards.default_of(user)
    trees = [_tree(card, is_default=card.id == default) for card in call.state.cards.of(user)]
    elements = [{"id": tree["cardId"], **{name: tree[name] for name in tree if name != "cardId"}} for tree in trees]
    return Answer(content=JsonAndXml(json={"cards": trees}, xml={"cards": {"card": elements}}))


def select(call: Call) -> Answer:
    """Charge purchases to a card from now on."""
    if not call.state.cards.select(buyer(call), call.arguments["card_id"]):
        raise not_found("card")
    return Answer(content={})


def delete(call: Call) -> Answer:
    if not call.state.cards.delete(buyer(call), call.arguments["card_id"]):
        raise not_found("card")
    return Answer(content={})


def register(call: Call) -> Answer:
    """Add a card; only its displayable details are stored."""
    month = call.whole_number("expiry_month", 0, least=1, most=12)
    card = read_card(call, "cvv", month=month, year=call.whole_number("expiry_year", 0, least=2000, most=2199))
    return _registration_answer(call.state.cards.register(buyer(call), card, call.utc_now.date()))


def read_card(call: Call, code: str, *, month: int, year: int) -> Card:
    """Return the card that was sent."""
    number = call.arguments["card_number"].replace(" ", "")
    brand = brand_of(number)
    if brand is None or not _is_luhn_valid(number):
        raise invalid_value("cardNumber", "the number of a card")
    digits = call.arguments[code]
    if not (digits.isascii() and digits.isdigit() and len(digits) in {3, 4}):
        raise invalid_value(camel_case(code), "three or four digits")
    return Card(id="", last4=number[-4:], brand=brand, month=month, year=year)


def registration(call: Call) -> Answer:
    found = call.state.cards.find_registration(buyer(call), call.arguments["id"])
    if found is None:
        raise not_found("card registration")
    return _registration_answer(found)


HANDLERS = {
    "classic.user.payment_cards": payment_cards,
    "classic.user.select_payment_card": select,
    "classic.user.delete_payment_card": delete,
    "classic.user.register_payment_card": register,
    "classic.user.card_registration": registration,
}


def _tree(card: Card, *, is_default: bool) -> Tree:
    return {
        "cardId": card.id,
        "last4": card.last4,
        "brand": card.brand,
        "expiryMonth": card.month,
        "expiryYear": card.year,
        "isDefault": is_default,
    }


def _registration_answer(found: Registration) -> Answer:
    tree = {
        "registrationId": found.id,
        "status": "registered" if found.card_id else "failed",
        "cardId": found.card_id,
    }
    return Answer(content=JsonAndXml(json=WithoutEnvelope(tree), xml={"cardRegistration": tree}))


def _is_luhn_valid(number: str) -> bool:
    """Return whether a number passes the Luhn check."""
    if not (number.isascii() and number.isdigit() and _MIN_DIGITS <= len(number) <= _MAX_DIGITS):
        return False
    doubled = [sum(divmod(2 * int(digit), 10)) for digit in number[-2::-2]]
    return (sum(doubled) + sum(map(int, number[::-2]))) % 10 == 0
