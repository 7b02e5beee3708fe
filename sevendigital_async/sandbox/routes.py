"""Pairs every operation with its handler and its place in the URL space."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from attrs import frozen

from ..config import Dialect
from ..errors import ConfigurationError
from ..models.stream_log import LogKind
from ..operations import CATALOGUE, Binding, Operation
from .handlers import HANDLERS, Handler
from .handlers.play_logs import LOG_KINDS
from .rendering import JSON, XML

_BARE_PROBLEMS = frozenset({"platform.logging.preview"})
_JSON_API = "platform."
_XML_ONLY = frozenset({"platform.sales.credit_item"})
_SIGNED_BY_REQUEST_TOKEN = frozenset({"oauth.access_token"})


@frozen(kw_only=True)
class Endpoint:
    """One operation, reachable in one form.

    Attributes:
        operation: What it does.
        binding: How it is called.
        handler: What answers.
        kind: The kind of logs it takes, if any.
        only_type: What it answers in, whatever the client accepts; None if the client chooses.
        by_request_token: It is signed with a token that is no access token yet.
        bare_problems: Its own errors come without an envelope.
    """

    operation: Operation
    binding: Binding
    handler: Handler
    kind: LogKind | None
    only_type: str | None
    by_request_token: bool
    bare_problems: bool


def endpoints(
    operations: Iterable[Operation] = CATALOGUE, handlers: Mapping[str, Handler] = HANDLERS
) -> Iterator[Endpoint]:
    """List everything the sandbox serves.

    Two operations may share a method and a path in the live dialect; the OpenAPI form, and then the first, is served.

    Raises:
        ConfigurationError: An operation has no handler; the message names all of those.
    """
    operations = tuple(operations)
    lacking = [operation.name for operation in operations if operation.name not in handlers]
    if lacking:
        raise ConfigurationError(f"the sandbox has no handler for {', '.join(lacking)}")
    taken: set[tuple[str, str]] = set()
    for dialect in Dialect:
        for operation in operations:
            binding = operation.bindings.get(dialect)
            if binding is None or (binding.http_method, binding.path) in taken:
                continue
            taken.add((binding.http_method, binding.path))
            yield Endpoint(
                operation=operation,
                binding=binding,
                handler=handlers[operation.name],
                kind=LOG_KINDS.get(operation.name),
                only_type=_only_type(operation.name),
                by_request_token=operation.name in _SIGNED_BY_REQUEST_TOKEN,
                bare_problems=operation.name in _BARE_PROBLEMS,
            )


def _only_type(name: str) -> str | None:
    if name in _XML_ONLY:
        return XML
    return JSON if name.startswith(_JSON_API) else None
