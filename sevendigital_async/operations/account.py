"""Pages of the account site: not operations of the API, but their addresses are signed like its calls."""

from __future__ import annotations

from ..config import Dialect, Host
from .operation import (
    Auth,
    Binding,
    Content,
    Operation,
    Parameter,
    ParameterLocation,
    Safety,
    country_parameter,
    parameter,
)

CONSUMER_KEY = parameter("consumer_key", ParameterLocation.PATH, required=True)


def _page(name: str, summary: str, path: str, *arguments: Parameter) -> Operation:
    binding = Binding("GET", f"/{{consumerKey}}{path}", (CONSUMER_KEY, *arguments), Host.ACCOUNT)
    return Operation(
        id=name,
        name=f"account.{name}",
        summary=summary,
        auth=Auth.THREE_LEGGED,
        safety=Safety.READ,
        content=Content.TEXT,
        bindings=dict.fromkeys(Dialect, binding),
    )


ADD_CARD_PAGE = _page(
    "addCardPage",
    "Where a user adds a payment card.",
    "/payment/addcard",
    country_parameter(),
    parameter("lang"),
    parameter("return_url"),
)

CARDS_PAGE = _page(
    "cardsPage",
    "Where a user sees and changes their payment cards.",
    "/payment",
    country_parameter(),
    parameter("lang"),
)
