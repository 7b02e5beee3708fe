"""Subscriptions that the partner has sold."""

from __future__ import annotations

from ...models import Subscription, SubscriptionStatus
from ..operation import Auth, Operation, ParameterLocation, Safety, parameter
from .binding import COUNTRY, bound, live, live_only

MIDNIGHT = "%Y-%m-%dT00:00:00Z"
"""How a day is written where the service expects a time."""

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
        parameter("user_id", ParameterLocation.FORM, required=True),
        parameter("product_id", ParameterLocation.FORM, required=True),
        parameter("start_date", ParameterLocation.FORM, required=True),
        parameter("end_date", ParameterLocation.FORM, required=True),
        parameter("country", ParameterLocation.FORM),
        live=live(
            "POST",
            "/user/unlimitedStreaming",
            parameter("user_id", ParameterLocation.FORM, required=True),
            parameter("product_id", ParameterLocation.FORM, required=True, wire="planCode"),
            parameter("status", ParameterLocation.FORM, default="active"),
            parameter("currency", ParameterLocation.FORM, required=True),
            parameter("recurring_fee", ParameterLocation.FORM, required=True),
            parameter("country", ParameterLocation.FORM, required=True),
            parameter("activated_at", ParameterLocation.FORM, required=True, date_format=MIDNIGHT),
            parameter(
                "start_date", ParameterLocation.FORM, required=True, wire="currentPeriodStartDate", date_format=MIDNIGHT
            ),
            parameter("end_date", ParameterLocation.FORM, required=True, wire="expiryDate", date_format=MIDNIGHT),
            parameter("postcode", ParameterLocation.FORM),
            parameter("trial_ends_at", ParameterLocation.FORM, date_format=MIDNIGHT),
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
    bindings=live_only("GET", "/user/unlimitedStreaming", parameter("user_id", required=True), COUNTRY),
)
