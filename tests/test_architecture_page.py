"""The files and functions that docs/architecture.md names exist, and its ways are short."""

import ast
import re

import pytest
from support.paths import ROOT
from support.rows import each_row

PACKAGE = ROOT / "sevendigital_async"
PAGE = (ROOT / "docs" / "architecture.md").read_text()
SECTIONS = dict(re.findall(r"(?ms)^## (.+?)$(.*?)(?=^## |\Z)", PAGE))
STEPS = {title: re.findall(r"(?m)^\d+\. `([\w/.]+)` ((?:`[\w.]+`(?:, )?)+):", text) for title, text in SECTIONS.items()}
WAYS = {title: steps for title, steps in STEPS.items() if steps}


def names_in(path):
    names = set()

    def collect(node, prefix):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                names.add(prefix + child.name)
                collect(child, f"{prefix}{child.name}.")

    collect(ast.parse(path.read_text()), "")
    return names


def test_the_page_has_five_ways():
    assert len(WAYS) == 5
    numbered = re.findall(r"(?m)^\d+\. `", PAGE)
    assert sum(map(len, WAYS.values())) == len(numbered)


@each_row(("file", "names"), [step for steps in WAYS.values() for step in steps])
def test_what_a_step_names_exists(file, names):
    assert set(re.findall(r"`([\w.]+)`", names)) <= names_in(PACKAGE / file)


@pytest.mark.parametrize(
    ("beginning", "most"),
    [("How a call travels", 12), ("How a play travels", 12), ("From the file", 12), ("From the socket", 15)],
)
def test_a_way_enters_few_files(beginning, most):
    [way] = [steps for title, steps in WAYS.items() if title.startswith(beginning)]
    assert len({file for file, _ in way}) == len(way) <= most


@each_row("file", sorted(set(re.findall(r"`([\w/]+\.py)`", PAGE))))
def test_every_file_named_exists(file):
    assert any((parent / file).exists() for parent in (PACKAGE, PACKAGE / "shipping", ROOT))
