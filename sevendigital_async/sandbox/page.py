"""The page at ``/`` and what it loads: files in ``static/``, and nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

STATIC_FILES: Mapping[str, tuple[str, str]] = {
    "/": ("page.html", "text/html"),
    "/_sandbox/static/page.css": ("page.css", "text/css"),
    "/_sandbox/static/charts.js": ("charts.js", "text/javascript"),
    "/_sandbox/static/faults.js": ("faults.js", "text/javascript"),
    "/_sandbox/static/page.js": ("page.js", "text/javascript"),
}
"""The file and the content type that each path is served with."""


def read_static_file(name: str) -> str:
    """Return the text of a file in ``static/``."""
    return files(__package__).joinpath("static", name).read_text("utf-8")
