"""Devices that may play without a connection."""

from __future__ import annotations

from ...models import DeviceAuthorisation, DevicePlatform
from ...operations.platform import offline_devices as ops
from ..resource import Resource


class OfflineDevices(Resource):
    """Methods of ``client.platform.offline_devices``."""

    async def authorise(
        self,
        user_id: str,
        *,
        device_id: str,
        device_name: str | None = None,
        platform: DevicePlatform | str | None = None,
        offline_enabled: bool | None = None,
        country: str | None = None,
    ) -> DeviceAuthorisation:
        """Let a device play without a connection.

        Args:
            user_id: The partner's id of the user.
            device_id: The partner's id of the device.
            device_name: What its owner calls it; not in the live dialect.
            platform: What it runs; not in the live dialect.
            offline_enabled: False revokes the authorisation; live dialect only, where True is the default.
            country: ISO 3166-1 alpha-2 code of where the user lives; live dialect only.

        Raises:
            InvalidRequestError: Code 1003: the account has no more devices available, or none at all.

        API: ``POST /users/{userId}/unlimitedStreaming/offline``
        """
        return await self._one(
            DeviceAuthorisation,
            ops.AUTHORIZE_OFFLINE_DEVICE,
            user_id=user_id,
            device_id=device_id,
            device_name=device_name,
            platform=platform,
            offline_enabled=offline_enabled,
            country=country,
        )

    async def status(self, user_id: str, *, device_id: str, country: str | None = None) -> DeviceAuthorisation:
        """Ask whether a device may play without a connection.

        Args:
            user_id: The partner's id of the user.
            device_id: The partner's id of the device.
            country: ISO 3166-1 alpha-2 code of where the user lives; live dialect only.

        Raises:
            NotFoundError: No such device.

        API: ``GET /users/{userId}/unlimitedStreaming/offline/{deviceId}``
        """
        return await self._one(
            DeviceAuthorisation,
            ops.GET_OFFLINE_DEVICE_STATUS,
            user_id=user_id,
            device_id=device_id,
            country=country,
        )

    async def list(self, user_id: str, *, country: str | None = None) -> tuple[DeviceAuthorisation, ...]:
        """List a user's registered devices.

        Args:
            user_id: Whose devices, in the partner's own numbering.
            country: ISO 3166-1 alpha-2 code of where the user lives; live dialect only.

        API: ``GET /users/{userId}/unlimitedStreaming/devices``
        """
        return await self._all(DeviceAuthorisation, ops.LIST_OFFLINE_DEVICES, user_id=user_id, country=country)
