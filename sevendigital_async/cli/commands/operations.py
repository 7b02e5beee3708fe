"""``sevendigital operations``: a list of the API's operations."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from ...config import Dialect
from ...operations import REGISTRY, Operation
from ..options import DialectOption
from ..output import echo, echo_json, echo_message
from ..tables import Table
from ..usage import quoted

HELP = """List the operations of the API: name, endpoint, how they are signed, and whether they may be repeated.

\b
Signed:
  key          the consumer key only
  two-legged   by the partner
  three-legged by the partner, for a user

\b
Repeating:
  read         changes nothing
  idempotent   has the same effect when it is sent again
  unsafe       may have its effect twice, such as a purchase

\b
Examples:
  sevendigital operations
  sevendigital operations basket
  sevendigital operations --json | jq '.[] | select(.safety == "unsafe") | .name'
"""

app = typer.Typer(rich_markup_mode=None)


@app.command("operations", help=HELP)
def operations(
    word: Annotated[str, typer.Argument(metavar="WORD", help="List only operations with this in name or id.")] = "",
    *,
    dialect: DialectOption = Dialect.OPENAPI,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON array, arguments included.")] = False,
) -> None:
    """Print the list."""
    matching = [o for o in REGISTRY if word.lower() in f"{o.name} {o.id}".lower()]
    described = [describe(operation, dialect) for operation in matching]
    if json:
        echo_json(described, indent=True)
        return
    if not described:
        echo_message(f"no operation has {quoted(word)} in its name or id")
        return
    rows = [[d["name"], _endpoint(d, dialect), d["auth"], d["safety"]] for d in described]
    echo(Table(["name", "endpoint", "signed", "repeating"], rows, has_numbers=False).render(sys.stdout))


def _endpoint(description: dict[str, Any], dialect: Dialect) -> str:
    only = "" if description["dialect"] == dialect.value else f" ({description['dialect']} dialect only)"
    return f"{description['http_method']} {description['path']}{only}"


def describe(operation: Operation, dialect: Dialect = Dialect.OPENAPI) -> dict[str, Any]:
    """Return an operation as JSON; its binding is of another dialect where it has none in this one."""
    offered = dialect if dialect in operation.bindings else next(iter(operation.bindings))
    binding = operation.bindings[offered]
    return {
        "name": operation.name,
        "id": operation.id,
        "summary": operation.summary,
        "dialect": offered.value,
        "http_method": binding.http_method,
        "path": binding.path,
        "auth": operation.auth.value,
        "safety": operation.safety.value,
        "requests_per_second": operation.rate_class.value if operation.rate_class else None,
        "content": operation.content.value,
        "model": operation.model.__name__ if operation.model else None,
        "paged": operation.paged,
        "arguments": [
            {"name": a.name, "wire": a.wire, "location": a.location.value, "required": a.required}
            for a in binding.parameters
        ],
    }
