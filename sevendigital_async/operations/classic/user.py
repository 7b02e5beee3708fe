"""One user of the classic API: the account and its subscription."""

from __future__ import annotations

from ...models import SubscriptionStatus, User
from ..operation import Auth, Operation, ParameterLocation, Safety, country_parameter, parameter
from .binding import bind, bind_for_user, bind_openapi_only, form_field, live_binding

EMAIL_ADDRESS = parameter("email", ParameterLocation.FORM, required=True, wire="emailAddress")
PASSWORD = form_field("password", required=True)
SIGNUP_FIELDS = (
    PASSWORD,
    country_parameter(ParameterLocation.FORM, required=True),
    form_field("first_name"),
    form_field("last_name"),
)

GET_USER_UNLIMITED_STREAMING = Operation(
    id="getUserUnlimitedStreaming",
    name="classic.user.unlimited_streaming",
    summary="The state of the user's subscription.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.READ,
    model=SubscriptionStatus,
    bindings=bind_for_user("GET", "/user/unlimitedStreaming"),
)

UPDATE_USER_UNLIMITED_STREAMING = Operation(
    id="updateUserUnlimitedStreaming",
    name="classic.user.update_unlimited_streaming",
    summary="Begin, renew or end a user's subscription.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.UNSAFE,
    model=SubscriptionStatus,
    instead="use platform.subscriptions.create, which sends what the live service requires",
    bindings=bind_openapi_only(
        "POST", "/user/unlimitedStreaming", form_field("user_id", required=True), form_field("status", required=True)
    ),
)

SIGNUP_USER = Operation(
    id="signupUser",
    name="classic.user.signup",
    summary="A new account with a password.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.UNSAFE,
    model=User,
    bindings=bind(
        "POST",
        "/user/signup",
        form_field("email", required=True),
        *SIGNUP_FIELDS,
        live=live_binding("POST", "/user/signup", EMAIL_ADDRESS, *SIGNUP_FIELDS),
    ),
)

CREATE_USER = Operation(
    id="createUser",
    name="classic.user.create",
    summary="A new account that the partner manages.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.UNSAFE,
    model=User,
    bindings=bind(
        "GET",
        "/user/create",
        parameter("email", required=True),
        live=live_binding("GET", "/user/create", parameter("user_id", required=True), country_parameter(required=True)),
    ),
)

GET_USER_DETAILS = Operation(
    id="getUserDetails",
    name="classic.user.details",
    summary="A user's profile.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.READ,
    model=User,
    bindings=bind("GET", "/user/details", parameter("user_id", required=True)),
)

AUTHENTICATE_USER = Operation(
    id="authenticateUser",
    name="classic.user.authenticate",
    summary="A token for a user who gives a password.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.UNSAFE,  # each success may hand out a token, and a user has only a few of them
    model=User,
    bindings=bind(
        "POST",
        "/user/authenticate",
        form_field("email", required=True),
        PASSWORD,
        live=live_binding("POST", "/user/authenticate", EMAIL_ADDRESS, PASSWORD),
    ),
)
