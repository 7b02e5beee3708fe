"""What a user owns and buys: the part of ``user`` that moves money.

A purchase or a delivery is a GET here; none is ever repeated after it may have been processed.
"""

from __future__ import annotations

from ...models import LockerRelease, PreparedPurchase, Purchase
from ..operation import LOST_SALE_ADVICE, Auth, Operation, Safety, country_parameter, parameter
from .binding import (
    COUNTRY,
    ITEM_IDS,
    LIVE_ONLY_HINT,
    LIVE_PAGING,
    PAGING,
    SHOP_ID,
    TRACK_NEEDS_RELEASE,
    USER_ID,
    bind,
    bind_for_user,
    bind_live_only,
    live_binding,
)

LOCKER_FILTERS = (*ITEM_IDS, parameter("purchase_id"), parameter("sort"))
COUNTRY_AND_SHOP = (COUNTRY, SHOP_ID)
TAG = parameter("tag")
LOST_PURCHASE_ADVICE = "the user may have been charged: look into the user's locker before the purchase is made again"
SALE_PARAMETERS = (parameter("transaction_id"), parameter("retail_price"), parameter("email_address"))

GET_USER_LOCKER = Operation(
    id="getUserLocker",
    name="classic.user.locker",
    summary="What the user owns.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.READ,
    model=LockerRelease,
    paged=True,
    bindings=bind(
        "GET",
        "/user/locker",
        *LOCKER_FILTERS,
        COUNTRY,
        *PAGING,
        needs=TRACK_NEEDS_RELEASE,
        live=live_binding(
            "GET",
            "/user/locker",
            *LOCKER_FILTERS,
            country_parameter(required=True),
            *LIVE_PAGING,
            USER_ID,
            needs=TRACK_NEEDS_RELEASE,
        ),
    ),
)

PURCHASE_USER_ITEM = Operation(
    id="purchaseUserItem",
    name="classic.user.purchase_item",
    summary="Buy at the advertised price.",
    auth=Auth.THREE_LEGGED,
    advice=LOST_PURCHASE_ADVICE,
    safety=Safety.UNSAFE,
    model=Purchase,
    bindings=bind(
        "GET",
        "/user/purchase/item",
        *ITEM_IDS,
        parameter("price"),
        *COUNTRY_AND_SHOP,
        TAG,
        live=live_binding(
            "GET",
            "/user/purchase/item",
            *ITEM_IDS,
            parameter("price"),
            *COUNTRY_AND_SHOP,
            TAG,
            USER_ID,
            needs=TRACK_NEEDS_RELEASE,
        ),
    ),
)

PURCHASE_USER_RRP_ITEM = Operation(
    id="purchaseUserRrpItem",
    name="classic.user.purchase_rrp_item",
    summary="Buy at the recommended retail price.",
    auth=Auth.THREE_LEGGED,
    advice=LOST_PURCHASE_ADVICE,
    safety=Safety.UNSAFE,
    model=Purchase,
    bindings=bind_for_user(
        "GET",
        "/user/purchase/rrpitem",
        *ITEM_IDS,
        parameter("price"),
        *COUNTRY_AND_SHOP,
        TAG,
        needs=TRACK_NEEDS_RELEASE,
    ),
)

PURCHASE_USER_BASKET = Operation(
    id="purchaseUserBasket",
    name="classic.user.purchase_basket",
    summary="Buy all that is in a basket.",
    auth=Auth.THREE_LEGGED,
    advice=LOST_PURCHASE_ADVICE,
    safety=Safety.UNSAFE,
    model=Purchase,
    bindings=bind_for_user(
        "GET", "/user/purchase/basket", parameter("basket_id", required=True), *COUNTRY_AND_SHOP, TAG
    ),
)

PURCHASE_USER_PRICED_ITEM = Operation(
    id="purchaseUserPricedItem",
    name="classic.user.purchase_priced_item",
    summary="Buy at a price of the partner's own.",
    auth=Auth.THREE_LEGGED,
    advice=LOST_PURCHASE_ADVICE,
    safety=Safety.UNSAFE,
    model=Purchase,
    bindings=bind_for_user(
        "GET",
        "/user/purchase/priceditem",
        parameter("price", required=True),
        *ITEM_IDS,
        *COUNTRY_AND_SHOP,
        needs=TRACK_NEEDS_RELEASE,
    ),
)

DELIVER_USER_ITEM = Operation(
    id="deliverUserItem",
    name="classic.user.deliver_item",
    summary="Hand over what the partner has sold.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.UNSAFE,
    model=Purchase,
    advice=LOST_SALE_ADVICE,
    bindings=bind(
        "GET",
        "/user/deliveritem",
        *ITEM_IDS,
        *SALE_PARAMETERS,
        *COUNTRY_AND_SHOP,
        live=live_binding(
            "GET",
            "/user/deliveritem",
            *ITEM_IDS,
            *SALE_PARAMETERS,
            *COUNTRY_AND_SHOP,
            USER_ID,
            needs=TRACK_NEEDS_RELEASE,
        ),
    ),
)

# Whether a payment that is prepared twice is one payment is not documented.
PREPARE_USER_PURCHASE = Operation(
    id="prepareUserPurchase",
    name="classic.user.prepare_purchase",
    summary="Begin the payment for a basket.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.UNSAFE,
    model=PreparedPurchase,
    instead=LIVE_ONLY_HINT,
    bindings=bind_live_only(
        "GET", "/user/purchase/prepare", parameter("basket_id", required=True), *COUNTRY_AND_SHOP, USER_ID
    ),
)
