"""Accounts of the partner's users."""

from __future__ import annotations

from ...models import User
from ..operation import Auth, Operation, ParameterLocation, Safety, country_parameter, parameter
from .binding import REQUIRED_COUNTRY, bind, live_binding

CREATE_USER = Operation(
    id="createUser",
    name="platform.users.create",
    summary="Open an account for a user.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.UNSAFE,
    model=User,
    bindings=bind(
        "POST",
        "/users",
        parameter("email", ParameterLocation.FORM, required=True),
        parameter("password", ParameterLocation.FORM, required=True),
        country_parameter(ParameterLocation.FORM, required=True),
        parameter("first_name", ParameterLocation.FORM),
        parameter("last_name", ParameterLocation.FORM),
        live=live_binding("GET", "/user/create", parameter("user_id", required=True), REQUIRED_COUNTRY),
    ),
)
