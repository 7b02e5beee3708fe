"""The API's documents, if they are available: every release, track and artist in them decodes completely."""

from __future__ import annotations

import html
import json
import re

import attrs
import pytest
from support import paths
from support.openapi import tree_in

from sevendigital_async.models import (
    Artist,
    Download,
    Format,
    Label,
    Licensor,
    Package,
    Price,
    Release,
    ServiceStatus,
    Streaming,
    Track,
)
from sevendigital_async.models.converter import structure
from sevendigital_async.models.wire import wire_names, wire_noun
from sevendigital_async.session.document import Kind, parse

SPEC = paths.SPEC
TEXTS = ("classic-v1.2-guide.txt", "user-locker.txt", "track-and-release-fields.txt")
OPENAPI = ("classic-v1.2.openapi.yml", "streaming-platform.openapi.yml")
NOUNS = {wire_noun(model): model for model in (Artist, Release, Track, Price, Label, Licensor, ServiceStatus)}
PARTS = {**NOUNS, "format": Format, "package": Package, "download": Download}
PARTS |= {"subscriptionStreaming": Streaming, "adSupportedStreaming": Streaming}
ROOTS = r"response|artist|release|track|price|label|licensor|lockerRelease|listItem"

pytestmark = pytest.mark.skipif(not SPEC.is_dir(), reason="the API's documents are not beside this checkout")


def payloads(text):
    """Yield every JSON object and XML element in a text that is well-formed once elisions are filled in."""
    decoder = json.JSONDecoder()
    position = 0
    while (position := text.find("{", position)) >= 0:
        try:
            tree, position = decoder.raw_decode(text, position)
            yield tree
        except ValueError:
            position += 1
    for match in re.finditer(rf"<({ROOTS})[\s>].*?</\1>", text, re.DOTALL):
        # The texts print bare ampersands, which no response would.
        source = re.sub(r"&(?!\w+;|#\d+;)", "&amp;", match[0])
        source = re.sub(r"\bxsi:noNamespaceSchemaLocation=\S+", "", source)
        document = parse(html.unescape(source).replace("&", "&amp;").encode(), "application/xml")
        if document.kind is Kind.XML:
            yield document.tree


def things(tree, name=None):
    """Yield (wire name, object) for every object in a tree that has a model."""
    if isinstance(tree, list):
        for inner in tree:
            yield from things(inner, name)
    elif isinstance(tree, dict):
        if name in PARTS:
            yield name, tree
        for key, inner in tree.items():
            yield from things(inner, key.removesuffix("s") if key in {"formats", "packages"} else key)


def unknown_names(model, tree):
    known = {wire.partition(".")[0] for field in attrs.fields(model) for wire in wire_names(field)}
    return tree.keys() - known - {"#text"}


@pytest.mark.parametrize("name", TEXTS)
def test_every_real_payload_decodes_with_no_field_lost(name):
    found = 0
    for payload in payloads((SPEC / name).read_text()):
        for key, thing in things(payload):
            model = PARTS[key]
            if key in thing or ("id" not in thing and "id" in attrs.fields_dict(model)):
                continue
            value = structure(thing, model)
            assert not unknown_names(model, thing)
            said = [name for name, inner in thing.items() if inner not in (None, "", [], {}) and name != "#text"]
            kept = [field.name for field in attrs.fields(model) if getattr(value, field.name) not in (None, "", ())]
            assert len(kept) >= len(said)
            found += 1
    assert found >= 10


def example(schema, schemas):
    if "$ref" in schema:
        return example(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "properties" in schema:
        return {name: example(inner, schemas) for name, inner in schema["properties"].items()}
    return schema.get("example")


@pytest.mark.parametrize("name", OPENAPI)
@pytest.mark.parametrize("model", [Artist, Release, Track, Price])
def test_every_documented_example_decodes_with_no_field_lost(name, model):
    schemas = tree_in(SPEC / name)["components"]["schemas"]
    if model.__name__ not in schemas:
        pytest.skip("this API has no such schema")
    tree = example(schemas[model.__name__], schemas)
    value = structure(tree, model)
    assert not unknown_names(model, tree)
    assert sum(inner is not None for inner in attrs.asdict(value, recurse=False).values()) >= len(tree)
