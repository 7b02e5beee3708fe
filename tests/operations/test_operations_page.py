import runpy

from support import paths

from sevendigital_async.operations import REGISTRY

ROOT = paths.ROOT


def test_the_page_of_operations_is_up_to_date():
    made = runpy.run_path(str(ROOT / "tools" / "operations_table.py"))["page"]()
    assert (ROOT / "docs" / "operations.md").read_text() == made, "run python -m tools.operations_table"


def test_every_operation_has_one_row_on_it():
    rows = [line for line in (ROOT / "docs" / "operations.md").read_text().splitlines() if line.startswith("| `")]
    assert len(rows) == len(REGISTRY)
