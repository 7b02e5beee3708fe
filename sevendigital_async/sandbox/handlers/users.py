"""Accounts, and the subscriptions that belong to them."""

from __future__ import annotations

import re

from ..answers import (
    Answer,
    JsonAndXml,
    Problem,
    RefusalError,
    WithoutEnvelope,
    already_exists,
    invalid_value,
    not_found,
)
from ..calls import Call
from ..state.subscriptions import Subscription, month_after
from ..state.users import User
from .lookup import requested_country
from .purchases import buyer

_EMAIL_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_STATUSES = ("active", "cancelled", "expired")
_EDITABLE_FIELDS = ("email", "first_name", "last_name", "country", "password")


def signup(call: Call) -> Answer:
    """Open an account that the user manages."""
    names = {name: call.arguments.get(name) for name in ("first_name", "last_name")}
    user = call.state.users.create(
        _email(call), password=call.arguments["password"], country=requested_country(call), **names
    )
    if user is None:
        raise already_exists("user")
    return _user_and_token_answer(call, user)


def create(call: Call) -> Answer:
    """Open an account that the partner manages."""
    user = call.state.users.create(_email(call))
    if user is None:
        raise already_exists("user")
    return _user_answer(user)


def details(call: Call) -> Answer:
    user = call.state.users.get(call.arguments["user_id"])
    if user is None:
        raise not_found("user")
    return _user_answer(user)


def authenticate(call: Call) -> Answer:
    user = call.state.users.find(call.arguments["email"])
    if user is None or not user.has_password(call.arguments["password"]):
        raise RefusalError(401, Problem(2001, "No user has that address and that password"))
    return _user_and_token_answer(call, user)


def find(call: Call) -> Answer:
    email = call.arguments.get("email", "").casefold()
    users = [user for user in call.state.users.all() if email in {"", (user.email or "").casefold()}]
    trees = [_tree(user) for user in users]
    return Answer(content=JsonAndXml(json={"users": trees}, xml={"users": {"user": trees}}))


def update(call: Call) -> Answer:
    """Change an account's fields; users change their own account."""
    id_ = call.arguments["id"]
    if call.user not in {None, id_}:
        raise RefusalError(403, "OAuth authentication error: Access to resource denied")
    if call.user is None and call.state.users.get(id_) is None:
        raise not_found("user")
    given = {name: call.arguments[name] for name in _EDITABLE_FIELDS if name in call.arguments}
    if "email" in given:
        other = call.state.users.find(_email(call))
        if other is not None and other.id != id_:
            raise already_exists("user")
    if "country" in given:
        given["country"] = requested_country(call)
    return _user_answer(call.state.users.update(id_, **given))


def unlimited_streaming(call: Call) -> Answer:
    subscription = call.state.subscriptions.of(buyer(call))
    if subscription is None:
        raise not_found("subscription")
    return _subscription_answer(call, subscription)


def update_unlimited_streaming(call: Call) -> Answer:
    """Begin a subscription of a month, or end one."""
    user, status = call.arguments["user_id"], call.choice("status", _STATUSES)
    subscriptions, today = call.state.subscriptions, call.utc_now.date()
    if status == "active":
        return _subscription_answer(call, subscriptions.create(user, start=today, end=month_after(today)))
    subscription = subscriptions.of(user)
    if subscription is None:
        raise not_found("subscription")
    return _subscription_answer(call, subscriptions.set_status(subscription, status or subscription.status))


HANDLERS = {
    "classic.user.signup": signup,
    "classic.user.create": create,
    "classic.user.details": details,
    "classic.user.authenticate": authenticate,
    "classic.user.unlimited_streaming": unlimited_streaming,
    "classic.user.update_unlimited_streaming": update_unlimited_streaming,
    "classic.users.find": find,
    "classic.users.update": update,
}


def _email(call: Call) -> str:
    email: str = call.arguments["email"]
    if not _EMAIL_ADDRESS.fullmatch(email):
        raise invalid_value("email", "an address")
    return email


def _tree(user: User) -> dict[str, str]:
    tree = {
        "id": user.id,
        "email": user.email,
        "firstName": user.first_name,
        "lastName": user.last_name,
        "country": user.country,
    }
    return {name: value for name, value in tree.items() if value is not None}


def _user_answer(user: User) -> Answer:
    return _account_answer(_tree(user))


def _user_and_token_answer(call: Call, user: User) -> Answer:
    token = call.state.token_for(user.id)
    return _account_answer({**_tree(user), "accessToken": token.token, "accessTokenSecret": token.secret})


def _account_answer(tree: dict[str, str]) -> Answer:
    return Answer(content=JsonAndXml(json=WithoutEnvelope(tree), xml={"user": tree}))


def _subscription_answer(call: Call, subscription: Subscription) -> Answer:
    tree = {
        "userId": subscription.user,
        "status": subscription.status_on(call.utc_now.date()),
        "startDate": subscription.start.isoformat(),
        "endDate": subscription.end.isoformat(),
        "productId": subscription.product,
    }
    return Answer(content=JsonAndXml(json=WithoutEnvelope(tree), xml={"subscriptionStatus": tree}))
