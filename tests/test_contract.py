"""The documents' facts, the records and the methods against one another."""

import inspect
import re
from pathlib import Path

import pytest
import yaml
from facts import FACTS, IN_FILES, ONE_OF, PAGING, documented_extras

from sevendigital_async import Dialect, SevenDigital
from sevendigital_async.operations import CATALOGUE, Operation, Place, RateClass, Safety

SPEC = Path(__file__).parents[2] / "shared" / "spec"
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

SAFETY = {
    Safety.READ: """
        classic.artists.browse classic.artists.chart classic.artists.details classic.artists.match_by_id
        classic.artists.releases classic.artists.search classic.artists.similar classic.artists.tags
        classic.artists.top_by_tags classic.artists.top_tracks
        classic.basket.details
        classic.catalogue.artist_by_url classic.catalogue.release_by_url
        classic.editorial.list classic.ip_lookup.country
        classic.payment.card_types classic.payment.voucher
        classic.releases.by_date classic.releases.chart classic.releases.details classic.releases.editorial
        classic.releases.match_by_id classic.releases.new_by_tags classic.releases.recommend classic.releases.search
        classic.releases.tags classic.releases.top_by_tags classic.releases.tracks
        classic.service.status classic.tags.all classic.territories.countries
        classic.tracks.chart classic.tracks.details classic.tracks.match_by_id classic.tracks.preview
        classic.tracks.search
        classic.translations.bundle
        classic.user.card_registration classic.user.details classic.user.locker classic.user.payment_cards
        classic.user.unlimited_streaming
        classic.users.find
        media.stream media.stream_track
        platform.catalogue.artist_details platform.catalogue.artist_releases platform.catalogue.browse_artists
        platform.catalogue.download_track platform.catalogue.release_details platform.catalogue.release_tracks
        platform.catalogue.releases_batch platform.catalogue.search_artists platform.catalogue.search_releases
        platform.catalogue.search_tracks platform.catalogue.track_details platform.catalogue.tracks_batch
        platform.catalogue.usage_types
        platform.content_delivery.transfer_media
        platform.offline_devices.list platform.offline_devices.status
        platform.playlists.list platform.sales.locker
        platform.streaming.catalogue platform.streaming.catalogue_hls platform.streaming.locker
        platform.streaming.locker_hls platform.streaming.preview platform.streaming.subscription
        platform.streaming.subscription_hls platform.streaming.subscription_offline
        platform.streaming.subscription_offline_hls
    """,
    Safety.IDEMPOTENT: """
        classic.basket.paypal_url
        classic.users.update
        oauth.request_token
        platform.playlists.update
        platform.radio.delete_session
    """,
    Safety.UNSAFE: """
        classic.basket.add_item classic.basket.add_priced_item classic.basket.apply_voucher
        classic.basket.complete_paypal_purchase classic.basket.create classic.basket.remove_item
        classic.user.authenticate classic.user.create classic.user.delete_payment_card classic.user.deliver_item
        classic.user.purchase_basket classic.user.purchase_item classic.user.purchase_priced_item
        classic.user.purchase_rrp_item classic.user.register_payment_card classic.user.select_payment_card
        classic.user.signup classic.user.update_unlimited_streaming
        media.download media.download_purchase media.download_release media.download_track
        oauth.access_token
        platform.downloads.purchase platform.downloads.release platform.downloads.track
        platform.logging.catalogue platform.logging.preview platform.logging.subscriber
        platform.offline_devices.authorise
        platform.playlists.add_tracks platform.playlists.create
        platform.radio.create_session platform.radio.next_track platform.radio.post_events
        platform.sales.credit_item platform.sales.refund_release platform.sales.refund_track
        platform.subscriptions.create platform.users.create
    """,
}
"""What repeating each operation may do, judged one by one and written down apart from the records."""

each_operation = pytest.mark.parametrize("operation", list(CATALOGUE), ids=lambda operation: operation.name)
with_the_files = pytest.mark.skipif(not SPEC.exists(), reason="the API's own files are not here")


def snake_case(wire: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", wire.removeprefix("xoauth_")).lower()


def method_of(client: SevenDigital, operation: Operation):
    found = client
    for part in operation.name.split("."):
        found = getattr(found, part)
    return found


def public(thing: object) -> list[str]:
    return [name for name in dir(thing) if not name.startswith("_")]


# --- records and facts


def test_every_fact_has_its_record():
    assert {operation.name for operation in CATALOGUE} == set(FACTS)


@each_operation
def test_records_say_what_the_documents_say(operation):
    fact, binding = FACTS[operation.name], operation.binding(Dialect.OPENAPI)
    assert (operation.id, operation.auth.value) == (fact.id, fact.auth)
    assert (binding.http_method, binding.host.value, binding.path) == (fact.http_method, fact.host, fact.path)
    ours = {(argument.place.value, argument.wire): argument.required for argument in binding.arguments}
    assert len(ours) == len(binding.arguments)
    relaxed = {("query", wire) for wire in ONE_OF.get(operation.name, ())}
    documented = {key: required and key not in relaxed for key, required in fact.arguments.items()}
    assert documented.items() <= ours.items()
    extras = {key: required for key, required in ours.items() if key not in documented}
    assert not any(extras.values())
    assert {wire for _, wire in extras} <= documented_extras(fact, is_list=operation.paged)


@each_operation
def test_all_arguments_of_a_list_page_it_together(operation):
    wires = {argument.wire for argument in operation.binding(Dialect.OPENAPI).arguments}
    assert len(wires & PAGING) in {0, 2}


# --- facts and files


def read(api):
    document = yaml.safe_load((SPEC / FILES[api][0]).read_text())

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
    assert found - HELPERS == {operation.name for operation in CATALOGUE}


@each_operation
def test_methods_take_what_the_records_list(operation):
    parameters = inspect.signature(method_of(SevenDigital("key", "secret"), operation)).parameters
    arguments = operation.binding(Dialect.OPENAPI).arguments
    assert list(parameters) == [*SIGNED_WITH.get(operation.name, []), *(argument.name for argument in arguments)]
    for argument in arguments:
        parameter = parameters[argument.name]
        assert argument.name == snake_case(argument.wire)
        assert (parameter.default is inspect.Parameter.empty) is argument.required
        assert parameter.annotation is not inspect.Parameter.empty
    positional = [p for p in parameters.values() if p.kind is not inspect.Parameter.KEYWORD_ONLY]
    assert len(positional) <= 1


@each_operation
def test_methods_say_what_they_call(operation):
    method, binding = method_of(SevenDigital("key", "secret"), operation), operation.binding(Dialect.OPENAPI)
    text = inspect.getdoc(method)
    assert text.endswith(f"\n\nAPI: ``{binding.http_method} {binding.path}``")
    described = set(re.findall(r"^    (\w+): ", text.partition("Args:\n")[2], re.MULTILINE))
    assert {argument.name for argument in binding.arguments} <= described


# --- what must not be repeated, and how fast


def test_every_operation_is_in_one_row_of_the_safety_table():
    listed = [name for names in SAFETY.values() for name in names.split()]
    assert sorted(listed) == sorted(FACTS)


@each_operation
def test_safety_is_decided_operation_by_operation(operation):
    assert operation.name in SAFETY[operation.safety].split()


def test_rate_classes():
    limited = {operation.name: operation.rate_class.value for operation in CATALOGUE if operation.rate_class}
    assert limited == {"platform.logging.preview": 5, "platform.content_delivery.transfer_media": 50}
    assert {rate_class.value for rate_class in RateClass} == {5, 50}


# --- finding them


def test_operations_are_found_by_name_or_unambiguous_id():
    assert CATALOGUE.find("classic.releases.search").id == "searchReleases"
    assert CATALOGUE.find("reportPreviewStream").name == "platform.logging.preview"
    with pytest.raises(KeyError, match=r"ambiguous: classic\.releases\.search, platform\.catalogue\.search_releases"):
        CATALOGUE.find("searchReleases")
    with pytest.raises(KeyError, match="nope"):
        CATALOGUE.find("nope")


def test_places_cover_what_http_offers():
    assert {place.value for place in Place} == {"path", "query", "form", "json"}
