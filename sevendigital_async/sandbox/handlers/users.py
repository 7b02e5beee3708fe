"""Accounts, and the subscriptions that belong to them."""

from __future__ import annotations

import re

from ..answers import Answer, Bare, Forms, Problem, RefusalError, exists, invalid, unknown
from ..calls import Call
from ..state.subscriptions import Subscription, month_after
from ..state.users import User
from .lookup import country
from .purchases import buyer

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_STATUSES = ("active", "cancelled", "expired")
_PARTICULARS = ("email", "first_name", "last_name", "country", "password")


def signup(call: Call) -> Answer:
    """Open an account that the user manages."""
    names = {name: call.arguments.get(name) for name in ("first_name", "last_name")}
    user = call.state.users.open(_email(call), password=call.arguments["password"], country=country(call), **names)
    if user is None:
        raise exists("user")
    return _with_token(call, user)


def create(call: Call) -> Answer:
    """Open an account that the partner manages."""
    user = call.state.users.open(_email(call))
    if user is None:
        raise exists("user")
    return _shown(user)


def details(call: Call) -> Answer:
    user = call.state.users.get(call.arguments["user_id"])
    if user is None:
        raise unknown("user")
    return _shown(user)


def authenticate(call: Call) -> Answer:
    user = call.state.users.find(call.arguments["email"])
    if user is None or not user.knows(call.arguments["password"]):
        raise RefusalError(401, Problem(2001, "No user has that address and that password"))
    return _with_token(call, user)


def find(call: Call) -> Answer:
    email = call.arguments.get("email", "").casefold()
    users = [user for user in call.state.users.all() if email in {"", (user.email or "").casefold()}]
    trees = [_tree(user) for user in users]
    return Answer(content=Forms(json={"users": trees}, xml={"users": {"user": trees}}))


def update(call: Call) -> Answer:
    """Change an account's fields; users change their own account."""
    id_ = call.arguments["id"]
    if call.user not in {None, id_}:
        raise RefusalError(403, "OAuth authentication error: Access to resource denied")
    if call.user is None and call.state.users.get(id_) is None:
        raise unknown("user")
    given = {name: call.arguments[name] for name in _PARTICULARS if name in call.arguments}
    if "email" in given:
        other = call.state.users.find(_email(call))
        if other is not None and other.id != id_:
            raise exists("user")
    if "country" in given:
        given["country"] = country(call)
    return _shown(call.state.users.update(id_, **given))


def unlimited_streaming(call: Call) -> Answer:
    subscription = call.state.subscriptions.of(buyer(call))
    if subscription is None:
        raise unknown("subscription")
    return _subscribed(call, subscription)


def update_unlimited_streaming(call: Call) -> Answer:
    """Begin a subscription of a month, or end one."""
    user, status = call.arguments["user_id"], call.choice("status", _STATUSES)
    subscriptions, today = call.state.subscriptions, call.moment.date()
    if status == "active":
        return _subscribed(call, subscriptions.begin(user, start=today, end=month_after(today)))
    subscription = subscriptions.of(user)
    if subscription is None:
        raise unknown("subscription")
    return _subscribed(call, subscriptions.mark(subscription, status or subscription.status))


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
    if not _ADDRESS.fullmatch(email):
        raise invalid("email", "an address")
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


def _shown(user: User) -> Answer:
    return _answer(_tree(user))


def _with_token(call: Call, user: User) -> Answer:
    token = call.state.token_for(user.id)
    return _answer({**_tree(user), "accessToken": token.token, "accessTokenSecret": token.secret})


def _answer(tree: dict[str, str]) -> Answer:
    return Answer(content=Forms(json=Bare(tree), xml={"user": tree}))


def _subscribed(call: Call, subscription: Subscription) -> Answer:
    tree = {
        "userId": subscription.user,
        "status": subscription.status_on(call.moment.date()),
        "startDate": subscription.start.isoformat(),
        "endDate": subscription.end.isoformat(),
        "productId": subscription.product,
    }
    return Answer(content=Forms(json=Bare(tree), xml={"subscriptionStatus": tree}))
