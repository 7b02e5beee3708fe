"""The documents' facts, the records and the methods against one another."""

import inspect
import re

import pytest
import yaml
from support import paths
from support.facts import FACTS, IN_FILES, ONE_OF, PAGING, documented_extras
from support.live_facts import IN_PAGES, LIVE_FACTS, NOT_LIVE, ONLY_IN_PAGES

from sevendigital_async import Dialect, SevenDigital, UnsupportedOperationError
from sevendigital_async.operations import CATALOGUE, Operation, ParameterLocation, RateClass, Safety

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

SPELLED_APART = {"pos", "playlists"}
"""Wire names that only the live dialect has and that say less than the method's own."""

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
        platform.playlists.details platform.playlists.group platform.playlists.groups platform.playlists.list
        platform.playlists.read platform.playlists.tracks
        platform.sales.locker
        platform.streaming.catalogue platform.streaming.catalogue_hls platform.streaming.locker
        platform.streaming.locker_hls platform.streaming.preview platform.streaming.subscription
        platform.streaming.subscription_hls platform.streaming.subscription_offline
        platform.streaming.subscription_offline_hls
        platform.subscriptions.status
    """,
    Safety.IDEMPOTENT: """
        classic.basket.paypal_url
        classic.users.update
        oauth.request_token
        platform.playlists.delete platform.playlists.delete_group platform.playlists.remove_track
        platform.playlists.replace_group platform.playlists.update
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
        platform.playlists.add_to_group platform.playlists.add_tracks platform.playlists.create
        platform.playlists.create_group platform.playlists.move_track platform.playlists.replace
        platform.radio.create_session platform.radio.next_track platform.radio.post_events
        platform.sales.credit_item platform.sales.refund_release platform.sales.refund_track
        platform.subscriptions.create platform.users.create
    """,
}
"""What repeating each operation may do, judged one by one and written down apart from the records."""

each_operation = pytest.mark.parametrize("operation", list(CATALOGUE), ids=lambda operation: operation.name)
each_of_the_files = pytest.mark.parametrize(
    "operation",
    [operation for operation in CATALOGUE if Dialect.OPENAPI in operation.bindings],
    ids=lambda operation: operation.name,
)
each_of_the_pages = pytest.mark.parametrize("name", LIVE_FACTS)
with_the_files = pytest.mark.skipif(not SPEC.exists(), reason="the API's own files are not here")


def snake_case(wire: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", wire.removeprefix("xoauth_")).lower()


def method_of(client: SevenDigital, operation: Operation):
    found = client
    for part in operation.name.split("."):
        found = getattr(found, part)
    return found


def is_required(binding, name: str) -> bool:
    """Tell whether a dialect insists on an argument, in whatever form it then sends it."""
    if name in binding.spread or name in binding.implied:
        return True
    return any(argument.required for argument in binding.arguments if argument.name == name)


def public(thing: object) -> list[str]:
    return [name for name in dir(thing) if not name.startswith("_")]


# --- records and facts


def test_every_fact_has_its_record():
    assert {operation.name for operation in CATALOGUE} == {*FACTS, *ONLY_IN_PAGES}
    of_the_files = {operation.name for operation in CATALOGUE if Dialect.OPENAPI in operation.bindings}
    assert of_the_files == set(FACTS)


@each_of_the_files
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


@each_of_the_pages
def test_records_say_what_the_live_pages_say(name):
    operation, fact = CATALOGUE.find(name), LIVE_FACTS[name]
    binding = operation.binding(Dialect.LIVE)
    assert (operation.id, operation.auth.value) == (fact.id, fact.auth)
    assert (binding.http_method, binding.host.value, binding.path) == (fact.http_method, fact.host, fact.path)
    ours = {(argument.place.value, argument.wire): argument.required for argument in binding.arguments}
    assert ours == fact.arguments


def test_what_does_not_exist_live_says_what_to_use_instead():
    platform = {name for name in IN_FILES if name.startswith("platform.")}
    assert platform - IN_PAGES.keys() == NOT_LIVE
    assert len(IN_PAGES) == 44
    for name in NOT_LIVE:
        operation = CATALOGUE.find(name)
        with pytest.raises(UnsupportedOperationError, match=f"{operation.id}.*live dialect: ..."):
            operation.binding(Dialect.LIVE)
    for name in ONLY_IN_PAGES:
        operation = CATALOGUE.find(name)
        with pytest.raises(UnsupportedOperationError, match=f"{operation.id}.*openapi dialect: ..."):
            operation.binding(Dialect.OPENAPI)


@each_of_the_files
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
    first, *others = operation.bindings.values()
    arguments = first.arguments
    known = [*SIGNED_WITH.get(operation.name, []), *(argument.name for argument in arguments)]
    if Dialect.OPENAPI in operation.bindings:
        assert list(parameters)[: len(known)] == known
    live_only = {argument.name for binding in others for argument in binding.arguments}
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


@each_operation
def test_methods_say_what_they_call(operation):
    method, binding = method_of(SevenDigital("key", "secret"), operation), next(iter(operation.bindings.values()))
    text = inspect.getdoc(method)
    assert text.endswith(f"\n\nAPI: ``{binding.http_method} {binding.path}``")
    described = set(re.findall(r"^    (\w+): ", text.partition("Args:\n")[2], re.MULTILINE))
    assert inspect.signature(method).parameters.keys() <= described


# --- what must not be repeated, and how fast


def test_every_operation_is_in_one_row_of_the_safety_table():
    listed = [name for names in SAFETY.values() for name in names.split()]
    assert sorted(listed) == sorted([*FACTS, *ONLY_IN_PAGES])


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
    assert {place.value for place in ParameterLocation} == {"path", "query", "form", "json"}
