"""The page at `/` as it is served: its policy, what it loads, its structure and its colours."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from support.probe import open_session

from sevendigital_async import sandbox as package
from sevendigital_async.sandbox import Sandbox
from sevendigital_async.sandbox.admin_api import STATIC_FILES, read_static_file

PAGE, STYLE = read_static_file("page.html"), read_static_file("page.css")
SCRIPTS = "".join(map(read_static_file, ("charts.js", "faults.js", "page.js")))
VOID = {"meta", "link", "input"}


class Outline(HTMLParser):
    """The elements of a page, each as name, attributes, text and the names of those that it is in."""

    def __init__(self, page):
        super().__init__()
        self.elements, self._open = [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        element = {"tag": tag, "text": "", "in": [each["tag"] for each in self._open], **dict(attrs)}
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag):
        assert self._open.pop()["tag"] == tag

    def handle_data(self, data):
        for element in self._open:
            element["text"] += data

    def all(self, *tags):
        return [element for element in self.elements if element["tag"] in tags]


OUTLINE = Outline(PAGE)


@pytest.mark.parametrize("path", STATIC_FILES)
async def test_each_file_is_served_with_a_strict_policy(path):
    async with Sandbox() as sandbox, open_session() as session, session.get(sandbox.base_url + path) as answer:
        name, content_type = STATIC_FILES[path]
        assert await answer.text() == read_static_file(name)
        assert (answer.status, answer.content_type, answer.charset) == (200, content_type, "utf-8")
        policy = dict(each.strip().split(" ", 1) for each in answer.headers["Content-Security-Policy"].split(";"))
        assert policy == {
            "default-src": "'none'",
            "style-src": "'self'",
            "script-src": "'self'",
            "connect-src": "'self'",
            "base-uri": "'none'",
            "form-action": "'none'",
            "frame-ancestors": "'none'",
        }
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"


def test_every_file_is_served():
    folder = Path(package.__file__).with_name("static")
    assert {path.name for path in folder.iterdir()} == {name for name, _ in STATIC_FILES.values()}


def test_it_names_no_outside_asset():
    loaded = {element.get("src", element.get("href")) for element in OUTLINE.all("script", "link", "img", "iframe")}
    assert loaded == STATIC_FILES.keys() - {"/"}
    assert set(re.findall(r"https?://[^\"'\s]+", PAGE + STYLE + SCRIPTS)) == {"http://www.w3.org/2000/svg"}  # a name
    assert "//" not in PAGE
    for outside in ("url(", "@import", "@font-face"):
        assert outside not in STYLE
    assert set(re.findall(r'fetch\("(.*?)"', SCRIPTS)) == {"/_sandbox/activity", "/_sandbox/faults"}


def test_nothing_is_inline_and_no_value_is_read_as_html():
    assert all(not element["text"].strip() for element in OUTLINE.all("script", "style"))
    assert not [name for element in OUTLINE.elements for name in element if name == "style" or name.startswith("on")]
    for unsafe in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("):
        assert unsafe not in SCRIPTS


def test_scripts_and_page_agree():
    ids = {element["id"] for element in OUTLINE.elements if "id" in element}
    assert len(ids) == sum("id" in element for element in OUTLINE.elements)
    assert set(re.findall(r'(?:find|fill)\("([\w-]+)"', SCRIPTS)) <= ids
    for element in OUTLINE.elements:
        assert set(element.get("aria-labelledby", "").split()) <= ids
    for figure in Sandbox().stats()["kinds"]["preview"]:
        assert f"{figure}: " in SCRIPTS
    classes = set(re.findall(r'name: "(\w+)"', SCRIPTS))
    assert {name for name in classes if f".{name}" not in STYLE} == set()


def test_landmarks_headings_and_captions():
    assert OUTLINE.all("html")[0]["lang"] == "en"
    assert OUTLINE.all("title")[0]["text"] == "7digital sandbox"
    assert [len(OUTLINE.all(name)) for name in ("header", "main", "footer", "nav", "h1")] == [1] * 5
    assert "user-scalable" not in PAGE
    for section in OUTLINE.all("section"):
        assert section["in"][-1] == "main"
        [heading] = [each for each in OUTLINE.all("h2") if each["id"] == section["aria-labelledby"]]
        assert heading["text"]
    assert len(OUTLINE.all("table")) == len(OUTLINE.all("caption")) == len(OUTLINE.all("thead"))
    assert all(header["scope"] in {"col", "row"} and header["text"] for header in OUTLINE.all("th"))
    for body in OUTLINE.all("tbody"):
        assert body["id"] == "kinds" or body["data-empty"].endswith(".")


def test_what_scrolls_can_be_reached_and_what_changes_is_said():
    scrolling = [element for element in OUTLINE.elements if element.get("class") == "scroll"]
    assert {(each["role"], each["tabindex"]) for each in scrolling} == {("region", "0")}
    assert all(each["aria-labelledby"] for each in scrolling)
    assert [each["id"] for each in OUTLINE.elements if each.get("role") == "status"] == [
        *("connection", "double-alert", "faults-status")
    ]
    assert [button["text"] for button in OUTLINE.all("button")] == [
        *("Pause updates", "Add fault", "Set latency", "Remove all faults")
    ]
    inputs = OUTLINE.all("input", "select")
    assert len(inputs) == 3
    assert all("label" in each["in"] for each in inputs)


def colours(scheme):
    light, dark = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    read = lambda text: dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", text))  # noqa: E731 - used twice, here
    return read(light) if scheme == "light" else read(light) | read(dark)


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


TEXT, GRAPHIC = 4.5, 3.0  # WCAG 2.2, 1.4.3 and 1.4.11
PAIRS = [
    *((front, back, TEXT) for front in ("text", "muted", "link", "alert") for back in ("page", "card")),
    ("alert", "alert-card", TEXT),
    ("link", "page", GRAPHIC),  # the focus ring
    ("muted", "card", GRAPHIC),  # the button's border
    *((series, "card", GRAPHIC) for series in ("preview", "catalogue", "subscriber")),
    *((series, "card", GRAPHIC) for series in ("accepted", "limited", "refused", "failed", "disconnected")),
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(scheme):
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    palette = colours(scheme)
    poor = [(front, back) for front, back, least in PAIRS if contrast(palette[front], palette[back]) < least]
    assert poor == []


def test_every_colour_has_a_value_for_both_schemes():
    light, dark = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    assert re.findall(r"--[\w-]+(?=:)", light) == re.findall(r"--[\w-]+(?=:)", dark)
    rules = STYLE.replace(light, "").replace(dark, "")
    assert re.findall(r"#[0-9a-f]{3,6}\b(?!\s*(?:td|th|\{))", rules) == []
