"""Users and subscriptions of the live dialect: the partner chooses the users' ids, and nothing else is stored."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from ..answers import Answer, exists, invalid, no_choice, out_of_range, unknown
from ..calls import Call
from ..state.subscriptions import Subscription
from .bodies import country, is_moment, needed, stamp
from .request_user import named_user

_MAX_NAME = 255
_TRIAL = "trial-unlimited-streaming"
_DAY = timedelta(days=1)


def create_user(call: Call) -> Answer:
    name = needed(call, "user_id", "userId")
    if len(name) > _MAX_NAME:
        raise out_of_range("userId", f"up to {_MAX_NAME} characters")
    code = country(call)
    if call.state.users.get(name) is not None:
        raise exists("user")
    call.state.users.update(name, country=code or "")
    return Answer(content={"user": {"id": name, "country": code}})


def create_subscription(call: Call) -> Answer:
    user, plan = named_user(call), needed(call, "product_id", "planCode")
    country(call)
    if call.arguments["status"] != "active":
        raise no_choice("status", ("active",))
    if not call.arguments["recurring_fee"].isdigit():
        raise invalid("recurringFee", "a whole number of cents")
    activated, start, end = (
        _moment(call, name, wire)
        for name, wire in (
            ("activated_at", "activatedAt"),
            ("start_date", "currentPeriodStartDate"),
            ("end_date", "expiryDate"),
        )
    )
    if activated > call.moment or activated > start or start > call.moment + _DAY:
        raise invalid("activatedAt", "a time that has passed, before currentPeriodStartDate, which is near")
    if (plan == _TRIAL) is not ("trial_ends_at" in call.arguments):
        raise invalid("trialEndsAt", "a time for trials, and nothing for other plans")
    try:
        subscription = call.state.subscriptions.begin(
            user, start=start.date(), end=end.date(), product=plan, expires=end
        )
    except ValueError:
        raise out_of_range("expiryDate", "up to a month after currentPeriodStartDate") from None
    return _streaming(call, subscription)


def subscription_status(call: Call) -> Answer:
    subscription = call.state.subscriptions.of(named_user(call))
    if subscription is None:
        raise unknown("subscription")
    return _streaming(call, subscription)


HANDLERS = {
    "platform.users.create": create_user,
    "classic.user.create": create_user,
    "platform.subscriptions.create": create_subscription,
    "platform.subscriptions.status": subscription_status,
}


def _moment(call: Call, name: str, wire: str) -> datetime:
    text = needed(call, name, wire)
    if not is_moment(text):
        raise invalid(wire, "a time such as 2026-05-28T00:00:00Z")
    return datetime.fromisoformat(text)


def _streaming(call: Call, subscription: Subscription) -> Answer:
    level = subscription.product.partition("-")[0]
    ends = subscription.expires or datetime.combine(subscription.end, time(), UTC)
    status = subscription.status_on(call.moment.date())
    return Answer(content={"streaming": {"level": level, "expiryDate": stamp(ends), "status": status}})
