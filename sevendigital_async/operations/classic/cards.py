"""A user's payment cards: the part of ``user`` that keeps ways to pay."""

from __future__ import annotations

from ...models import CardRegistration, PaymentCard
from ..operation import Auth, Operation, ParameterLocation, Safety, country_parameter, parameter
from .binding import ONLY_LIVE, USER_ID, bound, for_user, form, live, live_only

MONTH = "%Y%m"
"""How the dates on a card are written."""

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

ADD_USER_PAYMENT_CARD = Operation(
    id="addUserPaymentCard",
    name="classic.user.add_payment_card",
    summary="Add a card at once.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.UNSAFE,
    model=PaymentCard,
    instead=ONLY_LIVE,
    bindings=live_only(
        "POST",
        "/user/payment/card/add",
        form("card_number", required=True),
        form("card_type", required=True),
        form("card_holder_name", required=True),
        parameter("card_expiry_date", ParameterLocation.FORM, required=True, date_format=MONTH),
        form("card_verification_code", required=True),
        form("card_post_code"),
        country_parameter(ParameterLocation.FORM, name="card_country"),
        form("card_issue_number"),
        parameter("card_start_date", ParameterLocation.FORM, date_format=MONTH),
        USER_ID,
    ),
)
