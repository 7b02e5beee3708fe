"""The answers that the vendor's guide and pages print, where the documents stand beside the checkout."""

import html
import json
import re
from collections.abc import Iterator

from sevendigital_async.operations import REGISTRY
from sevendigital_async.session.document import Kind, parse
from support.paths import SPEC

Answer = tuple[str, bytes, str]
"""The operation's name, the body and its content type."""


def printed_answers() -> list[Answer]:
    """Return every answer that is printed whole; none where the documents are missing."""
    if not SPEC.is_dir():
        return []
    return [*_of_the_guide(), *_of_the_lockers_page(), *_of_the_tracks_page()]


def _of_the_guide() -> Iterator[Answer]:
    names = {}
    for operation in REGISTRY:
        for binding in operation.bindings.values():
            if operation.name.startswith("classic.") and operation.model:
                names.setdefault(binding.path.removeprefix("/1.2/").lower(), operation.name)
    name = None
    text = (SPEC / "classic-v1.2-guide.txt").read_text()
    for match in re.finditer(
        r"^([a-z]+(?:/[a-zA-Z]+)*)$|(<response status=\"ok\".*?</response>)", text, re.MULTILINE | re.DOTALL
    ):
        heading, source = match.groups()
        if heading:
            name = names.get(heading.lower())
        elif name:
            # The guide prints bare ampersands and leaves things out, which no answer would.
            source = re.sub(r"<(\w+)>\s*(<(\w+)>[^<]*</\3>\s*)*\.\.\.\s*(</\1>)?(?!\w)", "", source)
            source = re.sub(r"\bxsi:noNamespaceSchemaLocation=\S+?(?=[ >])", "", source.replace("\n...", ""))
            source = html.unescape(re.sub(r"&(?!\w+;|#\d+;)", "&amp;", source)).replace("&", "&amp;")
            if parse(source.encode(), "application/xml").kind is Kind.XML:
                yield name, source.encode(), "application/xml"


def _of_the_lockers_page() -> Iterator[Answer]:
    text = (SPEC / "user-locker.txt").read_text()
    tree = json.JSONDecoder().raw_decode(text, text.index("{"))[0]
    yield "classic.user.locker", json.dumps(tree).encode(), "application/json"
    for source in re.findall(r"<response.*?</response>", text, re.DOTALL):
        yield "classic.user.locker", source.encode(), "application/xml"
    for source in re.findall(r"^<lockerRelease>.*?^</lockerRelease>", text, re.MULTILINE | re.DOTALL):
        answer = f"<response><locker>{source}</locker></response>"
        yield "platform.sales.locker", answer.encode(), "application/xml"


def _of_the_tracks_page() -> Iterator[Answer]:
    text = (SPEC / "track-and-release-fields.txt").read_text()
    tree = json.JSONDecoder().raw_decode(text, text.index("{"))[0]
    yield "platform.catalogue.track_details", json.dumps(tree).encode(), "application/json"
