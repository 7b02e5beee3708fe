"""Ways to pay in the classic API."""

from __future__ import annotations

from ...models import CardType, Voucher
from ..operation import Auth, Operation, Safety, parameter
from .binding import bind

GET_PAYMENT_CARD_TYPES = Operation(
    id="getPaymentCardTypes",
    name="classic.payment.card_types",
    summary="The kinds of card that are accepted.",
    safety=Safety.READ,
    model=CardType,
    paged=True,
    bindings=bind("GET", "/payment/card/type"),
)

GET_PAYMENT_VOUCHER_DETAILS = Operation(
    id="getPaymentVoucherDetails",
    name="classic.payment.voucher",
    summary="What a voucher is worth.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.READ,
    model=Voucher,
    bindings=bind("GET", "/payment/voucher/details", parameter("voucher_code", required=True)),
)
