"""The Operation record: the one place that knows what the API offers and how it is spelled on the wire."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

from attrs import field, frozen

from ..config import Dialect, Host
from ..errors import UnsupportedOperationError


class Auth(enum.Enum):
    """What the API demands of a request's signature. Every request is signed; this says by whom.

    ``THREE_LEGGED`` operations are signed with the user's token if the client acts for a user, and
    by the partner alone if not (partner-managed users).
    """

    KEY = "key"
    TWO_LEGGED = "two-legged"
    THREE_LEGGED = "three-legged"


class Safety(enum.Enum):
    """What repeating an operation may do; decided operation by operation, never by HTTP verb."""

    READ = "read"
    IDEMPOTENT = "idempotent"
    UNSAFE = "unsafe"


class RateClass(enum.Enum):
    """Operations that share a limit beyond the account's quota; the value is requests in any one second."""

    PREVIEW_LOGS = 5
    MEDIA_TRANSFER = 50


class Content(enum.Enum):
    """What an answer's body is."""

    MODEL = "model"
    """JSON or XML, decoded into the operation's model; nothing, if it has none."""

    TEXT = "text"
    """Text to be handed on as it is, such as a playlist of stream segments."""

    MEDIA = "media"
    """Audio or an archive, streamed."""


class ParameterLocation(enum.Enum):
    """Where an argument travels."""

    PATH = "path"
    QUERY = "query"
    FORM = "form"
    JSON = "json"


@frozen
class Parameter:
    """One argument of an operation.

    Attributes:
        name: What callers write.
        wire: What the service reads.
        place: Where it travels.
        required: Whether the service insists on it.
        date_format: How a date is written, for ``strftime``.
        write: Turns what callers give into what is sent, where the dialect has a form of its own.
        default: What is sent where callers give nothing.
    """

    name: str
    wire: str
    place: ParameterLocation
    required: bool = False
    date_format: str = "%Y-%m-%d"
    write: Callable[[Any], object] | None = None
    default: object = None


VERSION = "/1.2"
"""What the classic and the live paths of the API's own host begin with."""


def camel_case(name: str) -> str:
    """Spell ``page_size`` as ``pageSize``, the way the wire does."""
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def argument(
    name: str,
    place: ParameterLocation = ParameterLocation.QUERY,
    *,
    required: bool = False,
    wire: str | None = None,
    date_format: str = "%Y-%m-%d",
    write: Callable[[Any], object] | None = None,
    default: object = None,
) -> Parameter:
    """Describe an argument whose wire name follows from its own, unless said otherwise."""
    return Parameter(name, wire or camel_case(name), place, required, date_format, write, default)


@frozen
class Count:
    """Where an answer says how many of the things that were sent it has taken.

    Attributes:
        argument: The argument that holds them.
        path: The names that lead to the number.
    """

    argument: str
    path: tuple[str, ...]


@frozen
class Binding:
    """How one dialect spells an operation.

    Attributes:
        http_method: In upper case.
        path: Below the host; arguments in braces by their wire names.
        arguments: What travels.
        host: Where it is served.
        bare: The one JSON argument is the body, with no object around it.
        envelope: The name of an object that stands around the body.
        spread: Arguments that stand for several others, with what turns them into those.
        implied: Arguments of other dialects that are taken and not sent, because the request tells them anyway.
        variants: Another form for calls that give a certain argument.
        settings: Arguments that a field of the settings decides, if it says anything; and perhaps the ``path``, which
            the settings give without its version.
        echo: The model's fields that are made of arguments where the answer is empty.
        count: How much of what was sent the answer counts.
        meanings: What error codes mean here.
    """

    http_method: str
    path: str
    arguments: tuple[Parameter, ...] = ()
    host: Host = Host.API
    bare: bool = field(default=False, kw_only=True)
    envelope: str | None = field(default=None, kw_only=True)
    spread: Mapping[str, Callable[[Any], Mapping[str, object]]] = field(factory=dict, kw_only=True)
    implied: tuple[str, ...] = field(default=(), kw_only=True)
    variants: Mapping[str, Binding] = field(factory=dict, kw_only=True)
    settings: Mapping[str, str] = field(factory=dict, kw_only=True)
    echo: Mapping[str, str] = field(factory=dict, kw_only=True)
    count: Count | None = field(default=None, kw_only=True)
    meanings: Mapping[int, str] = field(factory=dict, kw_only=True)

    @cached_property
    def names(self) -> frozenset[str]:
        """What the request can carry, and what it says without carrying it."""
        return frozenset([*(argument.name for argument in self.arguments), *self.implied])

    def takes(self, name: str) -> bool:
        """Tell whether callers may give an argument of this name."""
        if name in self.spread or name in self.implied or name in self.variants:
            return True
        return any(argument.name == name for argument in self.arguments)

    def form_for(self, given: Mapping[str, object]) -> Binding:
        """Return the form for a call with these arguments: a variant, or this one."""
        return next((variant for name, variant in self.variants.items() if name in given), self)


@frozen(kw_only=True)
class Operation:
    """One endpoint.

    Attributes:
        id: The operation id of the OpenAPI file.
        name: Where the method stands, such as ``classic.releases.search``; unique.
        summary: One line for people.
        auth: Who signs.
        safety: What repeating it may do.
        rate_class: The limit it shares, if any.
        model: What comes back; None when the answer has no content.
        paged: The answer is a list of ``model``, or one page of it.
        optional: The answer may have nothing of ``model`` in it, and is None then.
        content: What the answer's body is. Text and media may lie behind a redirect.
        advice: What to do when a request may have been carried out and the answer is lost.
        instead: What to use in a dialect that has no form of it.
        bindings: The form in each dialect that has one.
    """

    id: str
    name: str
    summary: str
    auth: Auth = Auth.KEY
    safety: Safety
    rate_class: RateClass | None = None
    model: type | None = None
    paged: bool = False
    optional: bool = False
    content: Content = Content.MODEL
    advice: str | None = None
    instead: str | None = None
    bindings: Mapping[Dialect, Binding] = field(repr=False)

    def binding(self, dialect: Dialect) -> Binding:
        """Return the form in ``dialect``.

        Raises:
            UnsupportedOperationError: There is none.
        """
        try:
            return self.bindings[dialect]
        except KeyError:
            hint = f": {self.instead}" if self.instead else ""
            raise UnsupportedOperationError(
                f"{self.id} ({self.name}) has no form in the {dialect.value} dialect{hint}"
            ) from None

    def takes(self, name: str) -> list[str]:
        """Return the dialects in which callers may give an argument of this name."""
        return [dialect.value for dialect, binding in self.bindings.items() if binding.takes(name)]


class Catalogue:
    """All operations, found by name or, where it is unambiguous, by id."""

    def __init__(self, operations: tuple[Operation, ...]) -> None:
        self._by_name = {operation.name: operation for operation in operations}
        if len(self._by_name) != len(operations):
            raise ValueError("two operations share a name")

    def __iter__(self) -> Iterator[Operation]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def find(self, name: str) -> Operation:
        """Return the operation called ``name``, a dotted name or an operation id.

        Raises:
            KeyError: None or more than one fits; the message lists what does.
        """
        if name in self._by_name:
            return self._by_name[name]
        fitting = [operation for operation in self if operation.id == name]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise KeyError(f"{name} is ambiguous: {', '.join(operation.name for operation in fitting)}")
        raise KeyError(f"no operation is called {name}")
