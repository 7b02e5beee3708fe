"""What a user owns and buys: the part of ``user`` that moves money.

A purchase or a delivery is a GET here; none is ever repeated after it may have been processed.
"""

from __future__ import annotations

from ...models import LockerRelease, PreparedPurchase, Purchase
from ..operation import LOST_SALE, Auth, Operation, Safety, country_parameter, parameter
from .binding import (
    COUNTRY,
    ITEM,
    LIVE_PAGING,
    ONLY_LIVE,
    PAGING,
    SHOP_ID,
    TRACK_OF_RELEASE,
    USER_ID,
    bound,
    for_user,
    live,
    live_only,
)

FILTERS = (*ITEM, parameter("purchase_id"), parameter("sort"))
SHOP = (COUNTRY, SHOP_ID)
TAG = parameter("tag")
LOST_PURCHASE = "the user may have been charged: look into the user's locker before the purchase is made again"
SALE = (parameter("transaction_id"), parameter("retail_price"), parameter("email_address"))

GET_USER_LOCKER = Operation(
    id="getUserLocker",
    name="classic.user.locker",
    summary="What the user owns.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.READ,
    model=LockerRelease,
    paged=True,
    bindings=bound(
        "GET",
        "/user/locker",
        *FILTERS,
        COUNTRY,
        *PAGING,
        needs=TRACK_OF_RELEASE,
        live=live(
            "GET",
            "/user/locker",
            *FILTERS,
            country_parameter(required=True),
            *LIVE_PAGING,
            USER_ID,
            needs=TRACK_OF_RELEASE,
        ),
    ),
)

PURCHASE_USER_ITEM = Operation(
    id="purchaseUserItem",
    name="classic.user.purchase_item",
    summary="Buy at the advertised price.",
    auth=Auth.THREE_LEGGED,
    advice=LOST_PURCHASE,
    safety=Safety.UNSAFE,
    model=Purchase,
    bindings=bound(
        "GET",
        "/user/purchase/item",
        *ITEM,
        parameter("price"),
        *SHOP,
        TAG,
        live=live(
            "GET",
            "/user/purchase/item",
            *ITEM,
            parameter("price"),
            *SHOP,
            TAG,
            USER_ID,
            needs=TRACK_OF_RELEASE,
        ),
    ),
)

PURCHASE_USER_RRP_ITEM = Operation(
    id="purchaseUserRrpItem",
    name="classic.user.purchase_rrp_item",
    summary="Buy at the recommended retail price.",
    auth=Auth.THREE_LEGGED,
    advice=LOST_PURCHASE,
    safety=Safety.UNSAFE,
    model=Purchase,
    bindings=for_user("GET", "/user/purchase/rrpitem", *ITEM, parameter("price"), *SHOP, TAG, needs=TRACK_OF_RELEASE),
)

PURCHASE_USER_BASKET = Operation(
    id="purchaseUserBasket",
    name="classic.user.purchase_basket",
    summary="Buy all that is in a basket.",
    auth=Auth.THREE_LEGGED,
    advice=LOST_PURCHASE,
    safety=Safety.UNSAFE,
    model=Purchase,
    bindings=for_user("GET", "/user/purchase/basket", parameter("basket_id", required=True), *SHOP, TAG),
)

PURCHASE_USER_PRICED_ITEM = Operation(
    id="purchaseUserPricedItem",
    name="classic.user.purchase_priced_item",
    summary="Buy at a price of the partner's own.",
    auth=Auth.THREE_LEGGED,
    advice=LOST_PURCHASE,
    safety=Safety.UNSAFE,
    model=Purchase,
    bindings=for_user(
        "GET",
        "/user/purchase/priceditem",
        parameter("price", required=True),
        *ITEM,
        *SHOP,
        needs=TRACK_OF_RELEASE,
    ),
)

DELIVER_USER_ITEM = Operation(
    id="deliverUserItem",
    name="classic.user.deliver_item",
    summary="Hand over what the partner has sold.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.UNSAFE,
    model=Purchase,
    advice=LOST_SALE,
    bindings=bound(
        "GET",
        "/user/deliveritem",
        *ITEM,
        *SALE,
        *SHOP,
        live=live("GET", "/user/deliveritem", *ITEM, *SALE, *SHOP, USER_ID, needs=TRACK_OF_RELEASE),
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
    instead=ONLY_LIVE,
    bindings=live_only("GET", "/user/purchase/prepare", parameter("basket_id", required=True), *SHOP, USER_ID),
)
