"""Ways to pay."""

from __future__ import annotations

from ..answers import Answer, JsonAndXml, WithoutEnvelope, not_found
from ..calls import Call
from ..state.cards import CARD_TYPES
from ..state.vouchers import VOUCHERS
from ..trees import price_tree
from .lookup import DETAILS_MAX_AGE


def card_types(_: Call) -> Answer:
    elements = [{"id": name, "#text": name} for name in CARD_TYPES]
    json = {"cardTypes": list(CARD_TYPES)}
    return Answer(content=JsonAndXml(json=json, xml={"cardTypes": {"cardType": elements}}), max_age=DETAILS_MAX_AGE)


def voucher(call: Call) -> Answer:
    """Return a voucher's value; a percentage is written as an amount, too."""
    found = VOUCHERS.get(call.arguments["voucher_code"].upper())
    if found is None:
        raise not_found("voucher")
    value = price_tree(found.value, found.currency)
    if found.type == "percentage":
        value = {**value, "amount": found.value, "formattedPrice": f"{found.value}%"}
    tree = {
        "code": found.code,
        "value": value,
        "type": found.type,
        "expiresAt": f"{found.expires_at:%Y-%m-%dT%H:%M:%SZ}",
        "redeemed": call.state.vouchers.is_redeemed(found),
    }
    return Answer(content=JsonAndXml(json=WithoutEnvelope(tree), xml={"voucher": tree}))


HANDLERS = {"classic.payment.card_types": card_types, "classic.payment.voucher": voucher}
