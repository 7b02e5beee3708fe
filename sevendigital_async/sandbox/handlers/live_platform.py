"""Handlers of the platform for the live dialect, where it differs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from attrs import evolve

from ..answers import Answer, Tree, WithoutEnvelope, invalid_choice, invalid_value, not_found, out_of_range
from ..calls import Call
from ..catalogue import Item
from ..state.devices import MAX_DEVICES, Device
from . import platform_catalogue, purchases, radio, sales
from .request_fields import iso_time, optional_country
from .request_user import named_user

_MAX_TRACKS = 4000

_START_EVENT = "playStarted"


def batch(noun: str, call: Call) -> Answer:
    """Return the requested items that exist, by a comma-separated list of ids."""
    ids = call.arguments[f"{noun}_ids"].split(",")
    shown = call.choice("show_errors", ("true", "false")) == "true"
    whole = BATCH_HANDLERS[noun](evolve(call, arguments={**call.arguments, f"{noun}_ids": ids, "show_errors": shown}))
    assert isinstance(whole.content, dict)
    return Answer(content=WithoutEnvelope({"items": whole.content}))


BATCH_HANDLERS: Mapping[str, Callable[[Call], Answer]] = {
    noun: platform_catalogue.HANDLERS[f"platform.catalogue.{noun}s_batch"] for noun in ("release", "track")
}


def post_event(call: Call) -> Answer:
    arguments = call.arguments
    kind = "start" if arguments["event"] == _START_EVENT else arguments["event"]
    if kind not in radio.EVENTS:
        raise invalid_choice("event", (_START_EVENT, *radio.EVENTS[1:]))
    event = {"trackId": arguments["track_id"], "eventType": kind, "timestamp": iso_time(call.utc_now)}
    return evolve(radio.post_events(evolve(call, arguments={**arguments, "events": [event]})), status=200)


def authorise(call: Call) -> Answer:
    """Authorise a device, unless the user has too many, or revoke its authorisation."""
    user, device_id, enabled = named_user(call), call.arguments["device_id"], call.arguments["offline_enabled"]
    optional_country(call)
    if not isinstance(device_id, str):
        raise invalid_value("clientId", "a text")
    if not isinstance(enabled, bool):
        raise invalid_value("offlineEnabled", "true or false")
    devices = call.state.devices
    if not enabled:
        devices.revoke(user, device_id)
    elif devices.authorise(user, Device(id=device_id, name=device_id, platform="", authorised_at=call.utc_now)) is None:
        raise out_of_range("clientId", f"one of the user's {MAX_DEVICES} devices")
    return Answer(content={"offlineStatus": {"offlineEnabled": enabled, "offlineMaxTrackCount": _MAX_TRACKS}})


def device_status(call: Call) -> Answer:
    device = call.state.devices.find(named_user(call), call.arguments["device_id"])
    if device is None:
        raise not_found("device")
    return Answer(content={"offlineStatus": _device(device)})


def list_devices(call: Call) -> Answer:
    return Answer(content={"offlineClients": [_device(device) for device in call.state.devices.of(named_user(call))]})


def locker(call: Call) -> Answer:
    return purchases.locker(evolve(call, user=named_user(call)))


def refund(noun: str, call: Call) -> Answer:
    """Remove a purchase from the sales report; the purchase determines the user."""
    purchase = call.state.purchases.find(call.arguments["purchase_id"])
    wanted = call.arguments[f"{noun}_id"]
    if purchase is None or wanted not in {_id_of(line.item, noun) for line in purchase.lines}:
        raise not_found("sale")
    arguments = {"user_id": purchase.user, "purchase_id": purchase.id}
    sales.refund(noun, evolve(call, arguments=arguments))
    return Answer(content={"version": "1.2", "purchaseId": purchase.id, f"{noun}Id": wanted})


HANDLERS: Mapping[str, Callable[[Call], Answer]] = {
    "platform.catalogue.releases_batch": partial(batch, "release"),
    "platform.catalogue.tracks_batch": partial(batch, "track"),
    "platform.radio.post_events": post_event,
    "platform.offline_devices.authorise": authorise,
    "platform.offline_devices.status": device_status,
    "platform.offline_devices.list": list_devices,
    "platform.sales.locker": locker,
    "platform.sales.refund_release": partial(refund, "release"),
    "platform.sales.refund_track": partial(refund, "track"),
}


def _id_of(item: Item, noun: str) -> str | None:
    if noun == "release":
        return item.release.id if item.track is None else None
    return item.track.id if item.track is not None else None


def _device(device: Device) -> Tree:
    return {"clientId": device.id, "offlineEnabled": True, "offlineMaxTrackCount": _MAX_TRACKS}
