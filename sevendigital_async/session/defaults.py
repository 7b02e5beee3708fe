"""Default parameters, from the settings and from a view of the client."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from attrs import Attribute, evolve, field, frozen

from ..config import Host, Settings, extra_problem, is_encodable
from ..countries import country_problem
from ..errors import InvalidArgumentError
from ..models.wire import camel_case
from ..operations import Auth, Binding, Content, Operation, Parameter, ParameterLocation, Safety

IN_QUERY_OF_POST = frozenset({"userid", "country", "shopid", "onbehalfofpartnerid"})
"""The parameters that a POST with a form may have in its query; any other is error 1007."""


def _any(_: Operation) -> bool:
    return True


def _reads_models(operation: Operation) -> bool:
    return operation.safety is Safety.READ and operation.content is Content.MODEL


def _acts_for_user(operation: Operation) -> bool:
    return operation.auth is Auth.THREE_LEGGED


BEYOND_RECORDS: Mapping[str, Callable[[Operation], bool]] = {
    "shop_id": _any,
    "image_size": _reads_models,
    "usage_types": _reads_models,
    "user_id": _acts_for_user,
}
"""Parameters that more operations accept than their records declare, and which operations."""


def _listed(value: Any) -> Any:
    return tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else value


_CHECKS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "shop_id": ("a number, or text", lambda value: type(value) is int or bool(value.strip())),
    "image_size": ("a number of pixels, or text", lambda value: type(value) is int or bool(value.strip())),
    "user_id": ("non-empty text", lambda value: bool(value.strip()) and is_encodable(value)),
    "usage_types": ("text, or several texts", lambda value: bool(value) and all(map(str.strip, value))),
}


_SINGLE = ("country", *_CHECKS)
"""Parameters with a field of their own."""


def _checked(_: object, attribute: Attribute[Any], value: Any) -> None:
    wanted, is_right = _CHECKS[attribute.name]
    try:
        fits = value is None or is_right(value)
    except (AttributeError, TypeError):
        fits = False
    if not fits:
        raise InvalidArgumentError(f"{attribute.name} must be {wanted}", argument=attribute.name)


def _checked_country(_: object, __: Attribute[Any], value: object) -> None:
    if value is not None and (flaw := country_problem(value)):
        raise InvalidArgumentError(f"country {flaw}", argument="country")


def _checked_extra(_: object, __: Attribute[Any], value: object) -> None:
    if flaw := extra_problem(value):
        raise InvalidArgumentError(flaw, argument="extra")


@frozen(kw_only=True)
class ParameterDefaults:
    """Values that are sent with every call that takes them, unless the call sets them.

    Attributes:
        country: ISO 3166-1 alpha-2 code; where an operation takes a country.
        shop_id: The partner's shop; with every call, in place of a default country.
        image_size: Width of pictures in pixels; with everything that is read.
        usage_types: For which uses content must be licensed, such as ``download``; with everything that is read.
        user_id: A user that the partner manages; with everything that is done for a user.
        extra: Further parameters by their wire names, with every call.
    """

    country: str | None = field(default=None, validator=_checked_country)
    shop_id: str | int | None = field(default=None, validator=_checked)
    image_size: str | int | None = field(default=None, validator=_checked)
    usage_types: str | Iterable[str] | None = field(default=None, converter=_listed, validator=_checked)
    user_id: str | None = field(default=None, validator=_checked)
    extra: Mapping[str, object] = field(default=MappingProxyType({}), validator=_checked_extra)

    @staticmethod
    def of(settings: Settings) -> ParameterDefaults:
        """Return the defaults of a whole client."""
        return NO_DEFAULTS.with_changes(
            country=settings.country,
            shop_id=settings.shop_id,
            image_size=settings.image_size,
            usage_types=settings.usage_types,
            extra=settings.extra or None,
        )

    def with_changes(self, **changes: object) -> ParameterDefaults:
        """Return the defaults with the given values changed; ``extra`` is merged."""
        given: dict[str, Any] = {name: value for name, value in changes.items() if value is not None}
        if "extra" in given:
            _checked_extra(None, None, given["extra"])  # type: ignore[arg-type]  # it can't be added to before
            given["extra"] = {**self.extra, **given["extra"]}
        return evolve(self, **given) if given else self

    def values_for(self, binding: Binding, given: Mapping[str, object]) -> dict[str, object]:
        """Return the default values that one call sends, by their Python names.

        A shop belongs to a country, not always the default one, so no default country is sent with a shop; where the
        service demands a country, it stays.
        """
        found = {name: getattr(self, name) for name in _SINGLE if given.get(name) is None}
        values = {name: value for name, value in found.items() if value is not None}
        has_shop = given.get("shop_id") is not None or "shop_id" in values
        if has_shop and binding.host is Host.API and not binding.requires("country"):
            values.pop("country", None)
        return values


NO_DEFAULTS = ParameterDefaults()


def beyond_record(operation: Operation, binding: Binding, values: Mapping[str, object]) -> dict[str, object]:
    """Return the default values that are sent although the record does not declare them, by their wire names."""
    return {
        camel_case(name): values[name]
        for name, is_taken in BEYOND_RECORDS.items()
        if name in values and not binding.takes(name) and is_taken(operation)
    }


def extra_parameter(binding: Binding, wire: str) -> Parameter:
    """Return a parameter that the record does not declare: a form field if there is a form, else a query parameter."""
    has_form = any(parameter.location is ParameterLocation.FORM for parameter in binding.parameters)
    in_query = not has_form or wire.lower() in IN_QUERY_OF_POST
    return Parameter(wire, wire, ParameterLocation.QUERY if in_query else ParameterLocation.FORM)
