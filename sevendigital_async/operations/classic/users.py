"""The partner's users in the classic API."""

from __future__ import annotations

from attrs import evolve

from ...models import User
from ..operation import Auth, Operation, ParameterLocation, Safety, country_parameter, parameter
from .binding import bound, form, live

EMAIL_ADDRESS = parameter("email", wire="emailAddress")
USER = parameter("id", ParameterLocation.PATH, required=True)
UPDATE = "/users/{id}/update"

FIND_USERS = Operation(
    id="findUsers",
    name="classic.users.find",
    summary="The partner's users.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.READ,
    model=User,
    paged=True,
    bindings=bound("GET", "/users", parameter("email"), live=live("GET", "/users", EMAIL_ADDRESS)),
)

UPDATE_USER = Operation(
    id="updateUser",
    name="classic.users.update",
    summary="Change a user's profile.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.IDEMPOTENT,
    model=User,
    bindings=bound(
        "PUT",
        UPDATE,
        USER,
        form("email"),
        form("first_name"),
        form("last_name"),
        country_parameter(ParameterLocation.FORM),
        live=live(
            "PUT",
            UPDATE,
            USER,
            evolve(EMAIL_ADDRESS, location=ParameterLocation.FORM),
            form("first_name"),
            form("last_name"),
            country_parameter(ParameterLocation.FORM),
            form("password"),
        ),
    ),
)
