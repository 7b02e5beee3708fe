"""The documents' facts, the records and the methods against one another."""

import inspect
import re

import pytest
from support import paths
from support.facts import FACTS, IN_FILES, ONE_OF, PAGING, documented_extras
from support.live_facts import IN_PAGES, LIVE_FACTS, NOT_CLASSIC, NOT_LIVE, ONLY_IN_PAGES
from support.openapi import tree_in
from support.rows import each_row

from sevendigital_async import Dialect, InvalidArgumentError, SevenDigital, UnsupportedOperationError
from sevendigital_async.operations import REGISTRY, Operation, ParameterLocation, RateClass

SPEC = paths.SPEC
FILES = {"classic": ("classic-v1.2.openapi.yml", "/1.2", 61), "platform": ("streaming-platform.openapi.yml", "", 46)}
AUTH_WHERE_NONE_IS_STATED = {"classic": "key", "platform": "two-legged"}

HELPERS = {
    "media.stream_url",
    "oauth.authorise_url",
    "classic.tracks.preview_url",
    "classic.payment.add_card_url",
    "classic.payment.cards_url",
}
"""Public methods that make no call."""

SIGNED_WITH = {"oauth.access_token": ["request_token"]}
"""Parameters of methods that take part in the signature only; they come first."""

SPREAD = {"logs": {"items", "user_id", "country"}, "events": {"event", "track_id", "playlist_id", "format_id"}}
"""Arguments of methods that the live dialect takes apart."""

SPELLED_APART = {"pos", "playlists", "token"}
"""Wire names that only the live dialect has and that say less than the method's own."""

each_operation = each_row("operation", list(REGISTRY), ids=lambda operation: operation.name)
each_of_the_files = each_row(
    "operation",
    [operation for operation in REGISTRY if Dialect.OPENAPI in operation.bindings],
    ids=lambda operation: operation.name,
)
each_of_the_pages = each_row("name", LIVE_FACTS)
with_the_files = pytest.mark.skipif(not SPEC.exists(), reason="the API's own files are not here")


def snake_case(wire: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", wire.removeprefix("xoauth_")).lower()


def method_of(client: SevenDigital, operation: Operation):
    found = client
    for part in operation.name.split("."):
        found = getattr(found, part)
    return found


def is_required(binding, name: str) -> bool:
    """Return whether a dialect requires an argument, however it sends it."""
    if name in binding.spread or name in binding.implied:
        return True
    return any(argument.required for argument in binding.parameters if argument.name == name)


def public(thing: object) -> list[str]:
    return [name for name in dir(thing) if not name.startswith("_")]


REFUSED = {"country": ["", "G", "GBR", "G1", 44, b"GB"], "page_size": [0, -1, 501, True, 2.0]}
REFUSED["card_country"] = REFUSED["country"]
PLAYS = "platform.logging."
"""Operations whose plays are checked, and not their own parameters."""


# --- records and facts


@each_operation
def test_countries_and_sizes_of_pages_are_checked(operation):
    bindings = [form for binding in operation.bindings.values() for form in (binding, *binding.variants.values())]
    for parameter in [parameter for binding in bindings for parameter in binding.parameters]:
        if not operation.name.startswith(PLAYS):
            for value in REFUSED.get(parameter.name, ()):
                with pytest.raises(InvalidArgumentError) as caught:
                    parameter.write(value)
                assert caught.value.argument == parameter.name


def test_every_fact_has_its_record():
    assert {operation.name for operation in REGISTRY} == {*FACTS, *ONLY_IN_PAGES}
    of_the_files = {operation.name for operation in REGISTRY if Dialect.OPENAPI in operation.bindings}
    assert of_the_files == set(FACTS)


def check_documents(operation, fact, dialect):
    """Check a record's form in a dialect against what the documents say about it."""
    binding = operation.binding(dialect)
    assert (operation.id, operation.auth.value) == (fact.id, fact.auth)
    assert (binding.http_method, binding.host.value, binding.path) == (fact.http_method, fact.host, fact.path)
    ours = {(parameter.location.value, parameter.wire): parameter.required for parameter in binding.parameters}
    assert len(ours) == len(binding.parameters)
    if dialect is Dialect.LIVE:
        assert ours == fact.arguments
        return
    relaxed = {("query", wire) for wire in ONE_OF.get(operation.name, ())}
    documented = {key: required and key not in relaxed for key, required in fact.arguments.items()}
    assert documented.items() <= ours.items()
    extras = {key: required for key, required in ours.items() if key not in documented}
    assert not any(extras.values())
    assert {wire for _, wire in extras} <= documented_extras(fact, is_list=operation.paged)


@each_of_the_files
def test_records_say_what_the_documents_say(operation):
    check_documents(operation, FACTS[operation.name], Dialect.OPENAPI)


@each_of_the_pages
def test_records_say_what_the_live_pages_say(name):
    check_documents(REGISTRY.find(name), LIVE_FACTS[name], Dialect.LIVE)


def test_what_does_not_exist_live_says_what_to_use_instead():
    platform = {name for name in IN_FILES if name.startswith("platform.")}
    assert platform - IN_PAGES.keys() == NOT_LIVE
    assert len(IN_PAGES) == 44
    for name in NOT_LIVE | NOT_CLASSIC:
        operation = REGISTRY.find(name)
        with pytest.raises(UnsupportedOperationError, match=f"^{re.escape(name)} .*live dialect: ..."):
            operation.binding(Dialect.LIVE)
    for name in ONLY_IN_PAGES:
        operation = REGISTRY.find(name)
        with pytest.raises(UnsupportedOperationError, match=f"^{re.escape(name)} .*openapi dialect: ..."):
            operation.binding(Dialect.OPENAPI)


@each_of_the_files
def test_all_arguments_of_a_list_page_it_together(operation):
    wires = {argument.wire for argument in operation.binding(Dialect.OPENAPI).parameters}
    assert len(wires & PAGING) in {0, 2}


# --- facts and files


def read(api):
    document = tree_in(SPEC / FILES[api][0])

    def resolve(node):
        while "$ref" in node:
            target = document
            for key in node["$ref"].removeprefix("#/").split("/"):
                target = target[key]
            node = target
        return node

    return document, resolve


@with_the_files
@pytest.mark.parametrize("api", FILES)
def test_facts_and_files_name_the_same_operations(api):
    document, _ = read(api)
    _, prefix, number = FILES[api]
    stated = {
        (stated["operationId"], http_method.upper(), prefix + path)
        for path, methods in document["paths"].items()
        for http_method, stated in methods.items()
    }
    facts = [fact for fact in IN_FILES.values() if fact.name.startswith(f"{api}.")]
    assert {(fact.id, fact.http_method, fact.path) for fact in facts} == stated
    assert len(stated) == len(facts) == number


@with_the_files
@pytest.mark.parametrize("api", FILES)
def test_facts_agree_with_the_files_argument_by_argument(api):
    document, resolve = read(api)
    for fact in IN_FILES.values():
        if not fact.name.startswith(f"{api}."):
            continue
        stated = document["paths"][fact.path.removeprefix(FILES[api][1])][fact.http_method.lower()]
        wanted = {
            (parameter["in"], parameter["name"]): parameter.get("required", False)
            for parameter in map(resolve, stated.get("parameters", []))
        }
        for content_type, content in resolve(stated.get("requestBody", {})).get("content", {}).items():
            schema = resolve(content["schema"])
            place = "json" if "json" in content_type else "form"
            wanted |= {(place, name): name in schema.get("required", []) for name in schema["properties"]}
        assert fact.arguments == wanted, fact.name
        signed = {
            scheme.removeprefix("oauth1_").replace("_", "-") for one in stated.get("security", []) for scheme in one
        }
        assert {fact.auth} == (signed or {AUTH_WHERE_NONE_IS_STATED[api]}), fact.name


# --- records and methods


def test_every_method_has_its_record():
    client, found = SevenDigital("key", "secret"), set()
    groups = {f"{api}.{tag}" for api in ("classic", "platform") for tag in public(getattr(client, api))}
    for group in groups | {"media", "oauth"}:
        resource = client
        for part in group.split("."):
            resource = getattr(resource, part)
        found |= {f"{group}.{name}" for name in public(resource)}
    assert found - HELPERS == {operation.name for operation in REGISTRY}


def check_parameters(method, operation):
    """Check a method's parameters against the record's: their names, order and annotations, and which are required."""
    parameters = inspect.signature(method).parameters
    first, *others = operation.bindings.values()
    arguments = first.parameters
    known = [*SIGNED_WITH.get(operation.name, []), *(argument.name for argument in arguments)]
    if Dialect.OPENAPI in operation.bindings:
        assert list(parameters)[: len(known)] == known
    live_only = {argument.name for binding in others for argument in binding.parameters}
    live_only -= {part for binding in others for name in binding.spread for part in SPREAD[name]}
    assert parameters.keys() == {*known, *live_only}
    for argument in arguments:
        parameter = parameters[argument.name]
        assert argument.name == snake_case(argument.wire) or argument.wire in SPELLED_APART
        everywhere = all(is_required(binding, argument.name) for binding in operation.bindings.values())
        # The settings may name a country for all calls of the live dialect.
        is_settled = argument.name == "country" and Dialect.OPENAPI not in operation.bindings
        assert (parameter.default is inspect.Parameter.empty) is (everywhere and not is_settled)
        assert parameter.annotation is not inspect.Parameter.empty
    for name in live_only - set(known):
        assert parameters[name].default is None
    positional = [p for p in parameters.values() if p.kind is not inspect.Parameter.KEYWORD_ONLY]
    assert len(positional) <= 1


def check_what_is_called(method, operation):
    """Check that a method's docstring names what is called, and describes all parameters."""
    text, binding = inspect.getdoc(method), next(iter(operation.bindings.values()))
    assert text.endswith(f"\n\nAPI: ``{binding.http_method} {binding.path}``")
    described = set(re.findall(r"^    (\w+): ", text.partition("Args:\n")[2], re.MULTILINE))
    assert inspect.signature(method).parameters.keys() <= described


@each_operation
def test_methods_take_what_the_records_list(operation):
    check_parameters(method_of(SevenDigital("key", "secret"), operation), operation)


@each_operation
def test_methods_say_what_they_call(operation):
    check_what_is_called(method_of(SevenDigital("key", "secret"), operation), operation)


# --- what must not be repeated, and how fast


@each_operation
def test_safety_is_decided_operation_by_operation(operation):
    facts = [facts[operation.name] for facts in (FACTS, LIVE_FACTS) if operation.name in facts]
    assert {fact.safety for fact in facts} == {operation.safety.value}


def test_rate_classes():
    limited = {operation.name: operation.rate_class.value for operation in REGISTRY if operation.rate_class}
    assert limited == {"platform.logging.preview": 5, "platform.content_delivery.transfer_media": 50}
    assert {rate_class.value for rate_class in RateClass} == {5, 50}


# --- finding them


def test_operations_are_found_by_name_or_unambiguous_id():
    assert REGISTRY.find("classic.releases.search").id == "searchReleases"
    assert REGISTRY.find("reportPreviewStream").name == "platform.logging.preview"
    with pytest.raises(KeyError, match=r"ambiguous: classic\.releases\.search, platform\.catalogue\.search_releases"):
        REGISTRY.find("searchReleases")
    with pytest.raises(KeyError, match="nope"):
        REGISTRY.find("nope")


def test_places_cover_what_http_offers():
    assert {place.value for place in ParameterLocation} == {"path", "query", "form", "json"}
