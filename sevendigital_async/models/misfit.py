"""Where and why an answer does not fit its model."""

from __future__ import annotations

from typing import Any

import attrs
from cattrs import ClassValidationError, IterableValidationError

from .shapes import reach, spread, steps
from .wire import wire_names


class MisfitError(Exception):
    """A tree that does not fit its model.

    Attributes:
        path: Where, seen from the tree's root: ``.price.amount``; empty for the root itself.
        reason: What is wrong there, without the value.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason


def locate(error: Exception, tree: Any) -> MisfitError:
    """Follow the first failure down to its leaf, spelling the path as the tree does."""
    path = ""
    while isinstance(error, ClassValidationError | IterableValidationError):
        if isinstance(error, ClassValidationError):
            error, step, tree = _in_object(error, tree)
        else:
            error, step, tree = _in_list(error, tree)
        path += step
    return MisfitError(path, "is missing" if isinstance(error, KeyError) else str(error))


def _in_object(error: ClassValidationError, tree: Any) -> tuple[Exception, str, Any]:
    cause, note = error.group_exceptions()[0][0]
    if not isinstance(tree, dict):
        return cause, "", tree
    names = wire_names(attrs.fields_dict(error.cl)[note.name])
    name = next((name for name in names if reach(tree, steps(name)) is not None), names[0])
    return cause, f".{name}", reach(tree, steps(name))


def _in_list(error: IterableValidationError, tree: Any) -> tuple[Exception, str, Any]:
    cause, note = error.group_exceptions()[0][0]
    items, path = spread(tree, note.type)
    index = int(str(note.index))
    return cause, path.replace("[]", f"[{index}]"), items[index]
