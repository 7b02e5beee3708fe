"""mkdocs.yml and its hooks; `nox -s docs` builds the site."""

import inspect
import logging
import re
import runpy
from types import SimpleNamespace

import pytest
import yaml
from support.paths import ROOT
from support.rows import each_row

from sevendigital_async import SevenDigitalError, config, errors
from sevendigital_async.shipping import AlertKind
from sevendigital_async.shipping.events import PLAY_EVENTS

site = SimpleNamespace(**runpy.run_path(str(ROOT / "tools" / "site.py")))
DOCS = ROOT / "docs"
TROUBLESHOOTING = (DOCS / "howto" / "troubleshooting.md").read_text()


def pages_in(entries):
    for entry in entries:
        for value in entry.values():
            yield from pages_in(value) if isinstance(value, list) else [value]


def rows_of(text):
    """Return the names in the first cells of the tables."""
    return [name for row in re.findall(r"(?m)^\| (`.+?) \|", text) for name in re.findall(r"`([\w-]+)`", row)]


def test_the_navigation_names_pages_that_exist_and_each_once():
    pages = list(pages_in(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))
    assert [page for page in pages if not (DOCS / page).exists()] == [
        page for page in pages if page in site.OUTSIDE.values()
    ]
    assert len(pages) == len(set(pages)) > 30


def test_links_that_lead_out_of_docs_lead_to_the_copies_of_the_site():
    assert site.with_links_in_site("[c](../../CHANGELOG.md#added)", "howto/x.md") == "[c](../changelog.md#added)"
    assert site.with_links_in_site("[r](../benchmarks/results/report.md)", "x.md") == "[r](results/report.md)"
    assert site.with_links_in_site("[a](b.md#c) [d](#e) [f](https://g)", "x.md") == "[a](b.md#c) [d](#e) [f](https://g)"


def test_roles_of_docstrings_are_shown_as_names():
    assert site.on_page_content("see :class:<code>~a.b.Name</code>") == "see <code>Name</code>"


def test_what_a_page_loads_from_elsewhere_is_found(tmp_path):
    (tmp_path / "page.html").write_text(
        '<link rel="canonical" href="https://a"><a href="https://b">b</a><script src="own.js"></script>'
        '<script src="https://c/d.js"></script><link rel="stylesheet" href="//e/f.css"><pre class="mermaid"></pre>'
    )
    (tmp_path / "style.css").write_text("@import 'https://g'; x { background: url(data:,h) url(//i/j.woff) }")
    found = [line.partition(": ")[2] for line in site.loaded_from_elsewhere(tmp_path)]
    assert found[:2] + found[3:] == ["https://c/d.js", "//e/f.css", "https://g", "//i/j.woff"]
    assert "Mermaid" in found[2]


def test_there_is_something_to_do_about_every_error_alert_and_log_event():
    classes = [value for value in vars(errors).values() if isinstance(value, type)]
    names = [error.__name__ for error in classes if issubclass(error, SevenDigitalError)]
    sources = [path.read_text() for path in (ROOT / "sevendigital_async").rglob("*.py")]
    events = {event.name for event in PLAY_EVENTS if event.template and event.level is not logging.NOTSET}
    events |= {name for source in sources for name in re.findall(r'"event": "([\w-]+)"', source)}
    assert sorted(rows_of(TROUBLESHOOTING)) == sorted([*names, *(kind.value for kind in AlertKind), *events])


@each_row("name", [name for name in vars(config) if name.endswith("_VARIABLE")])
def test_every_variable_is_a_setting_of_the_page(name):
    assert f"| `{getattr(config, name)}`" in (DOCS / "reference" / "settings.md").read_text().replace("`, `", "` | `")


PUBLIC = ("", ".shipping", ".sources", ".sandbox", ".monitoring")


@pytest.mark.parametrize("package", [f"sevendigital_async{name}" for name in PUBLIC])
def test_every_public_class_and_function_is_in_the_reference(package):
    module = pytest.importorskip(package)
    shown = {
        name for page in (DOCS / "reference").glob("*.md") for name in re.findall(r"(?m)^::: (.+)$", page.read_text())
    }
    public = [getattr(module, name) for name in module.__all__]
    missing = [
        value
        for value in public
        if (inspect.isroutine(value) or isinstance(value, type))
        and value.__module__ != errors.__name__
        and not {value.__module__, f"{value.__module__}.{value.__qualname__}"} & shown
    ]
    assert not missing


def test_the_sandbox_has_the_same_port_everywhere():
    pages = [ROOT / "README.md", *DOCS.rglob("*.md"), *(ROOT / "examples").glob("*.py")]
    ports = {
        port
        for page in pages
        for found in re.findall(
            r"sandbox[^\n|]*--port (\d+)|SEVENDIGITAL_BASE_URL=http://127\.0\.0\.1:(\d+)|`http://127\.0\.0\.1:(\d+)/`",
            page.read_text(),
        )
        for port in found
        if port
    }
    assert ports == {"7700"}
