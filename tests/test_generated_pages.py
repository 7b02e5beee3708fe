"""Pages that are made from the code are up to date."""

import runpy

import pytest
from support.paths import ROOT

from sevendigital_async import SevenDigitalError, errors
from sevendigital_async.cli.app import COMMANDS
from sevendigital_async.operations import REGISTRY

DOCS = ROOT / "docs"


@pytest.mark.parametrize(
    ("name", "tool"),
    [
        ("operations", "operations_table"),
        ("errors", "error_tree"),
        ("reference/commands", "command_line"),
    ],
)
def test_the_page_is_up_to_date(name, tool):
    made = runpy.run_path(str(ROOT / "tools" / f"{tool}.py"))["page"]()
    assert (DOCS / f"{name}.md").read_text() == made, f"run python -m tools.{tool}"


def test_every_operation_has_one_row():
    rows = [line for line in (DOCS / "operations.md").read_text().splitlines() if line.startswith("| `")]
    assert len(rows) == len(REGISTRY)


def test_every_command_has_one_section():
    sections = [line[3:] for line in (DOCS / "reference" / "commands.md").read_text().splitlines() if line[:3] == "## "]
    assert {section.split()[1] for section in sections} == set(COMMANDS)
    assert len(sections) == len(set(sections))


def test_every_error_has_one_line():
    classes = [value for value in vars(errors).values() if isinstance(value, type)]
    names = {error.__name__ for error in classes if issubclass(error, SevenDigitalError)}
    lines = [line.strip() for line in (DOCS / "errors.md").read_text().splitlines()]
    assert {line[3:].partition("`")[0] for line in lines if line.startswith("- `")} == names
