"""Hooks of mkdocs, named in mkdocs.yml: the site's pages that are kept outside docs/, and links to them.

``python -m tools.site FOLDER`` checks that no page of a built site loads anything from elsewhere.
"""

from __future__ import annotations

import posixpath
import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"

OUTSIDE = {"CHANGELOG.md": "changelog.md", "benchmarks/results/report.md": "results/report.md"}
"""Pages of the repository that are not in docs/, and where the site has them."""

ROLE = re.compile(r":(?:class|func|meth|data|attr|mod):<code>(?:~[\w.]*\.)?([^<]+)</code>")
LINK = re.compile(r"\]\((?P<target>[^)\s#:]+)(?P<anchor>#[^)\s]*)?\)")


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that are not in docs/, and the charts of the benchmarks."""
    from mkdocs.structure.files import File  # noqa: PLC0415 - installed with the extra `docs` only

    for source, path in OUTSIDE.items():
        files.append(File.generated(config, path, content=(ROOT / source).read_text()))
    for chart in RESULTS.glob("*.svg"):
        files.append(File.generated(config, f"results/{chart.name}", abs_src_path=str(chart)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Point the links of a page of docs/ that lead out of docs/ to the site's copies."""
    return with_links_in_site(markdown, page.file.src_uri)


def on_page_content(html: str, **_: Any) -> str:
    """Show the roles of docstrings, such as ``:class:`~package.Name```, as plain names."""
    return ROLE.sub(r"<code>\1</code>", html)


def with_links_in_site(markdown: str, page: str) -> str:
    """Return a page's text with links for the site.

    Args:
        markdown: The text.
        page: Its path below docs/.
    """
    folder = posixpath.dirname(page)

    def in_site(link: re.Match[str]) -> str:
        source = posixpath.normpath(posixpath.join("docs", folder, link["target"]))
        if source not in OUTSIDE:
            return link[0]
        return f"]({posixpath.relpath(OUTSIDE[source], folder or '.')}{link['anchor'] or ''})"

    return LINK.sub(in_site, markdown)


ELSEWHERE = re.compile(r"(?:https?:)?//")
URL_IN_STYLE = re.compile(r"(?:@import\s*|url\(\s*)[\"']?((?:https?:)?//[^\"')\s]+)")
LOADING = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "link": "href",
}
NOT_LOADED = {"canonical", "next", "prev", "alternate"}
"""Relations of a <link> that a browser does not load."""


class Loaded(HTMLParser):
    """Collects what a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect what an element loads."""
        attributes = dict(attrs)
        url = attributes.get(LOADING.get(tag, ""))
        if url and attributes.get("rel") not in NOT_LOADED:
            self.urls.append(url)


def loaded_from_elsewhere(site: Path) -> Iterator[str]:
    """Yield ``PAGE: URL`` for all that the pages and style sheets of a built site load from other hosts."""
    for page in sorted(site.rglob("*.html")):
        parser = Loaded()
        parser.feed(page.read_text())
        yield from (f"{page}: {url}" for url in parser.urls if ELSEWHERE.match(url))
        if 'class="mermaid"' in page.read_text():
            yield f"{page}: the theme fetches a script to draw Mermaid diagrams"
    for style in sorted(site.rglob("*.css")):
        yield from (f"{style}: {url}" for url in URL_IN_STYLE.findall(style.read_text()))


if __name__ == "__main__":
    sys.exit("\n".join(loaded_from_elsewhere(Path(sys.argv[1]))) or None)
