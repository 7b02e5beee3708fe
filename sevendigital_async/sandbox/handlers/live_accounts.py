"""Users and subscriptions of the live dialect: the partner chooses the users' ids, and nothing else is stored."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from ..answers import Answer, already_exists, invalid_choice, invalid_value, not_found, out_of_range
from ..calls import Call
from ..state.subscriptions import Subscription
from .request_fields import is_iso_time, iso_time, optional_country, required_text
from .request_user import named_user

_MAX_NAME = 255
_TRIAL_PLAN = "trial-unlimited-streaming"
_MAX_START_DELAY = timedelta(days=1)


def create_user(call: Call) -> Answer:
    name = required_text(call, "user_id", "userId")
    if len(name) > _MAX_NAME:
        raise out_of_range("userId", f"up to {_MAX_NAME} characters")
    code = optional_country(call)
    if call.state.users.get(name) is not None:
        raise already_exists("user")
    call.state.users.update(name, country=code or "")
    return Answer(content={"user": {"id": name, "country": code}})


def create_subscription(call: Call) -> Answer:
    user, plan = named_user(call), required_text(call, "product_id", "planCode")
    optional_country(call)
    if call.arguments["status"] != "active":
        raise invalid_choice("status", ("active",))
    if not call.arguments["recurring_fee"].isdigit():
        raise invalid_value("recurringFee", "a whole number of cents")
    activated, start, end = (
        _required_time(call, name, wire)
        for name, wire in (
            ("activated_at", "activatedAt"),
            ("start_date", "currentPeriodStartDate"),
            ("end_date", "expiryDate"),
        )
    )
    if activated > call.utc_now or activated > start or start > call.utc_now + _MAX_START_DELAY:
        raise invalid_value("activatedAt", "a time that has passed, before currentPeriodStartDate, which is near")
    if (plan == _TRIAL_PLAN) is not ("trial_ends_at" in call.arguments):
        raise invalid_value("trialEndsAt", "a time for trials, and nothing for other plans")
    try:
        subscription = call.state.subscriptions.create(
            user, start=start.date(), end=end.date(), product=plan, expires=end
        )
    except ValueError:
        raise out_of_range("expiryDate", "up to a month after currentPeriodStartDate") from None
    return _subscription_answer(call, subscription)


def subscription_status(call: Call) -> Answer:
    subscription = call.state.subscriptions.of(named_user(call))
    if subscription is None:
        raise not_found("subscription")
    return _subscription_answer(call, subscription)


HANDLERS = {
    "platform.users.create": create_user,
    "classic.user.create": create_user,
    "platform.subscriptions.create": create_subscription,
    "platform.subscriptions.status": subscription_status,
}


def _required_time(call: Call, name: str, wire: str) -> datetime:
    text = required_text(call, name, wire)
    if not is_iso_time(text):
        raise invalid_value(wire, "a time such as 2026-05-28T00:00:00Z")
    return datetime.fromisoformat(text)


def _subscription_answer(call: Call, subscription: Subscription) -> Answer:
    level = subscription.product.partition("-")[0]
    ends = subscription.expires_at or datetime.combine(subscription.end, time(), UTC)
    status = subscription.status_on(call.utc_now.date())
    return Answer(content={"streaming": {"level": level, "expiryDate": iso_time(ends), "status": status}})
