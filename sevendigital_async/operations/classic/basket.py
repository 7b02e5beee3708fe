"""Baskets of the classic API.

Most of them change something by GET: what may be repeated is said here, not by the verb.
"""

from __future__ import annotations

from ...models import Basket, BasketStatus, PaypalCheckout, Purchase
from ..operation import Auth, Operation, ParameterLocation, Safety, country_parameter, parameter
from .binding import (
    COUNTRY,
    ITEM_IDS,
    LIVE_ONLY_HINT,
    TRACK_NEEDS_RELEASE,
    USER_ID,
    bind,
    bind_live_only,
    form_field,
    live_binding,
)

BASKET_ID = parameter("basket_id", required=True)
FORM_BASKET_ID = form_field("basket_id", required=True)
"""The live service refuses such parameters in the query of a POST, with code 1007."""

VOUCHER_CODE = form_field("voucher_code", required=True)
PAYPAL = (form_field("payer_id", required=True), form_field("token", required=True))
AFFILIATE_PARTNER = parameter("affiliate_partner")

GET_BASKET = Operation(
    id="getBasket",
    name="classic.basket.details",
    summary="What is in a basket.",
    safety=Safety.READ,
    model=Basket,
    bindings=bind("GET", "/basket", BASKET_ID, COUNTRY),
)

CREATE_BASKET = Operation(
    id="createBasket",
    name="classic.basket.create",
    summary="A new, empty basket.",
    safety=Safety.UNSAFE,
    model=Basket,
    bindings=bind("GET", "/basket/create", COUNTRY),
)

ADD_BASKET_ITEM = Operation(
    id="addBasketItem",
    name="classic.basket.add_item",
    summary="Put a release or a track into a basket.",
    safety=Safety.UNSAFE,
    model=Basket,
    bindings=bind(
        "GET",
        "/basket/addItem",
        BASKET_ID,
        *ITEM_IDS,
        COUNTRY,
        AFFILIATE_PARTNER,
        live=live_binding(
            "GET", "/basket/addItem", BASKET_ID, *ITEM_IDS, COUNTRY, AFFILIATE_PARTNER, needs=TRACK_NEEDS_RELEASE
        ),
    ),
)

REMOVE_BASKET_ITEM = Operation(
    id="removeBasketItem",
    name="classic.basket.remove_item",
    summary="Remove an item from a basket.",
    safety=Safety.UNSAFE,
    model=Basket,
    bindings=bind("GET", "/basket/removeItem", BASKET_ID, parameter("item_id", required=True), COUNTRY),
)

APPLY_BASKET_VOUCHER = Operation(
    id="applyBasketVoucher",
    name="classic.basket.apply_voucher",
    summary="Lower what is due for a basket.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.UNSAFE,
    model=Basket,
    bindings=bind(
        "POST",
        "/basket/applyVoucher",
        BASKET_ID,
        VOUCHER_CODE,
        country_parameter(ParameterLocation.FORM),
        live=live_binding(
            "POST", "/basket/applyVoucher", FORM_BASKET_ID, VOUCHER_CODE, country_parameter(ParameterLocation.FORM)
        ),
    ),
)

ADD_PRICED_BASKET_ITEM = Operation(
    id="addPricedBasketItem",
    name="classic.basket.add_priced_item",
    summary="Put something into a basket at a price of one's own.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.UNSAFE,
    model=Basket,
    bindings=bind(
        "GET",
        "/basket/addpriceditem",
        BASKET_ID,
        parameter("price", required=True),
        *ITEM_IDS,
        needs=TRACK_NEEDS_RELEASE,
    ),
)

GET_BASKET_PAYPAL_URL = Operation(
    id="getBasketPayPalUrl",
    name="classic.basket.paypal_url",
    summary="Where the shopper consents to pay by PayPal.",
    safety=Safety.IDEMPOTENT,  # another address each time, but nothing is charged before the purchase is completed
    model=PaypalCheckout,
    bindings=bind("GET", "/basket/paypalurl", BASKET_ID),
)

COMPLETE_BASKET_PAYPAL_PURCHASE = Operation(
    id="completeBasketPayPalPurchase",
    name="classic.basket.complete_paypal_purchase",
    summary="Charge what the shopper has consented to.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.UNSAFE,
    model=Purchase,
    bindings=bind(
        "POST",
        "/basket/completepaypalpurchase",
        BASKET_ID,
        *PAYPAL,
        live=live_binding("POST", "/basket/completepaypalpurchase", FORM_BASKET_ID, *PAYPAL, USER_ID),
    ),
)

GET_BASKET_STATUS = Operation(
    id="getBasketStatus",
    name="classic.basket.status",
    summary="Whether a basket has been paid for.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.READ,
    model=BasketStatus,
    instead=LIVE_ONLY_HINT,
    bindings=bind_live_only(
        "GET", "/basket/{basketId}/status", parameter("basket_id", ParameterLocation.PATH, required=True)
    ),
)
