"""Reads a request's arguments by its operation's record."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import orjson
from attrs import field, frozen

from ..models.wire import camel_case
from ..operations import Binding, Operation, ParameterLocation
from .answers import Page, Problem, RefusalError, Tree, invalid_choice, invalid_value, missing_parameter, out_of_range
from .faults import Faults
from .state import State

FORM = "application/x-www-form-urlencoded"

DEFAULT_PAGE_SIZE = 20
MAX_PAGE_SIZE = 500
"""The guide's maximum; the OpenAPI files have 100, the client's maximum."""

_Item = TypeVar("_Item")


@frozen(kw_only=True)
class Call:
    """One API request with an accepted signature; ``user`` is None if the partner signed alone."""

    operation: Operation
    arguments: Mapping[str, Any] = field(repr=False)
    user: str | None
    now: float
    faults: Faults
    origin: str
    state: State

    @property
    def utc_now(self) -> datetime:
        """The sandbox's time, in UTC and to the second."""
        return datetime.fromtimestamp(int(self.now), UTC)

    def whole_number(self, name: str, default: int, *, least: int = 0, most: int | None = None) -> int:
        """Return an argument as a whole number between two bounds."""
        text = self.arguments.get(name)
        if text is None:
            return default
        if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) < 10):  # noqa: PLR2004 - nine digits
            raise invalid_value(name, "a whole number")
        number = int(text)
        if number < least or (most is not None and number > most):
            raise out_of_range(name, f"{least} to {most}" if most is not None else f"{least} or more")
        return number

    def choice(self, name: str, choices: Collection[str]) -> str | None:
        """Return an argument that is one of a few words, in lower case; None if it was not sent."""
        text: str | None = self.arguments.get(name)
        if text is not None and text.lower() not in choices:
            raise invalid_choice(camel_case(name), choices)
        return text and text.lower()

    def page_of(self, noun: str, items: Sequence[_Item], tree: Any, *, is_search: bool = False) -> Page:
        number = self.whole_number("page", 1, least=1)
        size = self.whole_number("page_size", DEFAULT_PAGE_SIZE, least=1, most=MAX_PAGE_SIZE)
        cut: list[Tree] = [tree(item) for item in items[(number - 1) * size : number * size]]
        return Page(noun=noun, items=cut, number=number, size=size, total=len(items), is_search=is_search)


def read_arguments(
    binding: Binding, *, query: str, path: Mapping[str, str], content_type: str, body: bytes
) -> dict[str, Any]:
    """Collect the arguments of a request; names in the query and the form may be in any case."""
    takes_json = any(parameter.location is ParameterLocation.JSON for parameter in binding.parameters)
    sources: dict[ParameterLocation, Mapping[str, Any]] = {
        ParameterLocation.PATH: path,
        ParameterLocation.QUERY: read_form(query),
        ParameterLocation.FORM: read_form(body.decode("utf-8", "replace")) if content_type == FORM else {},
        ParameterLocation.JSON: _json_object(binding, content_type, body) if takes_json else {},
    }
    arguments: dict[str, Any] = {}
    for parameter in binding.parameters:
        source = sources[parameter.location]
        exact = parameter.location in {ParameterLocation.PATH, ParameterLocation.JSON}
        value = source.get(parameter.wire if exact else parameter.wire.lower())
        if value is None or (isinstance(value, str) and not value.strip()):
            if parameter.default is not None:
                arguments[parameter.name] = parameter.default
            elif parameter.required:
                raise missing_parameter(parameter.wire)
        else:
            arguments[parameter.name] = value
    for name, needed in binding.needs.items():
        if name in arguments and needed not in arguments:
            raise missing_parameter(camel_case(needed))
    return arguments


def read_form(text: str) -> dict[str, str]:
    """Return the parameters of a query or a form by their names in lower case; of several, the first."""
    return {name.lower(): value for name, value in reversed(parse_qsl(text, errors="replace"))}


def _json_object(binding: Binding, content_type: str, body: bytes) -> dict[str, Any]:
    if content_type != "application/json":
        raise RefusalError(415, Problem(1002, "The body must be sent as application/json"))
    try:
        tree = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise RefusalError(400, Problem(1002, "The body is not valid JSON")) from None
    known = {parameter.wire for parameter in binding.parameters if parameter.location is ParameterLocation.JSON}
    if binding.envelope is not None and isinstance(tree, dict) and tree.keys() == {binding.envelope}:
        tree = tree[binding.envelope]
    elif binding.bare:
        return dict.fromkeys(known, tree)
    if not isinstance(tree, dict) or not tree.keys() <= known:
        raise RefusalError(400, Problem(1002, f"The body must be a JSON object of {', '.join(sorted(known))}"))
    return tree
