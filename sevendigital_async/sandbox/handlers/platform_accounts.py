"""The platform's users and their subscriptions."""

from __future__ import annotations

import re

from ..answers import Answer, Bare, exists, invalid, out_of_range
from ..calls import Call
from .bodies import country, day, needed, stamp, text
from .request_user import named_user

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def create_user(call: Call) -> Answer:
    email = needed(call, "email", "email")
    if not _ADDRESS.fullmatch(email):
        raise invalid("email", "an address")
    user = call.state.users.open(
        email,
        password=needed(call, "password", "password"),
        first_name=text(call, "first_name", "firstName"),
        last_name=text(call, "last_name", "lastName"),
        country=country(call),
    )
    if user is None:
        raise exists("user")
    tree = {
        "id": user.id,
        "email": user.email,
        "firstName": user.first_name,
        "lastName": user.last_name,
        "country": user.country,
        "createdAt": stamp(call.moment),
    }
    return Answer(status=201, content=Bare({name: value for name, value in tree.items() if value is not None}))


def create_subscription(call: Call) -> Answer:
    user, product = named_user(call), needed(call, "product_id", "productId")
    start, end = day(call, "start_date", "startDate"), day(call, "end_date", "endDate")
    country(call)
    try:
        subscription = call.state.subscriptions.begin(user, start=start, end=end, product=product)
    except ValueError:
        raise out_of_range("endDate", "up to a month after startDate") from None
    tree = {
        "subscriptionId": subscription.id,
        "userId": subscription.user,
        "productId": subscription.product,
        "status": subscription.status_on(call.moment.date()),
        "startDate": subscription.start.isoformat(),
        "endDate": subscription.end.isoformat(),
    }
    return Answer(status=201, content=Bare(tree))


HANDLERS = {
    "platform.users.create": create_user,
    "platform.subscriptions.create": create_subscription,
}
