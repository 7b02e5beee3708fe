"""Sales made by the partner, their refunds, and the locker they fill."""

from __future__ import annotations

from ...models import LockerRelease, Purchase
from ..operation import LOST_SALE_ADVICE, Auth, Binding, Operation, ParameterLocation, Safety, parameter
from .binding import LIVE_PAGING, PAGING, REQUIRED_COUNTRY, bind, live_binding

REFUND_PARAMETERS = (
    parameter("user_id", ParameterLocation.JSON, required=True),
    parameter("purchase_id", ParameterLocation.JSON, required=True),
    parameter("reason", ParameterLocation.JSON),
)


def _refund_binding(noun: str, wire: str) -> Binding:
    # Whose purchase it is follows from the purchase.
    return live_binding(
        "DELETE",
        f"/user/purchase/{{purchaseid}}/{noun}/{{{wire}}}",
        parameter("purchase_id", ParameterLocation.PATH, required=True, wire="purchaseid"),
        parameter(f"{noun}_id", ParameterLocation.PATH, required=True, wire=wire),
        implied=("user_id",),
    )


GET_USER_LOCKER = Operation(
    id="getUserLocker",
    name="platform.sales.locker",
    summary="What a user has bought.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.READ,
    model=LockerRelease,
    paged=True,
    bindings=bind(
        "GET",
        "/users/{userId}/locker",
        parameter("user_id", ParameterLocation.PATH, required=True),
        *PAGING,
        live=live_binding(
            "GET",
            "/user/locker",
            parameter("user_id", required=True),
            REQUIRED_COUNTRY,
            *LIVE_PAGING,
            parameter("sort"),
            parameter("release_id"),
            parameter("track_id"),
            parameter("purchase_id"),
            needs={"track_id": "release_id"},
        ),
    ),
)

CREDIT_SALES_ITEM = Operation(
    id="creditSalesItem",
    name="platform.sales.credit_item",
    summary="Record a sale and put what was sold into the user's locker.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.UNSAFE,
    model=Purchase,
    advice=LOST_SALE_ADVICE,
    bindings=bind(
        "POST",
        "/sales/credit-item",
        parameter("user_id", ParameterLocation.FORM, required=True),
        parameter("currency", ParameterLocation.FORM, required=True),
        parameter("price", ParameterLocation.FORM, required=True),
        parameter("release_id", ParameterLocation.FORM),
        parameter("track_id", ParameterLocation.FORM),
        optional=True,
        live=live_binding(
            "GET",
            "/user/deliveritem",
            parameter("user_id", required=True),
            parameter("email_address"),
            parameter("release_id", required=True),
            parameter("track_id"),
            parameter("package_id"),
            REQUIRED_COUNTRY,
            parameter("transaction_id", required=True),
            parameter("price", required=True, wire="retailPrice"),
            parameter("postcode"),
            parameter("currency", required=True),
        ),
    ),
)

REPORT_RELEASE_REFUND = Operation(
    id="reportReleaseRefund",
    name="platform.sales.refund_release",
    summary="Take a refunded release out of the sales report.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.UNSAFE,
    bindings=bind("POST", "/sales/refund/release", *REFUND_PARAMETERS, live=_refund_binding("release", "releaseId")),
)

REPORT_TRACK_REFUND = Operation(
    id="reportTrackRefund",
    name="platform.sales.refund_track",
    summary="Take a refunded track out of the sales report.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.UNSAFE,
    bindings=bind("POST", "/sales/refund/track", *REFUND_PARAMETERS, live=_refund_binding("track", "trackid")),
)
