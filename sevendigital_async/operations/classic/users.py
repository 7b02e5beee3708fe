"""The partner's users in the classic API."""

from __future__ import annotations

from attrs import evolve

from ...models import User
from ..operation import Auth, Operation, ParameterLocation, Safety, country_parameter, parameter
from .binding import bind, form_field, live_binding

EMAIL_ADDRESS = parameter("email", wire="emailAddress")
PATH_USER_ID = parameter("id", ParameterLocation.PATH, required=True)
UPDATE_PATH = "/users/{id}/update"

FIND_USERS = Operation(
    id="findUsers",
    name="classic.users.find",
    summary="The partner's users.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.READ,
    model=User,
    paged=True,
    bindings=bind("GET", "/users", parameter("email"), live=live_binding("GET", "/users", EMAIL_ADDRESS)),
)

UPDATE_USER = Operation(
    id="updateUser",
    name="classic.users.update",
    summary="Change a user's profile.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.IDEMPOTENT,
    model=User,
    bindings=bind(
        "PUT",
        UPDATE_PATH,
        PATH_USER_ID,
        form_field("email"),
        form_field("first_name"),
        form_field("last_name"),
        country_parameter(ParameterLocation.FORM),
        live=live_binding(
            "PUT",
            UPDATE_PATH,
            PATH_USER_ID,
            evolve(EMAIL_ADDRESS, location=ParameterLocation.FORM),
            form_field("first_name"),
            form_field("last_name"),
            country_parameter(ParameterLocation.FORM),
            form_field("password"),
        ),
    ),
)
