"""Writes docs/operations.md from the operation records: ``python -m tools.operations_table``."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from sevendigital_async.config import Dialect, Host
from sevendigital_async.operations import REGISTRY, Binding, Content, Operation, RateClass, Safety

PAGE = Path(__file__).parents[1] / "docs" / "operations.md"

INTRODUCTION = """\
# Operations

Everything the client can call: {number} operations. This page is made from the operation records by
`python -m tools.operations_table`; a test keeps it up to date.

- **signed**, always by the partner: `key` where the service looks at nothing but the key, `two-legged` where it checks
  the signature, `three-legged` where the user signs as well if the client acts for one (`client.as_user(token)`).
- **safety**: what the client may do when a request went out and no answer came. `read` and `idempotent` are repeated,
  `unsafe` is not, unless the request surely was not processed. {safety}.
- **limit**: requests in any one second, for the operations that have a limit of their own.
- **live**: the endpoint in the live dialect (`dialect=Dialect.LIVE`, [more](live.md)), where that is another one;
  `same` where it is not. A dash stands where a dialect has none.
- **gives**: what the method returns. *Pages* can be awaited for one page or iterated for all; *media* are streamed,
  saved or handed to a player.
"""

HEADER = """\
| method | endpoint | live | signed | safety | limit | gives |
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
    """Return the namespace that an operation's method stands in."""
    return operation.name.rpartition(".")[0]


def row(operation: Operation) -> str:
    """Return an operation's line of its table."""
    file, live = (operation.bindings.get(dialect) for dialect in (Dialect.OPENAPI, Dialect.LIVE))
    cells = (
        f"`{operation.name.rpartition('.')[2]}`",
        endpoint(file),
        "same" if live == file else endpoint(live),
        operation.auth.value,
        operation.safety.value,
        limit(operation.rate_class),
        gives(operation),
    )
    return f"| {' | '.join(cells)} |\n"


def endpoint(binding: Binding | None) -> str:
    """Return how a dialect reaches an operation."""
    if binding is None:
        return "-"
    host = "" if binding.host is Host.API else f" ({binding.host.value} host)"
    return f"`{binding.http_method} {binding.path}`{host}"


def limit(rate_class: RateClass | None) -> str:
    """Return how many requests a rate class admits."""
    return f"{rate_class.value}/s" if rate_class else ""


def gives(operation: Operation) -> str:
    """Return what an operation's method comes back with."""
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
