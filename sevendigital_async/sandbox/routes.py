"""Pairs every operation with its handler, method and path, in both dialects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from attrs import evolve, frozen

from ..config import Dialect
from ..errors import ConfigurationError
from ..models.stream_log import LogKind
from ..operations import REGISTRY, Binding, Operation, Parameter, ParameterLocation
from .handlers import HANDLERS, LIVE_HANDLERS, Handler
from .handlers.play_logs import LOG_KINDS
from .rendering import JSON, XML

_BARE_PROBLEMS = frozenset({"platform.logging.preview"})
_JSON_API = "platform."
_XML_ONLY = frozenset({"platform.sales.credit_item"})
_SIGNED_BY_REQUEST_TOKEN = frozenset({"oauth.access_token"})


ParameterKey = tuple[ParameterLocation, str]
"""Where a parameter is, and its wire name in lower case."""


def _key_of(parameter: Parameter) -> ParameterKey:
    return parameter.location, parameter.wire.lower()


def _is_in_query_or_form(parameter: Parameter) -> bool:
    return parameter.location in {ParameterLocation.QUERY, ParameterLocation.FORM}


@frozen(kw_only=True)
class Endpoint:
    """One operation at one method and path.

    Attributes:
        operation: The operation.
        binding: How it is called.
        handler: What answers.
        kind: The kind of logs it takes, if any.
        only_type: What it answers in, whatever the client accepts; None if the client chooses.
        is_signed_by_request_token: It is signed with a request token.
        has_bare_problems: Its own errors come without an envelope.
        is_live: It belongs to the live dialect, where a request that names a user needs no user's token.
    """

    operation: Operation
    binding: Binding
    handler: Handler
    kind: LogKind | None
    only_type: str | None
    is_signed_by_request_token: bool
    has_bare_problems: bool
    is_live: bool

    @property
    def takes_user_id(self) -> bool:
        return any(parameter.name == "user_id" for parameter in self.binding.parameters)

    @property
    def accepted_parameters(self) -> frozenset[ParameterKey]:
        """What a request may have in its query or form."""
        return frozenset(map(_key_of, filter(_is_in_query_or_form, self.binding.parameters)))

    @property
    def required_parameters(self) -> frozenset[ParameterKey]:
        """What a request must have in its query or form."""
        return frozenset(
            _key_of(parameter)
            for parameter in filter(_is_in_query_or_form, self.binding.parameters)
            if parameter.required
        )


def endpoints(
    operations: Iterable[Operation] | None = None, handlers: Mapping[str, Handler] = HANDLERS
) -> Iterator[Endpoint]:
    """List everything the sandbox serves.

    Several endpoints may share a method and a path: the dispatcher chooses by the parameters of the request.

    Args:
        operations: What to serve; the operation registry by default.
        handlers: What answers, by the name of the operation.

    Raises:
        ConfigurationError: An operation has no handler; the message names all of those.
    """
    operations = tuple(REGISTRY if operations is None else operations)
    lacking = [
        operation.name
        for operation in operations
        if operation.name not in handlers and operation.name not in LIVE_HANDLERS
    ]
    if lacking:
        raise ConfigurationError(f"the sandbox has no handler for {', '.join(lacking)}")
    for dialect in Dialect:
        for operation in operations:
            binding = operation.bindings.get(dialect)
            if binding is None or (dialect is Dialect.LIVE and binding == operation.bindings.get(Dialect.OPENAPI)):
                continue
            for form in (binding, *binding.variants.values(), *_alternative_paths(binding)):
                yield _endpoint(operation, form, dialect, handlers)


PREVIEW_LOG_PATHS = ("/1.2/preview/log", "/1.2/user/preview/log")
"""The vendor's pages disagree about it; both are accepted."""


def _alternative_paths(binding: Binding) -> Iterator[Binding]:
    if binding.path == PREVIEW_LOG_PATHS[0]:
        yield evolve(binding, path=PREVIEW_LOG_PATHS[1])


def _endpoint(operation: Operation, binding: Binding, dialect: Dialect, handlers: Mapping[str, Handler]) -> Endpoint:
    name, is_live = operation.name, dialect is Dialect.LIVE
    handler = LIVE_HANDLERS.get(name) if is_live else None
    return Endpoint(
        operation=operation,
        binding=binding,
        handler=handler or handlers[name],
        kind=LOG_KINDS.get(name),
        only_type=_only_type(name),
        is_signed_by_request_token=name in _SIGNED_BY_REQUEST_TOKEN,
        has_bare_problems=name in _BARE_PROBLEMS,
        is_live=is_live,
    )


def _only_type(name: str) -> str | None:
    if name in _XML_ONLY:
        return XML
    return JSON if name.startswith(_JSON_API) else None
