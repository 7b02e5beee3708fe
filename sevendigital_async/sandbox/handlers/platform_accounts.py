"""The platform's users and their subscriptions."""

from __future__ import annotations

import re

from ..answers import Answer, WithoutEnvelope, already_exists, invalid_value, out_of_range
from ..calls import Call
from .request_fields import iso_time, optional_country, optional_text, required_date, required_text
from .request_user import named_user

_EMAIL_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def create_user(call: Call) -> Answer:
    email = required_text(call, "email", "email")
    if not _EMAIL_ADDRESS.fullmatch(email):
        raise invalid_value("email", "an address")
    user = call.state.users.create(
        email,
        password=required_text(call, "password", "password"),
        first_name=optional_text(call, "first_name", "firstName"),
        last_name=optional_text(call, "last_name", "lastName"),
        country=optional_country(call),
    )
    if user is None:
        raise already_exists("user")
    tree = {
        "id": user.id,
        "email": user.email,
        "firstName": user.first_name,
        "lastName": user.last_name,
        "country": user.country,
        "createdAt": iso_time(call.utc_now),
    }
    return Answer(
        status=201, content=WithoutEnvelope({name: value for name, value in tree.items() if value is not None})
    )


def create_subscription(call: Call) -> Answer:
    user, product = named_user(call), required_text(call, "product_id", "productId")
    start, end = required_date(call, "start_date", "startDate"), required_date(call, "end_date", "endDate")
    optional_country(call)
    try:
        subscription = call.state.subscriptions.create(user, start=start, end=end, product=product)
    except ValueError:
        raise out_of_range("endDate", "up to a month after startDate") from None
    tree = {
        "subscriptionId": subscription.id,
        "userId": subscription.user,
        "productId": subscription.product,
        "status": subscription.status_on(call.utc_now.date()),
        "startDate": subscription.start.isoformat(),
        "endDate": subscription.end.isoformat(),
    }
    return Answer(status=201, content=WithoutEnvelope(tree))


HANDLERS = {
    "platform.users.create": create_user,
    "platform.subscriptions.create": create_subscription,
}
