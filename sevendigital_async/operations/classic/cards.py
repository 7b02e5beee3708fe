"""A user's payment cards: the part of ``user`` that keeps ways to pay."""

from __future__ import annotations

from ...models import CardRegistration, PaymentCard
from ..operation import Auth, Operation, ParameterLocation, Safety, country_parameter, parameter
from .binding import LIVE_ONLY_HINT, USER_ID, bind, bind_for_user, bind_live_only, form_field, live_binding

MONTH = "%Y%m"
"""How the dates on a card are written."""

CARD_ID = form_field("card_id", required=True)

LIST_USER_PAYMENT_CARDS = Operation(
    id="listUserPaymentCards",
    name="classic.user.payment_cards",
    summary="The user's cards.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.READ,
    model=PaymentCard,
    paged=True,
    bindings=bind_for_user("GET", "/user/payment/card"),
)

SELECT_USER_PAYMENT_CARD = Operation(
    id="selectUserPaymentCard",
    name="classic.user.select_payment_card",
    summary="Charge another card from now on.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.UNSAFE,
    bindings=bind_for_user("POST", "/user/payment/card/select", CARD_ID),
)

DELETE_USER_PAYMENT_CARD = Operation(
    id="deleteUserPaymentCard",
    name="classic.user.delete_payment_card",
    summary="Forget a card.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.UNSAFE,
    bindings=bind_for_user("POST", "/user/payment/card/delete", CARD_ID),
)

REGISTER_USER_PAYMENT_CARD = Operation(
    id="registerUserPaymentCard",
    name="classic.user.register_payment_card",
    summary="Add a card.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.UNSAFE,
    model=CardRegistration,
    bindings=bind(
        "POST",
        "/user/payment/cardregistration",
        form_field("card_number", required=True),
        form_field("expiry_month", required=True),
        form_field("expiry_year", required=True),
        form_field("cvv", required=True),
        form_field("cardholder_name"),
        live=live_binding("POST", "/user/payment/cardregistration", form_field("redirect_url", required=True), USER_ID),
    ),
)

GET_USER_CARD_REGISTRATION = Operation(
    id="getUserCardRegistration",
    name="classic.user.card_registration",
    summary="How far a new card has come.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.READ,
    model=CardRegistration,
    bindings=bind_for_user(
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
    instead=LIVE_ONLY_HINT,
    bindings=bind_live_only(
        "POST",
        "/user/payment/card/add",
        form_field("card_number", required=True),
        form_field("card_type", required=True),
        form_field("card_holder_name", required=True),
        parameter("card_expiry_date", ParameterLocation.FORM, required=True, date_format=MONTH),
        form_field("card_verification_code", required=True),
        form_field("card_post_code"),
        country_parameter(ParameterLocation.FORM, name="card_country"),
        form_field("card_issue_number"),
        parameter("card_start_date", ParameterLocation.FORM, date_format=MONTH),
        USER_ID,
    ),
)
