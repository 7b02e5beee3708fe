"""A user's payment cards: the part of ``user`` that keeps ways to pay."""

from __future__ import annotations

from ...models import CardRegistration, PaymentCard
from ..operation import Auth, Operation, ParameterLocation, Safety, parameter
from .binding import USER_ID, bound, for_user, form, live

CARD_ID = form("card_id", required=True)

LIST_USER_PAYMENT_CARDS = Operation(
    id="listUserPaymentCards",
    name="classic.user.payment_cards",
    summary="The user's cards.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.READ,
    model=PaymentCard,
    paged=True,
    bindings=for_user("GET", "/user/payment/card"),
)

SELECT_USER_PAYMENT_CARD = Operation(
    id="selectUserPaymentCard",
    name="classic.user.select_payment_card",
    summary="Charge another card from now on.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.UNSAFE,
    bindings=for_user("POST", "/user/payment/card/select", CARD_ID),
)

DELETE_USER_PAYMENT_CARD = Operation(
    id="deleteUserPaymentCard",
    name="classic.user.delete_payment_card",
    summary="Forget a card.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.UNSAFE,
    bindings=for_user("POST", "/user/payment/card/delete", CARD_ID),
)

REGISTER_USER_PAYMENT_CARD = Operation(
    id="registerUserPaymentCard",
    name="classic.user.register_payment_card",
    summary="Add a card.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.UNSAFE,
    model=CardRegistration,
    bindings=bound(
        "POST",
        "/user/payment/cardregistration",
        form("card_number", required=True),
        form("expiry_month", required=True),
        form("expiry_year", required=True),
        form("cvv", required=True),
        form("cardholder_name"),
        live=live("POST", "/user/payment/cardregistration", form("redirect_url", required=True), USER_ID),
    ),
)

GET_USER_CARD_REGISTRATION = Operation(
    id="getUserCardRegistration",
    name="classic.user.card_registration",
    summary="How far a new card has come.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.READ,
    model=CardRegistration,
    bindings=for_user(
        "GET", "/user/payment/cardregistration/{id}", parameter("id", ParameterLocation.PATH, required=True)
    ),
)
