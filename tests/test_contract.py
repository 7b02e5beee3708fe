"""The operation records against the API's documents, and the methods against the records."""

import inspect
import re
from pathlib import Path

import pytest
import yaml

from sevendigital_async import Dialect, SevenDigital
from sevendigital_async.operations import CATALOGUE, Auth, Place, RateClass, Safety

SPEC = Path(__file__).parents[2] / "shared" / "spec"
FILES = {"classic": ("classic-v1.2.openapi.yml", "/1.2"), "platform": ("streaming-platform.openapi.yml", "")}

# What the documents say, in this project's own keeping: users don't have the files.
FACTS = {
    "classic.releases.search": ("searchReleases", "GET", "/1.2/release/search", {"q"}, {"country", "page", "pageSize"}),
    "classic.releases.details": ("getReleaseDetails", "GET", "/1.2/release/details", {"releaseId"}, {"country"}),
    "classic.releases.tracks": (
        "getReleaseTracks",
        "GET",
        "/1.2/release/tracks",
        {"releaseId"},
        {"country", "page", "pageSize"},
    ),
    "classic.artists.details": ("getArtistDetails", "GET", "/1.2/artist/details", {"artistId"}, {"country"}),
    "classic.service.status": ("getStatus", "GET", "/1.2/status", set(), set()),
    "platform.logging.preview": ("reportPreviewStream", "POST", "/logging/preview", {"logs"}, set()),
    "platform.logging.catalogue": ("reportCatalogueStream", "POST", "/logging/catalogue", {"logs"}, set()),
    "platform.logging.subscriber": ("reportSubscriberStream", "POST", "/logging/subscriber", {"logs"}, set()),
}

NOT_IN_THE_FILES = {"classic.service.status"}
"""Documented in the guide only."""

ONLY_IN_THE_GUIDE = {"country", "page", "pageSize"}
"""Parameters that the guide gives to every method, or to every list, and the files to some."""

by_name = pytest.mark.parametrize("operation", list(CATALOGUE), ids=lambda operation: operation.name)


@by_name
def test_records_say_what_the_documents_say(operation):
    binding = operation.binding(Dialect.OPENAPI)
    required = {argument.wire for argument in binding.arguments if argument.required}
    optional = {argument.wire for argument in binding.arguments if not argument.required}
    assert (operation.id, binding.http_method, binding.path, required, optional) == FACTS[operation.name]


def test_every_fact_has_its_record():
    assert {operation.name for operation in CATALOGUE} == set(FACTS)


@by_name
@pytest.mark.skipif(not SPEC.exists(), reason="the API's own files are not here")
def test_records_agree_with_the_files_themselves(operation):
    if operation.name in NOT_IN_THE_FILES:
        return
    file, prefix = FILES[operation.name.split(".")[0]]
    document = yaml.safe_load((SPEC / file).read_text())
    binding = operation.binding(Dialect.OPENAPI)
    stated = document["paths"][binding.path.removeprefix(prefix)][binding.http_method.lower()]
    assert stated["operationId"] == operation.id

    def resolve(node):
        while "$ref" in node:
            target = document
            for key in node["$ref"].removeprefix("#/").split("/"):
                target = target[key]
            node = target
        return node

    parameters = [resolve(parameter) for parameter in stated.get("parameters", [])]
    wanted = {(parameter["name"], parameter["in"]): parameter.get("required", False) for parameter in parameters}
    for content_type, content in resolve(stated.get("requestBody", {})).get("content", {}).items():
        schema = resolve(content["schema"])
        place = "json" if "json" in content_type else "form"
        wanted |= {(name, place): name in schema.get("required", []) for name in schema["properties"]}
    ours = {(argument.wire, argument.place.value): argument.required for argument in binding.arguments}
    assert wanted.items() <= ours.items()
    assert {name for name, _ in ours.keys() - wanted.keys()} <= ONLY_IN_THE_GUIDE
    three_legged = [{"oauth1_three_legged": []}]
    if stated.get("security") == three_legged:
        assert operation.auth is Auth.THREE_LEGGED


@by_name
def test_every_record_has_its_method(operation):
    client = SevenDigital("key", "secret")
    method = client
    for part in operation.name.split("."):
        method = getattr(method, part)
    parameters = inspect.signature(method).parameters
    arguments = operation.binding(Dialect.OPENAPI).arguments
    assert list(parameters) == [argument.name for argument in arguments]
    for argument in arguments:
        assert argument.name == re.sub(r"(?<!^)(?=[A-Z])", "_", argument.wire).lower()
        parameter = parameters[argument.name]
        assert (parameter.default is inspect.Parameter.empty) is argument.required
        assert parameter.annotation is not inspect.Parameter.empty
    positional = [p for p in parameters.values() if p.kind is not inspect.Parameter.KEYWORD_ONLY]
    assert len(positional) <= 1
    binding = operation.binding(Dialect.OPENAPI)
    assert f"``{binding.http_method} {binding.path}``" in method.__doc__


def test_every_method_has_its_record():
    client, found = SevenDigital("key", "secret"), set()
    for api in ("classic", "platform"):
        for tag in dir(getattr(client, api)):
            if tag.startswith("_"):
                continue
            resource = getattr(getattr(client, api), tag)
            found |= {f"{api}.{tag}.{name}" for name in dir(resource) if not name.startswith("_")}
    assert found == {operation.name for operation in CATALOGUE}


def test_what_must_not_be_repeated_is_marked_so():
    unsafe = {operation.name for operation in CATALOGUE if operation.safety is Safety.UNSAFE}
    assert unsafe == {"platform.logging.preview", "platform.logging.catalogue", "platform.logging.subscriber"}


def test_rate_classes():
    limited = {operation.name: operation.rate_class.value for operation in CATALOGUE if operation.rate_class}
    assert limited == {"platform.logging.preview": 5}
    assert {rate_class.value for rate_class in RateClass} == {5, 50}


def test_operations_are_found_by_name_or_unambiguous_id():
    assert CATALOGUE.find("classic.releases.search").id == "searchReleases"
    assert CATALOGUE.find("reportPreviewStream").name == "platform.logging.preview"
    with pytest.raises(KeyError, match="nope"):
        CATALOGUE.find("nope")


def test_places_cover_what_http_offers():
    assert {place.value for place in Place} == {"path", "query", "form", "json"}
