"""Write docs/operations.md from the operation records: ``python -m tools.operations_table``."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from sevendigital_async.config import Dialect, Host
from sevendigital_async.operations import REGISTRY, Binding, Content, Operation, RateClass, Safety

PAGE = Path(__file__).parents[1] / "docs" / "operations.md"

INTRODUCTION = """\
# Operations

The client has {number} operations. This page is generated from the operation records by
`python -m tools.operations_table`; a test checks that it is up to date.

- **signed**: the partner signs every request. `key`: the service checks only the key. `two-legged`: it checks the
  signature. `three-legged`: the user signs as well if the client acts for a user (`client.as_user(token)`).
- **safety**: whether a request without a response may be sent again. `read` and `idempotent` operations are retried;
  `unsafe` ones are retried only if the request was certainly not processed. {safety}.
- **limit**: requests in any one second, for operations with their own limit.
- **live**: the endpoint in the [live dialect](live.md) (`dialect=Dialect.LIVE`), or `same`. A dash means that the
  dialect does not have the operation.
- **returns**: the method's result. *Pages* can be awaited for one page or iterated over all; *media* can be streamed,
  saved or passed to a player as a URL.
"""

HEADER = """\
| method | endpoint | live | signed | safety | limit | returns |
|---|---|---|---|---|---|---|
"""


def page() -> str:
    """Return the page's text."""
    number_of = {safety: sum(operation.safety is safety for operation in REGISTRY) for safety in Safety}
    safety = ", ".join(f"{number} are `{safety.value}`" for safety, number in number_of.items())
    sections = [
        f"\n## client.{group}\n\n{HEADER}" + "".join(map(row, operations))
        for group, operations in groupby(sorted(REGISTRY, key=group_of), key=group_of)
    ]
    return INTRODUCTION.format(number=len(REGISTRY), safety=safety) + "".join(sections)


def group_of(operation: Operation) -> str:
    """Return the namespace of an operation's method."""
    return operation.name.rpartition(".")[0]


def row(operation: Operation) -> str:
    """Return an operation's row of its table."""
    openapi, live = (operation.bindings.get(dialect) for dialect in (Dialect.OPENAPI, Dialect.LIVE))
    cells = (
        f"`{operation.name.rpartition('.')[2]}`",
        endpoint(openapi),
        "same" if live == openapi else endpoint(live),
        operation.auth.value,
        operation.safety.value,
        limit(operation.rate_class),
        returned(operation),
    )
    return f"| {' | '.join(cells)} |\n"


def endpoint(binding: Binding | None) -> str:
    """Return the endpoint of an operation in one dialect."""
    if binding is None:
        return "-"
    host = "" if binding.host is Host.API else f" ({binding.host.value} host)"
    return f"`{binding.http_method} {binding.path}`{host}"


def limit(rate_class: RateClass | None) -> str:
    """Return the limit of a rate class, empty if there is none."""
    return f"{rate_class.value}/s" if rate_class else ""


def returned(operation: Operation) -> str:
    """Describe the result of an operation's method."""
    if operation.content is not Content.MODEL:
        return str(operation.content.value)
    if operation.model is None:
        return "nothing"
    if not operation.paged:
        return f"`{operation.model.__name__}`" + (" or nothing" if operation.optional else "")
    binding = next(iter(operation.bindings.values()))
    has_pages = any(parameter.name == "page" for parameter in binding.parameters)
    return f"{'pages' if has_pages else 'list'} of `{operation.model.__name__}`"


if __name__ == "__main__":
    PAGE.write_text(page())
