"""``sevendigital operations``: what can be called."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import orjson
import typer

from ..config import Dialect
from ..operations import CATALOGUE, Operation
from .display import rendered, table
from .output import say

HELP = """List the operations of the API: names, endpoints, who signs, and what repeating them may do.

\b
Examples:
  sevendigital operations
  sevendigital operations basket
  sevendigital operations --json | jq '.[] | select(.safety == "unsafe") | .name'
"""


def operations(
    word: Annotated[str, typer.Argument(metavar="[WORD]", help="Only those whose name or id has it.")] = "",
    *,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON array, arguments included.")] = False,
) -> None:
    """Print the list."""
    wanted = [o for o in CATALOGUE if word.lower() in f"{o.name} {o.id}".lower()]
    described = [describe(operation) for operation in wanted]
    if json:
        say(orjson.dumps(described, option=orjson.OPT_INDENT_2).decode())
        return
    rows = [[d["name"], f"{d['http_method']} {d['path']}", d["auth"], d["safety"]] for d in described]
    say(rendered(table(["name", "endpoint", "signed", "repeating"], rows, numbers=False), sys.stdout))


def describe(operation: Operation, dialect: Dialect = Dialect.OPENAPI) -> dict[str, Any]:
    """Return what there is to know of an operation as a tree."""
    binding = operation.bindings.get(dialect) or next(iter(operation.bindings.values()))
    return {
        "name": operation.name,
        "id": operation.id,
        "summary": operation.summary,
        "http_method": binding.http_method,
        "path": binding.path,
        "auth": operation.auth.value,
        "safety": operation.safety.value,
        "requests_per_second": operation.rate_class.value if operation.rate_class else None,
        "content": operation.content.value,
        "model": operation.model.__name__ if operation.model else None,
        "paged": operation.paged,
        "arguments": [
            {"name": a.name, "wire": a.wire, "place": a.place.value, "required": a.required} for a in binding.arguments
        ],
    }
