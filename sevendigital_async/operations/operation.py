"""The operation record: what an operation of the API is, and how it is spelled on the wire."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from attrs import field, frozen

from ..config import Dialect, Host
from ..countries import COUNTRY_CODES, country_problem
from ..errors import InvalidArgumentError, UnsupportedOperationError
from ..models.wire import camel_case


class Auth(enum.Enum):
    """Who signs a request; every request is signed.

    ``THREE_LEGGED`` operations are signed with the user's token if the client acts for a user, and
    by the partner alone if not (partner-managed users).
    """

    KEY = "key"
    TWO_LEGGED = "two-legged"
    THREE_LEGGED = "three-legged"


class Safety(enum.Enum):
    """What repeating an operation may do: decided for each operation, never by its HTTP method."""

    READ = "read"
    IDEMPOTENT = "idempotent"
    UNSAFE = "unsafe"


class RateClass(enum.Enum):
    """Operations that share a limit beyond the account's quota; the value is requests in any one second."""

    PREVIEW_LOGS = 5
    MEDIA_TRANSFER = 50


class Content(enum.Enum):
    """What a response's body is."""

    MODEL = "model"
    """JSON or XML, decoded into the operation's model; nothing, if it has none."""

    TEXT = "text"
    """Text that is returned as it is, such as a playlist of stream segments."""

    MEDIA = "media"
    """Audio or an archive, streamed."""


class ParameterLocation(enum.Enum):
    """Which part of a request carries a parameter."""

    PATH = "path"
    QUERY = "query"
    FORM = "form"
    JSON = "json"


@frozen
class Parameter:
    """One parameter of an operation.

    Attributes:
        name: Its Python name, which callers use.
        wire: Its name in requests.
        location: Which part of the request carries it.
        required: Whether the service requires it.
        date_format: How a date is written, for ``strftime``.
        write: Converts the caller's value to the one that is sent, where the dialect needs another.
        default: What is sent if the caller gives no value.
    """

    name: str
    wire: str
    location: ParameterLocation
    required: bool = False
    date_format: str = "%Y-%m-%d"
    write: Callable[[Any], object] | None = field(default=None, eq=False)
    default: object = None


LOST_SALE_ADVICE = (
    "the sale may be recorded and must not be sent again: ask the vendor's Client Success team for its purchase id,"
    " by your transaction id, or check the user's locker"
)
"""Advice where the response of a request that must not be repeated is lost."""

VERSION_PATH = "/1.2"
"""The beginning of the classic paths, and of the live ones on the API's own host."""


def parameter(
    name: str,
    location: ParameterLocation = ParameterLocation.QUERY,
    *,
    required: bool = False,
    wire: str | None = None,
    date_format: str = "%Y-%m-%d",
    write: Callable[[Any], object] | None = None,
    default: object = None,
) -> Parameter:
    """Describe a parameter; its wire name is its name in camel case, unless ``wire`` is given."""
    return Parameter(name, wire or camel_case(name), location, required, date_format, write, default)


def country_parameter(
    location: ParameterLocation = ParameterLocation.QUERY, *, required: bool = False, name: str = "country"
) -> Parameter:
    """Describe a parameter that is a country; its value is checked."""

    def checked(code: object) -> object:
        if not isinstance(code, str) or code not in COUNTRY_CODES:
            raise InvalidArgumentError(f"{name} {country_problem(code)}", argument=name)
        return code

    return parameter(name, location, required=required, write=checked)


def paging_parameters(max_size: int) -> tuple[Parameter, Parameter]:
    """Describe the two parameters of a list with pages of up to ``most`` items. A size that is text isn't checked."""

    def checked(size: object) -> object:
        if not isinstance(size, str) and (type(size) is not int or not 1 <= size <= max_size):
            raise InvalidArgumentError(f"page_size must be a whole number from 1 to {max_size}", argument="page_size")
        return size

    return parameter("page"), parameter("page_size", write=checked)


@frozen
class AcceptedCount:
    """Where a response says how many of the items that were sent the service has accepted.

    Attributes:
        argument: The parameter that carries the items.
        path: The names that lead to the number.
    """

    argument: str
    path: tuple[str, ...]


@frozen
class Binding:
    """How one dialect spells an operation.

    Attributes:
        http_method: In upper case.
        path: Below the host; path parameters in braces, by their wire names.
        parameters: What a request carries.
        host: Where it is served.
        bare: The only JSON parameter is the body itself, not a member of an object.
        envelope: Name of an object around the body; None if there is none.
        spread: Arguments that are replaced by several parameters, each with the function that does it.
        implied: Arguments of other dialects that are accepted and not sent: the request implies them.
        variants: Another binding for calls with a certain argument.
        needs: Arguments that the service takes only together with another one.
        settings: Parameters whose value a field of the settings overrides, if it is set. ``path`` means the
            binding's path, which the settings give without its version.
        echo: Where the response is empty: the model's fields, each with the argument that it is made from.
        location: Where the response is empty: the model's field that its ``Location`` header fills.
        count: Where the response says how many items were accepted.
        meanings: What error codes mean for this operation.
        optional: The response may be without the operation's model; None is returned then.
    """

    http_method: str
    path: str
    parameters: tuple[Parameter, ...] = ()
    host: Host = Host.API
    bare: bool = field(default=False, kw_only=True)
    envelope: str | None = field(default=None, kw_only=True)
    spread: Mapping[str, Callable[[Any], Mapping[str, object]]] = field(factory=dict, kw_only=True)
    implied: tuple[str, ...] = field(default=(), kw_only=True)
    variants: Mapping[str, Binding] = field(factory=dict, kw_only=True)
    needs: Mapping[str, str] = field(factory=dict, kw_only=True)
    settings: Mapping[str, str] = field(factory=dict, kw_only=True)
    echo: Mapping[str, str] = field(factory=dict, kw_only=True)
    location: str | None = field(default=None, kw_only=True)
    count: AcceptedCount | None = field(default=None, kw_only=True)
    meanings: Mapping[int, str] = field(factory=dict, kw_only=True)
    optional: bool = field(default=False, kw_only=True)

    @cached_property
    def names(self) -> frozenset[str]:
        """The arguments that a request carries or implies."""
        return frozenset([*(parameter.name for parameter in self.parameters), *self.implied])

    def takes(self, name: str) -> bool:
        """Return whether callers may give an argument of this name."""
        if name in self.spread or name in self.implied or name in self.variants:
            return True
        return any(parameter.name == name for parameter in self.parameters)

    def requires(self, name: str) -> bool:
        """Return whether the service requires an argument of this name."""
        return any(parameter.name == name and parameter.required for parameter in self.parameters)

    def variant_for(self, given: Mapping[str, object]) -> Binding:
        """Return the binding for a call with these arguments: a variant, or this one.

        Raises:
            InvalidArgumentError: An argument is given without the one that it needs; the message names both.
        """
        for name, variant in self.variants.items():
            if name in given:
                return variant.variant_for(given)
        for name, needed in self.needs.items():
            if name in given and needed not in given:
                raise InvalidArgumentError(f"{name} needs {needed}", argument=needed)
        return self


@frozen(kw_only=True)
class Operation:
    """One endpoint.

    Attributes:
        id: The operation id of the OpenAPI file.
        name: The dotted name of the client's method, such as ``classic.releases.search``; unique.
        summary: One line of description.
        auth: Who signs.
        safety: What repeating it may do.
        rate_class: The limit it shares, if any.
        model: What is returned; None if the response has no content.
        paged: The response is a list of ``model``, or one page of it.
        content: What the response's body is. Text and media may be behind a redirect.
        advice: What to do when a request may have been carried out and the response is lost.
        instead: What to use in a dialect that lacks the operation.
        registered: False for a second record of an endpoint, which is not a separate operation.
        bindings: How each dialect spells it, for those that have it.
    """

    id: str
    name: str
    summary: str
    auth: Auth = Auth.KEY
    safety: Safety
    rate_class: RateClass | None = None
    model: type | None = None
    paged: bool = False
    content: Content = Content.MODEL
    advice: str | None = None
    instead: str | None = None
    registered: bool = True
    bindings: Mapping[Dialect, Binding] = field(repr=False)

    @property
    def optional(self) -> bool:
        """Whether a dialect's response may be without ``model``."""
        return any(binding.optional for binding in self.bindings.values())

    def binding(self, dialect: Dialect) -> Binding:
        """Return how ``dialect`` spells the operation.

        Raises:
            UnsupportedOperationError: The dialect lacks it.
        """
        try:
            return self.bindings[dialect]
        except KeyError:
            hint = f": {self.instead}" if self.instead else ""
            raise UnsupportedOperationError(
                f"{self.name} does not exist in the {dialect.value} dialect{hint}"
            ) from None

    def takes(self, name: str) -> list[str]:
        """Return the dialects in which callers may give an argument of this name."""
        return [dialect.value for dialect, binding in self.bindings.items() if binding.takes(name)]


class OperationRegistry:
    """All operations, found by name or, where it is unambiguous, by id."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._by_name: dict[str, Operation] = {}
        for operation in operations:
            if self._by_name.setdefault(operation.name, operation) is not operation:
                raise ValueError(f"duplicate operation name: {operation.name}")

    def __iter__(self) -> Iterator[Operation]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def find(self, name: str) -> Operation:
        """Return the operation called ``name``, a dotted name or an operation id.

        Raises:
            KeyError: There is none of that name, or the id is ambiguous; the message says which.
        """
        if name in self._by_name:
            return self._by_name[name]
        fitting = [operation for operation in self if operation.id == name]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise KeyError(f"{name} is ambiguous: {', '.join(operation.name for operation in fitting)}")
        raise KeyError(f"no such operation: {name}")
