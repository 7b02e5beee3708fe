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

_BARE_PROBLEMS = frozenset({"platform.logging.preview"})
_JSON_API = "platform."


@frozen(kw_only=True)
class Endpoint:
    """One operation, reachable in one form.

    Attributes:
        operation: What it does.
        binding: How it is called.
        handler: What answers.
        kind: The kind of logs it takes, if any.
        json_only: It answers in JSON whatever the client accepts.
        bare_problems: Its own errors come without an envelope.
    """

    operation: Operation
    binding: Binding
    handler: Handler
    kind: LogKind | None
    json_only: bool
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
                json_only=operation.name.startswith(_JSON_API),
                bare_problems=operation.name in _BARE_PROBLEMS,
            )
