"""What the records of the classic API have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve

from ...config import Dialect
from ..operation import (
    VERSION_PATH,
    Binding,
    Parameter,
    ParameterLocation,
    country_parameter,
    paging_parameters,
    parameter,
)

LIVE_ONLY_HINT = "only the live dialect has it"
"""The advice for an operation that the OpenAPI file lacks."""

USE_MATCHES_HINT = "use matches, which takes ids of 7digital and of MusicBrainz"
"""The advice for the look-up by ISRC or barcode, which the live service lacks."""

COMPACT_DATE_FORMAT = "%Y%m%d"
"""How the classic API writes days."""

COUNTRY = country_parameter()
SHOP_ID = parameter("shop_id")
USER_ID = parameter("user_id")
"""Names a user of a partner who manages users; in the live dialect, in place of a user's token."""

PAGING = paging_parameters(100)
LIVE_PAGING = paging_parameters(500)
CHART_PARAMETERS = (COUNTRY, parameter("period"), parameter("to_date", date_format=COMPACT_DATE_FORMAT), *PAGING)
TAGS = parameter("tags", required=True)

ITEM_IDS = (parameter("release_id"), parameter("track_id"))
TRACK_NEEDS_RELEASE = {"track_id": "release_id"}
"""What a binding's ``needs`` says where a track is named together with its release."""


def form_field(name: str, *, required: bool = False) -> Parameter:
    """Describe a field of a form body."""
    return parameter(name, ParameterLocation.FORM, required=required)


def bind(
    http_method: str, path: str, *arguments: Parameter, live: Binding | None = None, **more: Any
) -> Mapping[Dialect, Binding]:
    """Bind an operation to a path below ``/1.2``.

    Args:
        http_method: In upper case.
        path: Below ``/1.2``.
        arguments: What travels.
        live: How the live service spells it, where that differs by more than the size of its pages.
        more: Further attributes of the OpenAPI file's binding.
    """
    binding = Binding(http_method, VERSION_PATH + path, arguments, **more)
    same = tuple(_LIVE_SPELLINGS.get(argument, argument) for argument in arguments)
    return {Dialect.OPENAPI: binding, Dialect.LIVE: live or evolve(binding, parameters=same)}


def bind_openapi_only(http_method: str, path: str, *arguments: Parameter) -> Mapping[Dialect, Binding]:
    """Bind an operation that the live service does not have in this form."""
    return {Dialect.OPENAPI: Binding(http_method, VERSION_PATH + path, arguments)}


def live_binding(http_method: str, path: str, *arguments: Parameter, **more: Any) -> Binding:
    """Spell an operation as the live service does: the path below ``/1.2``, what travels, further attributes."""
    return Binding(http_method, VERSION_PATH + path, arguments, **more)


def bind_live_only(http_method: str, path: str, *arguments: Parameter, **more: Any) -> Mapping[Dialect, Binding]:
    """Bind an operation that the OpenAPI file lacks."""
    return {Dialect.LIVE: live_binding(http_method, path, *arguments, **more)}


def bind_matches(noun: str) -> Mapping[Dialect, Binding]:
    """Bind the live service's look-up of things by their ids, here or at MusicBrainz."""
    return bind_live_only("GET", f"/{noun}/match/byId", parameter("seven_digital_ids"), parameter("mb_ids"))


def bind_for_user(http_method: str, path: str, *arguments: Parameter, **more: Any) -> Mapping[Dialect, Binding]:
    """Bind an operation of a user, whom a live request may name in its query."""
    spelled = (*(_LIVE_SPELLINGS.get(argument, argument) for argument in arguments), USER_ID)
    return bind(http_method, path, *arguments, live=live_binding(http_method, path, *spelled, **more), **more)


_LIVE_SPELLINGS = dict(zip(PAGING, LIVE_PAGING, strict=True))
