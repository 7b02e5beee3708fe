"""Subscriptions that the partner has sold."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from ...errors import InvalidArgumentError
from ...models import Subscription, SubscriptionStatus
from ..operation import Auth, Operation, Parameter, ParameterLocation, Safety, country_parameter, parameter
from .binding import COUNTRY, bind, bind_live_only, live_binding

MIDNIGHT_FORMAT = "%Y-%m-%dT00:00:00Z"
"""How a day is written where the service expects a time."""


def _checked_date(name: str, value: object) -> object:
    """Refuse a time of day where the OpenAPI file has a date."""
    if isinstance(value, datetime):
        raise InvalidArgumentError(
            f"{name} must be a date, without a time of day, in the openapi dialect", argument=name
        )
    return value


def _without_microseconds(value: object) -> object:
    return value.replace(microsecond=0) if isinstance(value, datetime) else value


def _time_parameter(name: str, **more: Any) -> Parameter:
    return parameter(name, ParameterLocation.FORM, date_format=MIDNIGHT_FORMAT, write=_without_microseconds, **more)


CREATE_SUBSCRIPTION = Operation(
    id="createSubscription",
    name="platform.subscriptions.create",
    summary="Give a user access for up to a month.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.UNSAFE,
    model=Subscription,
    bindings=bind(
        "POST",
        "/subscriptions",
        parameter("user_id", ParameterLocation.FORM, required=True),
        parameter("product_id", ParameterLocation.FORM, required=True),
        parameter("start_date", ParameterLocation.FORM, required=True, write=partial(_checked_date, "start_date")),
        parameter("end_date", ParameterLocation.FORM, required=True, write=partial(_checked_date, "end_date")),
        country_parameter(ParameterLocation.FORM),
        live=live_binding(
            "POST",
            "/user/unlimitedStreaming",
            parameter("user_id", ParameterLocation.FORM, required=True),
            parameter("product_id", ParameterLocation.FORM, required=True, wire="planCode"),
            parameter("status", ParameterLocation.FORM, default="active"),
            parameter("currency", ParameterLocation.FORM, required=True),
            parameter("recurring_fee", ParameterLocation.FORM, required=True),
            country_parameter(ParameterLocation.FORM, required=True),
            _time_parameter("activated_at", required=True),
            _time_parameter("start_date", required=True, wire="currentPeriodStartDate"),
            _time_parameter("end_date", required=True, wire="expiryDate"),
            parameter("postcode", ParameterLocation.FORM),
            _time_parameter("trial_ends_at"),
        ),
    ),
)

GET_SUBSCRIPTION_STATUS = Operation(
    id="getSubscriptionStatus",
    name="platform.subscriptions.status",
    summary="The state of a user's subscription.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.READ,
    model=SubscriptionStatus,
    instead="use classic.user.unlimited_streaming, signed by the user",
    bindings=bind_live_only("GET", "/user/unlimitedStreaming", parameter("user_id", required=True), COUNTRY),
)
