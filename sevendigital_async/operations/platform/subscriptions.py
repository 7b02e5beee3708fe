"""Subscriptions that the partner has sold."""

from __future__ import annotations

from ...models import Subscription
from ..operation import Auth, Operation, Place, Safety, argument
from .binding import bound

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
        argument("user_id", Place.FORM, required=True),
        argument("product_id", Place.FORM, required=True),
        argument("start_date", Place.FORM, required=True),
        argument("end_date", Place.FORM, required=True),
        argument("country", Place.FORM),
    ),
)

OPERATIONS = (CREATE_SUBSCRIPTION,)
