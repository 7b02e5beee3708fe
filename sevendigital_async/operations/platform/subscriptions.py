"""Subscriptions that the partner has sold."""

from __future__ import annotations

from ...models import Subscription, SubscriptionStatus
from ..operation import Auth, Operation, ParameterLocation, Safety, argument
from .binding import COUNTRY, bound, live, live_only

MIDNIGHT = "%Y-%m-%dT00:00:00Z"
"""How a day is told where the service wants a moment."""

CREATE_SUBSCRIPTION = Operation(
    id="createSubscription",
    name="platform.subscriptions.create",
    summary="Give a user access for up to a month.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.UNSAFE,
    model=Subscription,
    bindings=bound(
        "POST",
        "/subscriptions",
        argument("user_id", ParameterLocation.FORM, required=True),
        argument("product_id", ParameterLocation.FORM, required=True),
        argument("start_date", ParameterLocation.FORM, required=True),
        argument("end_date", ParameterLocation.FORM, required=True),
        argument("country", ParameterLocation.FORM),
        live=live(
            "POST",
            "/user/unlimitedStreaming",
            argument("user_id", ParameterLocation.FORM, required=True),
            argument("product_id", ParameterLocation.FORM, required=True, wire="planCode"),
            argument("status", ParameterLocation.FORM, default="active"),
            argument("currency", ParameterLocation.FORM, required=True),
            argument("recurring_fee", ParameterLocation.FORM, required=True),
            argument("country", ParameterLocation.FORM, required=True),
            argument("activated_at", ParameterLocation.FORM, required=True, date_format=MIDNIGHT),
            argument(
                "start_date", ParameterLocation.FORM, required=True, wire="currentPeriodStartDate", date_format=MIDNIGHT
            ),
            argument("end_date", ParameterLocation.FORM, required=True, wire="expiryDate", date_format=MIDNIGHT),
            argument("postcode", ParameterLocation.FORM),
            argument("trial_ends_at", ParameterLocation.FORM, date_format=MIDNIGHT),
        ),
    ),
)

GET_SUBSCRIPTION_STATUS = Operation(
    id="getSubscriptionStatus",
    name="platform.subscriptions.status",
    summary="How a user's subscription stands.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.READ,
    model=SubscriptionStatus,
    instead="use classic.user.unlimited_streaming, signed by the user",
    bindings=live_only("GET", "/user/unlimitedStreaming", argument("user_id", required=True), COUNTRY),
)

OPERATIONS = (CREATE_SUBSCRIPTION, GET_SUBSCRIPTION_STATUS)
