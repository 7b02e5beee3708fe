"""What a view of a client adds to its calls: options, and parameters that calls don't set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType, NoneType
from typing import Any

from attrs import Attribute, evolve, field, frozen

from ..config import (
    Host,
    RetryPolicy,
    Settings,
    Timeout,
    UserToken,
    extra_problem,
    is_encodable,
    is_header_value,
    is_token,
)
from ..countries import country_problem
from ..errors import InvalidArgumentError
from ..models.wire import camel_case
from ..operations import Auth, Binding, Content, Operation, Parameter, ParameterLocation, Safety
from .response import Response

RESERVED_HEADERS = frozenset(
    {"authorization", "connection", "content-encoding", "content-length", "content-type", "host", "transfer-encoding"}
)
"""Headers that the client sets."""

NO_HEADERS: Mapping[str, str] = MappingProxyType({})

MAX_TRACE_ID = 255
"""Characters."""

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


def _printable(_: object, attribute: Attribute[str | None], value: str | None) -> None:
    if value is not None and not (
        isinstance(value, str)
        and value.isascii()
        and value.isprintable()
        and 0 < len(value.strip()) == len(value) <= MAX_TRACE_ID
    ):
        raise InvalidArgumentError(
            f"{attribute.name} must be 1 to {MAX_TRACE_ID} printable ASCII characters", argument=attribute.name
        )


def checked_headers(headers: object) -> Mapping[str, str]:
    """Return headers that can be sent and that the client does not set itself.

    Raises:
        InvalidArgumentError: A header is invalid; the message has its name, not its value.
    """
    if not isinstance(headers, Mapping):
        raise InvalidArgumentError(f"headers must be a mapping, not a {type(headers).__name__}", argument="headers")
    for name, text in headers.items():
        if not isinstance(name, str) or not is_token(name):
            raise InvalidArgumentError("a header name consists of ASCII letters, digits and -", argument="headers")
        if name.lower() in RESERVED_HEADERS:
            raise InvalidArgumentError(f"the header {name} can't be set: the client sets it", argument="headers")
        if not isinstance(text, str) or not is_header_value(text):
            raise InvalidArgumentError(
                f"the header {name} contains a character that is not allowed in headers", argument="headers"
            )
    return headers


def _instance_of(*kinds: type) -> Callable[[object, Attribute[Any], Any], None]:
    """Return a validator of attrs that requires one of some types; the first is named in the error."""

    def check(_: object, attribute: Attribute[Any], value: object) -> None:
        if not isinstance(value, kinds):
            message = f"{attribute.name} must be a {kinds[0].__name__}, not a {type(value).__name__}"
            raise InvalidArgumentError(message, argument=attribute.name)

    return check


@frozen(kw_only=True)
class CallOptions:
    """What a view of a client adds to every call.

    Attributes:
        retry: How often a call is retried.
        timeout: Of each attempt.
        user: The user whose token signs three-legged operations; None for the partner alone.
        trace_id: The id of requests in the service's own records.
        headers: Additional headers.
        defaults: Parameters that are sent unless a call sets them.
        on_response: Called with the result of each call and the head of its response.
    """

    retry: RetryPolicy = field(validator=_instance_of(RetryPolicy))
    timeout: Timeout = field(validator=_instance_of(Timeout))
    user: UserToken | None = field(default=None, validator=_instance_of(UserToken, NoneType))
    trace_id: str | None = field(default=None, validator=_printable)
    headers: Mapping[str, str] = field(default=NO_HEADERS, repr=False)
    defaults: ParameterDefaults = field(default=NO_DEFAULTS, repr=False)
    on_response: Callable[[Response[Any]], None] | None = None

    @staticmethod
    def of(settings: Settings) -> CallOptions:
        """Return the options of a client that is not a view of another."""
        return CallOptions(retry=settings.retry, timeout=settings.timeout).with_parameters(
            country=settings.country,
            shop_id=settings.shop_id,
            image_size=settings.image_size,
            usage_types=settings.usage_types,
            extra=settings.extra or None,
        )

    def with_headers(self, headers: object) -> CallOptions:
        """Return the options with additional headers, which replace those of the same name.

        Raises:
            InvalidArgumentError: A header is invalid; the message has its name, not its value.
        """
        more = checked_headers(headers)
        named = {name.lower() for name in more}
        kept = {name: text for name, text in self.headers.items() if name.lower() not in named}
        return evolve(self, headers={**kept, **more})

    def with_parameters(self, **changes: object) -> CallOptions:
        """Return the options with other default parameters; ``extra`` is merged.

        Raises:
            InvalidArgumentError: A value can't be sent.
        """
        return evolve(self, defaults=self.defaults.with_changes(**changes))


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
