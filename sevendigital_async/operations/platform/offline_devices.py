"""Devices that may play without a connection."""

from __future__ import annotations

from ...models import DeviceAuthorisation
from ..operation import Auth, Operation, ParameterLocation, Safety, parameter
from .binding import COUNTRY, bind, live_binding

USER_ID = parameter("user_id", ParameterLocation.PATH, required=True)
LIVE_USER_ID = parameter("user_id", required=True)

NO_MORE_DEVICES = {1003: "this type of account can register no device, or has as many as it may"}

# Whether a device that is authorised twice counts twice against the user's limit is not documented.
AUTHORIZE_OFFLINE_DEVICE = Operation(
    id="authorizeOfflineDevice",
    name="platform.offline_devices.authorise",
    summary="Let a device play without a connection.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.UNSAFE,
    model=DeviceAuthorisation,
    bindings=bind(
        "POST",
        "/users/{userId}/unlimitedStreaming/offline",
        USER_ID,
        parameter("device_id", ParameterLocation.JSON, required=True),
        parameter("device_name", ParameterLocation.JSON),
        parameter("platform", ParameterLocation.JSON),
        live=live_binding(
            "POST",
            "/user/unlimitedStreaming/offline",
            COUNTRY,
            LIVE_USER_ID,
            parameter("device_id", ParameterLocation.JSON, required=True, wire="clientId"),
            parameter("offline_enabled", ParameterLocation.JSON, default=True),
            envelope="offlineStatus",
            meanings=NO_MORE_DEVICES,
        ),
    ),
)

GET_OFFLINE_DEVICE_STATUS = Operation(
    id="getOfflineDeviceStatus",
    name="platform.offline_devices.status",
    summary="Whether a device may play without a connection.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.READ,
    model=DeviceAuthorisation,
    bindings=bind(
        "GET",
        "/users/{userId}/unlimitedStreaming/offline/{deviceId}",
        USER_ID,
        parameter("device_id", ParameterLocation.PATH, required=True),
        live=live_binding(
            "GET",
            "/user/unlimitedStreaming/offline",
            COUNTRY,
            LIVE_USER_ID,
            parameter("device_id", required=True, wire="clientId"),
        ),
    ),
)

LIST_OFFLINE_DEVICES = Operation(
    id="listOfflineDevices",
    name="platform.offline_devices.list",
    summary="The user's registered devices.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.READ,
    model=DeviceAuthorisation,
    paged=True,
    bindings=bind(
        "GET",
        "/users/{userId}/unlimitedStreaming/devices",
        USER_ID,
        live=live_binding("GET", "/user/offlineclients", LIVE_USER_ID, COUNTRY),
    ),
)
