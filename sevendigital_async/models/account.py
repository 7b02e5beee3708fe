"""Users: their tokens, devices and subscriptions."""

from __future__ import annotations

import enum
from datetime import date, datetime

from attrs import NOTHING, frozen

from ..config import UserToken
from .wire import aliases, wire


@frozen(kw_only=True)
class User:
    """An account, and its token if one was requested.

    Attributes:
        id: The service's id of the user, or the partner's own for users that the partner manages.
        type: Whose user it is, in the live service's responses: ``7digital``.
        email: The user's address.
        first_name: Given name.
        last_name: Family name.
        country: ISO 3166-1 alpha-2 code.
        created_at: When the account was opened.
        access_token: One half of the user's token; only after signing up or authenticating.
        access_token_secret: The other half.
    """

    id: str | None = wire("id", "userId")
    type: str | None = None
    email: str | None = wire("email", "emailAddress")
    first_name: str | None = None
    last_name: str | None = None
    country: str | None = wire("country", "countryCode")
    created_at: datetime | None = None
    access_token: str | None = wire("accessToken", "oauthToken", "oauth_token", repr=False)
    access_token_secret: str | None = wire("accessTokenSecret", "oauthTokenSecret", "oauth_token_secret", repr=False)

    @property
    def token(self) -> UserToken | None:
        """The token for ``client.as_user``, if the response has both halves."""
        if self.access_token is None or self.access_token_secret is None:
            return None
        return UserToken(self.access_token, self.access_token_secret)


@aliases("oauth_request_token", "oauth_access_token")
@frozen(kw_only=True)
class OAuthToken:
    """A request token, to be authorised by the user, or the access token that it is exchanged for.

    Attributes:
        token: Goes with every request; kept out of the repr.
        secret: Never leaves the program; kept out of the repr.
    """

    token: str = wire("oauth_token", "oauthToken", default=NOTHING, repr=False)
    secret: str = wire("oauth_token_secret", "oauthTokenSecret", default=NOTHING, repr=False)

    @property
    def user_token(self) -> UserToken:
        """The token for ``client.as_user``."""
        return UserToken(self.token, self.secret)


class DevicePlatform(enum.StrEnum):
    """What a device runs; anything else stays text."""

    IOS = "ios"
    ANDROID = "android"
    WEB = "web"
    WINDOWS = "windows"
    MACOS = "macos"


class DeviceStatus(enum.StrEnum):
    """Whether a device may play without a connection; anything else stays text."""

    AUTHORISED = "authorised"
    DEAUTHORISED = "deauthorised"


@aliases("device", "offlineStatus", "offlineClient")
@frozen(kw_only=True)
class DeviceAuthorisation:
    """One of a user's devices, and what it may do.

    Attributes:
        device_id: The partner's id of the device.
        device_name: What its owner calls it.
        platform: What it runs.
        status: Whether it may play without a connection.
        authorised_at: Since when.
        offline_enabled: The same as ``status``, in the live service's responses.
        offline_max_track_count: How many tracks it may keep, in the live service's responses.
    """

    device_id: str | None = wire("deviceId", "clientId")
    device_name: str | None = None
    platform: DevicePlatform | str | None = None
    status: DeviceStatus | str | None = None
    authorised_at: datetime | None = None
    offline_enabled: bool | None = None
    offline_max_track_count: int | None = None


@aliases("streaming")
@frozen(kw_only=True)
class Subscription:
    """A user's access for up to a month.

    Attributes:
        subscription_id: The service's id of it; the live service gives none.
        user_id: The user's id.
        product_id: What was subscribed to.
        status: Whether it runs.
        start_date: Its first day.
        end_date: The day it ends.
        level: How much it includes, in the live service's responses: ``premium``.
        expiry_date: The moment it ends, in the live service's responses.
    """

    subscription_id: str | None = wire("subscriptionId", "id")
    user_id: str | None = None
    product_id: str | None = None
    status: SubscriptionState | str | None = None
    start_date: date | None = None
    end_date: date | None = None
    level: str | None = None
    expiry_date: datetime | None = None


class SubscriptionState(enum.StrEnum):
    """Whether a subscription runs; anything else stays text."""

    ACTIVE = "active"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


@aliases("streaming", "unlimitedStreaming")
@frozen(kw_only=True)
class SubscriptionStatus:
    """A user's unlimited streaming.

    Attributes:
        user_id: The user's id.
        status: Whether it runs.
        start_date: Its first day.
        end_date: Its last day.
        product_id: What was subscribed to.
        level: How much that includes, in the live service's responses: ``premium``.
        expiry_date: The moment it ends, in the live service's responses.
    """

    user_id: str | None = None
    status: SubscriptionState | str | None = None
    start_date: date | None = None
    end_date: date | None = None
    product_id: str | None = None
    level: str | None = None
    expiry_date: datetime | None = wire("expiryDate")
