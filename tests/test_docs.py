"""README.md and docs/: links, paths, code blocks and the names of the glossary."""

import ast
import pkgutil
import re
from pathlib import Path

from support.rows import each_row

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
GLOSSARY = ROOT / "docs" / "glossary.md"

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
CODE_SPAN = re.compile(r"`([^`\n]+)`")
PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)+\.(?:py|lua|md|yml|toml)")
TERM = re.compile(r"^## (.+)$", re.MULTILINE)
DOTTED_NAME = re.compile(r"sevendigital_async(?:\.\w+)+")
NAMES_IN_FILE = re.compile(r"((?:`[\w.]+`(?:, )?)+) in `([\w./]+)`")


def prose_of(page: Path) -> str:
    return FENCE.sub("", page.read_text())


def anchors_of(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(prose_of(page))}


def names_defined_in(file: Path) -> set[str]:
    """Return the dotted names that a module defines at the top level and in its classes."""
    tree = ast.parse(file.read_text())
    names = {name for statement in tree.body for name in _names_of(statement)}
    classes = [statement for statement in tree.body if isinstance(statement, ast.ClassDef)]
    return names | {f"{cls.name}.{name}" for cls in classes for statement in cls.body for name in _names_of(statement)}


def _names_of(statement: ast.stmt) -> list[str]:
    match statement:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return [name]
        case ast.Assign(targets=targets):
            return [target.id for target in targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case _:
            return []


def glossary_entries() -> list[tuple[str, str, str]]:
    """Return term, name and file for every name that the glossary places in a file."""
    _, *parts = TERM.split(prose_of(GLOSSARY))
    return [
        (term, name, file)
        for term, text in zip(parts[::2], parts[1::2], strict=True)
        for names, file in NAMES_IN_FILE.findall(text)
        for name in CODE_SPAN.findall(names)
    ]


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


@each_row("page", PAGES, ids=page_id)
def test_relative_links_and_their_anchors_exist(page):
    for target in LINK.findall(prose_of(page)):
        if re.match(r"\w+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors_of(linked), target


@each_row("page", PAGES, ids=page_id)
def test_files_named_in_backticks_exist(page):
    for path in filter(PATH.fullmatch, CODE_SPAN.findall(prose_of(page))):
        assert any((folder / path).exists() for folder in (ROOT, ROOT / "sevendigital_async", page.parent)), path


@each_row("page", PAGES, ids=page_id)
def test_python_blocks_compile(page):
    for indent, language, code in FENCE.findall(page.read_text()):
        if language == "python":
            source = "".join(line.removeprefix(indent) for line in code.splitlines(keepends=True))
            compile(source, page.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@each_row("page", PAGES, ids=page_id)
def test_names_of_the_package_can_be_imported(page):
    names = set(filter(DOTTED_NAME.fullmatch, CODE_SPAN.findall(prose_of(page))))
    for _, language, code in FENCE.findall(page.read_text()):
        imports = re.findall(r"^ *from (sevendigital_async[\w.]*) import (.+)$", code, re.MULTILINE)
        names |= {f"{module}:{name}" for module, found in imports for name in found.split("  #")[0].split(", ")}
        assert language == "python" or not imports
    for name in names:
        pkgutil.resolve_name(name)


def test_the_checks_find_something_to_check():
    text = "".join(map(prose_of, PAGES))
    assert len(LINK.findall(text)) > 20
    assert sum(language == "python" for page in PAGES for _, language, _ in FENCE.findall(page.read_text())) > 10
    assert len(list(filter(PATH.fullmatch, CODE_SPAN.findall(text)))) > 50


def test_the_glossary_is_sorted():
    terms = TERM.findall(prose_of(GLOSSARY))
    assert len(terms) > 50
    assert terms == sorted(terms)


def test_every_code_line_of_the_glossary_is_read():
    lines = [line for line in prose_of(GLOSSARY).splitlines() if line.startswith("Code: ")]
    read = [f"`{name}`" for _, name, _ in glossary_entries()]
    assert lines
    assert sum(len(CODE_SPAN.findall(line)) - line.count(" in `") for line in lines) == len(read)


@each_row(("term", "name", "file"), glossary_entries())
def test_names_in_the_glossary_are_defined_in_the_file_it_gives(term, name, file):
    assert name in names_defined_in(ROOT / file), f"{term}: {file} does not define {name}"
