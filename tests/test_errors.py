"""The exception tree in the docstring of ``errors`` against the classes."""

import inspect
import re

from support.rows import each_row

import sevendigital_async
from sevendigital_async import SevenDigitalError, errors

CLASSES = [thing for thing in vars(errors).values() if inspect.isclass(thing) and issubclass(thing, SevenDigitalError)]


def tree_of(error: type, before: str = "", branch: str = "", below: str = "") -> list[str]:
    """Draw an error and its subclasses, a line each, in the order in which the module defines them."""
    children = [each for each in CLASSES if each.__bases__[0] is error]
    lines = [f"{before}{branch}{error.__name__}"]
    for child in children:
        last = child is children[-1]
        lines += tree_of(child, before + below, "└── " if last else "├── ", "    " if last else "│   ")
    return lines


def drawn() -> list[tuple[str, str]]:
    """Return the lines of the docstring's tree: the drawing with the class, and what is said about it."""
    text = errors.__doc__.partition("::\n\n")[2].partition("\n\n")[0]
    lines = [re.match(r"    ([│├└─ ]*\w+)\s*(.*)", line) for line in text.splitlines()]
    return [(line[1], line[2]) for line in lines]


def test_the_tree_in_the_docstring_is_that_of_the_classes():
    assert [line for line, _ in drawn()] == tree_of(SevenDigitalError)


@each_row("error", CLASSES, ids=lambda error: error.__name__)
def test_every_error_is_public_and_explained(error):
    assert getattr(sevendigital_async, error.__name__) is error
    assert error.__doc__
    descriptions = {line.split()[-1]: words for line, words in drawn()}
    assert descriptions[error.__name__] or any(each.__bases__[0] is error for each in CLASSES)


def test_no_two_columns_of_the_tree_begin_at_different_places():
    text = errors.__doc__.partition("::\n\n")[2].partition("\n\n")[0]
    short = [re.match(r"(    [│├└─ ]*\w+\s+)\S", line) for line in text.splitlines()]
    columns = {len(found[1]) for found in short if found and len(found[1].rstrip()) < 37}
    assert len(columns) == 1
