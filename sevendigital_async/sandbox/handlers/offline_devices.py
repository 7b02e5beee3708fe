"""Devices that may play without a connection."""

from __future__ import annotations

from ..answers import Answer, Tree, WithoutEnvelope, not_found, out_of_range
from ..calls import Call
from ..state.devices import MAX_DEVICES, Device
from .request_fields import iso_time, optional_choice, optional_text, required_text
from .request_user import named_user

PLATFORMS = ("ios", "android", "web", "windows", "macos")


def authorise(call: Call) -> Answer:
    user, device_id = named_user(call), required_text(call, "device_id", "deviceId")
    wanted = Device(
        id=device_id,
        name=optional_text(call, "device_name", "deviceName") or device_id,
        platform=optional_choice(call, "platform", "platform", PLATFORMS) or "web",
        authorised_at=call.utc_now,
    )
    device = call.state.devices.authorise(user, wanted)
    if device is None:
        raise out_of_range("deviceId", f"one of the user's {MAX_DEVICES} devices")
    return Answer(content=WithoutEnvelope(_tree(device)))


def status(call: Call) -> Answer:
    device = call.state.devices.find(named_user(call), call.arguments["device_id"])
    if device is None:
        raise not_found("device")
    return Answer(content=WithoutEnvelope(_tree(device)))


def list_(call: Call) -> Answer:
    return Answer(
        content=WithoutEnvelope({"devices": [_tree(device) for device in call.state.devices.of(named_user(call))]})
    )


HANDLERS = {
    "platform.offline_devices.authorise": authorise,
    "platform.offline_devices.status": status,
    "platform.offline_devices.list": list_,
}


def _tree(device: Device) -> Tree:
    return {
        "deviceId": device.id,
        "deviceName": device.name,
        "platform": device.platform,
        "status": "authorised",
        "authorisedAt": iso_time(device.authorised_at),
    }
