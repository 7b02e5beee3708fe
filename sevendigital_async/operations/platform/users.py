"""Accounts of the partner's users."""

from __future__ import annotations

from ...models import User
from ..operation import Auth, Operation, ParameterLocation, Safety, argument
from .binding import NEEDED_COUNTRY, bound, live

CREATE_USER = Operation(
    id="createUser",
    name="platform.users.create",
    summary="Open an account for a user.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.UNSAFE,
    model=User,
    bindings=bound(
        "POST",
        "/users",
        argument("email", ParameterLocation.FORM, required=True),
        argument("password", ParameterLocation.FORM, required=True),
        argument("country", ParameterLocation.FORM, required=True),
        argument("first_name", ParameterLocation.FORM),
        argument("last_name", ParameterLocation.FORM),
        live=live("GET", "/user/create", argument("user_id", required=True), NEEDED_COUNTRY),
    ),
)

OPERATIONS = (CREATE_USER,)
