"""The classic API as the live service spells it: every request that differs, at a server that verifies signatures."""

from datetime import UTC, date, datetime
from decimal import Decimal
from ipaddress import ip_address
from urllib.parse import parse_qsl, urlsplit

import pytest
from support.live_facts import IN_CLASSIC, ONLY_IN_PAGES
from support.oauth import is_signed
from support.rawserver import answer, raw_server
from support.rows import each_row

from sevendigital_async import (
    Dialect,
    InvalidArgumentError,
    InvalidRequestError,
    NotFoundError,
    PaymentError,
    Settings,
    SevenDigital,
    UnsupportedOperationError,
    UserToken,
)
from sevendigital_async.models import (
    BasketStatus,
    CardRegistrationStatus,
    GeoRestrictions,
    IdMatch,
    IdPair,
    Page,
    PaymentStatus,
    PreparedPurchase,
    Release,
)
from sevendigital_async.sandbox import DEMO_KEY, DEMO_SECRET, Sandbox

DEMO = (DEMO_KEY, DEMO_SECRET)
USER = UserToken("user-token", "user-secret")

BASKET = '{"basket":{"id":"b"}}'
PURCHASE = '{"purchase":{"id":"1"}}'
PERSON = '{"user":{"id":"7"}}'
CARD = '{"cardRegistration":{"id":"7","status":"pending","redirectUrl":"https://cards.example/7"}}'
LOCKER = '{"locker":{"lockerReleases":{"page":1,"pageSize":10,"totalItems":0,"lockerRelease":[]}}}'
TEXTS = '{"translations":{"page":1,"pageSize":10,"totalItems":1,"translation":[{"key":"a","translatedText":"b"}]}}'

REQUESTS = {
    "classic.basket.add_item": (
        lambda c: c.basket.add_item("b", release_id="1", track_id="2", country="GB"),
        "GET /1.2/basket/addItem?basketId=b&releaseId=1&trackId=2&country=GB",
        "",
        BASKET,
    ),
    "classic.basket.apply_voucher": (
        lambda c: c.basket.apply_voucher("b", voucher_code="V&1", country="GB"),
        "POST /1.2/basket/applyVoucher",
        "basketId=b&voucherCode=V%261&country=GB",
        BASKET,
    ),
    "classic.basket.complete_paypal_purchase": (
        lambda c: c.basket.complete_paypal_purchase("b", payer_id="p", token="t", user_id="mara"),
        "POST /1.2/basket/completepaypalpurchase?userId=mara",
        "basketId=b&payerId=p&token=t",
        PURCHASE,
    ),
    "classic.user.unlimited_streaming": (
        lambda c: c.user.unlimited_streaming(user_id="mara"),
        "GET /1.2/user/unlimitedStreaming?userId=mara",
        "",
        '{"streaming":{"level":"premium"}}',
    ),
    "classic.user.locker": (
        lambda c: c.user.locker(
            release_id="1",
            track_id="2",
            purchase_id="3",
            sort="x desc",
            country="GB",
            page_size=500,
            user_id="mara",
        ),
        "GET /1.2/user/locker?releaseId=1&trackId=2&purchaseId=3&sort=x%20desc&country=GB&pageSize=500&userId=mara",
        "",
        LOCKER,
    ),
    "classic.user.purchase_item": (
        lambda c: c.user.purchase_item(release_id="1", price=Decimal("7.99"), country="GB", user_id="mara"),
        "GET /1.2/user/purchase/item?releaseId=1&price=7.99&country=GB&userId=mara",
        "",
        PURCHASE,
    ),
    "classic.user.purchase_rrp_item": (
        lambda c: c.user.purchase_rrp_item(release_id="1", shop_id="34", tag={"a": "b"}, user_id="mara"),
        "GET /1.2/user/purchase/rrpitem?releaseId=1&shopId=34&tag_a=b&userId=mara",
        "",
        PURCHASE,
    ),
    "classic.user.purchase_basket": (
        lambda c: c.user.purchase_basket("b", user_id="mara"),
        "GET /1.2/user/purchase/basket?basketId=b&userId=mara",
        "",
        PURCHASE,
    ),
    "classic.user.purchase_priced_item": (
        lambda c: c.user.purchase_priced_item(price=0, release_id="1", user_id="mara"),
        "GET /1.2/user/purchase/priceditem?price=0&releaseId=1&userId=mara",
        "",
        PURCHASE,
    ),
    "classic.user.deliver_item": (
        lambda c: c.user.deliver_item(release_id="1", transaction_id="t", user_id="mara"),
        "GET /1.2/user/deliveritem?releaseId=1&transactionId=t&userId=mara",
        "",
        PURCHASE,
    ),
    "classic.user.payment_cards": (
        lambda c: c.user.payment_cards(user_id="mara"),
        "GET /1.2/user/payment/card?userId=mara",
        "",
        '{"cards":{"card":[]}}',
    ),
    "classic.user.select_payment_card": (
        lambda c: c.user.select_payment_card("9", user_id="mara"),
        "POST /1.2/user/payment/card/select?userId=mara",
        "cardId=9",
        "{}",
    ),
    "classic.user.delete_payment_card": (
        lambda c: c.user.delete_payment_card("9", user_id="mara"),
        "POST /1.2/user/payment/card/delete?userId=mara",
        "cardId=9",
        "{}",
    ),
    "classic.user.register_payment_card": (
        lambda c: c.user.register_payment_card(redirect_url="https://shop.example/back?a=b", user_id="mara"),
        "POST /1.2/user/payment/cardregistration?userId=mara",
        "redirectUrl=https%3A%2F%2Fshop.example%2Fback%3Fa%3Db",
        CARD,
    ),
    "classic.user.card_registration": (
        lambda c: c.user.card_registration("7", user_id="mara"),
        "GET /1.2/user/payment/cardregistration/7?userId=mara",
        "",
        CARD,
    ),
    "classic.user.signup": (
        lambda c: c.user.signup("mara@example.org", password="p", country="GB", first_name="Mara"),
        "POST /1.2/user/signup",
        "emailAddress=mara%40example.org&password=p&country=GB&firstName=Mara",
        PERSON,
    ),
    "classic.user.create": (
        lambda c: c.user.create(user_id="mara", country="GB"),
        "GET /1.2/user/create?userId=mara&country=GB",
        "",
        PERSON,
    ),
    "classic.user.authenticate": (
        lambda c: c.user.authenticate("mara@example.org", password="p"),
        "POST /1.2/user/authenticate",
        "emailAddress=mara%40example.org&password=p",
        PERSON,
    ),
    "classic.users.find": (
        lambda c: c.users.find(email="mara@example.org"),
        "GET /1.2/users?emailAddress=mara%40example.org",
        "",
        '{"users":{"user":[]}}',
    ),
    "classic.users.update": (
        lambda c: c.users.update("7", email="mara@example.org", first_name="Mara", password="q"),
        "PUT /1.2/users/7/update",
        "emailAddress=mara%40example.org&firstName=Mara&password=q",
        PERSON,
    ),
    "classic.translations.bundle": (
        lambda c: c.translations.bundle(country="DE", page=2, page_size=500),
        "GET /1.2/translations?country=DE&page=2&pageSize=500",
        "",
        TEXTS,
    ),
    "classic.ip_lookup.country": (
        lambda c: c.ip_lookup.country("84.45.95.241"),
        "GET /1.2/country/resolve?ipaddress=84.45.95.241",
        "",
        '{"GeoIpLookup":{"countryCode":"GB"}}',
    ),
    "classic.catalogue.artist_by_url": (
        lambda c: c.catalogue.artist_by_url("https://uk.7digital.com/artist/kylie-minogue?x=y", country="GB"),
        "GET /1.2/catalogue/artist-byurl?artistSlug=kylie-minogue&country=GB",
        "",
        '{"artist":{"id":"1"}}',
    ),
    "classic.catalogue.release_by_url": (
        lambda c: c.catalogue.release_by_url("https://uk.7digital.com/artist/kylie/release/x-2", shop_id="34"),
        "GET /1.2/catalogue/release-byurl?releaseSlug=x-2&shopId=34",
        "",
        '{"release":{"id":"1"}}',
    ),
}


def client_of(base_url, dialect=Dialect.LIVE, *, keys=("key", "secret"), **settings):
    return SevenDigital(*keys, settings=Settings(dialect=dialect, base_url=base_url, **settings))


async def captured(act, content, *, dialect=Dialect.LIVE, user=None, api="classic", **settings):
    """Return the first line, without the version, and the body of the one request; oauthlib has to find it signed."""
    async with raw_server(answer(content)) as server, client_of(server.base_url, dialect, **settings) as client:
        await act(getattr(client.as_user(user) if user else client, api))
        [request] = server.requests
        signed_by_user = user is not None and b'oauth_token="' in request
        assert is_signed(request, server.base_url, "secret", user.secret if signed_by_user else "")
    head, _, body = request.partition(b"\r\n\r\n")
    return head.decode().split(" HTTP/1.1")[0], body.decode()


@each_row("name", REQUESTS)
@each_row("user", [None, USER], ids=["partner", "user"])
async def test_requests_are_those_of_the_live_service(name, user):
    act, line, body, content = REQUESTS[name]
    assert await captured(act, content, user=user) == (line, body)


def test_every_request_that_differs_has_its_example():
    assert REQUESTS.keys() >= IN_CLASSIC.keys()


async def test_what_does_not_differ_is_the_same_request():
    act = lambda c: c.releases.chart(country="GB", to_date=date(2026, 5, 28))  # noqa: E731
    content = '{"chart":{"page":1,"pageSize":10,"totalItems":0,"chartItem":[]}}'
    assert await captured(act, content) == await captured(act, content, dialect=Dialect.OPENAPI)


# --- what each dialect refuses


@each_row(
    ("act", "dialect", "argument"),
    [
        (lambda c: c.user.locker(), Dialect.LIVE, "country"),
        (lambda c: c.user.create("mara@example.org"), Dialect.LIVE, "email"),
        (lambda c: c.user.create(user_id="mara"), Dialect.LIVE, "country"),
        (lambda c: c.user.create(), Dialect.OPENAPI, "email"),
        (lambda c: c.translations.bundle("en-GB"), Dialect.LIVE, "locale"),
        (lambda c: c.translations.bundle(), Dialect.OPENAPI, "locale"),
        (lambda c: c.user.register_payment_card(card_number="4"), Dialect.LIVE, "card_number"),
        (lambda c: c.user.register_payment_card(), Dialect.LIVE, "redirect_url"),
        (lambda c: c.user.register_payment_card(redirect_url="https://x.example"), Dialect.OPENAPI, "redirect_url"),
        (lambda c: c.user.payment_cards(user_id="mara"), Dialect.OPENAPI, "user_id"),
        (lambda c: c.catalogue.artist_by_url("https://uk.7digital.com/release/x"), Dialect.LIVE, "url"),
        (lambda c: c.catalogue.artist_by_url("https://uk.7digital.com/artist/"), Dialect.LIVE, "url"),
        (lambda c: c.users.update("7", password="q"), Dialect.OPENAPI, "password"),
        (lambda c: c.releases.search("x", page_size=101), Dialect.OPENAPI, "page_size"),
        (lambda c: c.basket.add_item("b", track_id="2"), Dialect.LIVE, "release_id"),
        (lambda c: c.user.purchase_item(track_id="2"), Dialect.LIVE, "release_id"),
        (lambda c: c.user.deliver_item(track_id="2"), Dialect.LIVE, "release_id"),
        (lambda c: c.user.purchase_rrp_item(track_id="2"), Dialect.OPENAPI, "release_id"),
        (lambda c: c.user.purchase_priced_item(price=1, track_id="2"), Dialect.OPENAPI, "release_id"),
        (lambda c: c.basket.add_priced_item("b", price=1, track_id="2"), Dialect.OPENAPI, "release_id"),
    ],
)
async def test_what_a_dialect_can_not_send_is_named_and_stays_here(act, dialect, argument):
    async with raw_server(answer("{}")) as server, client_of(server.base_url, dialect) as client:
        with pytest.raises(InvalidArgumentError) as caught:
            await act(client.as_user(USER).classic)
    assert caught.value.argument == argument
    assert server.requests == []


@pytest.mark.parametrize(
    ("act", "line", "content"),
    [
        (lambda c: c.basket.add_item("b", track_id="2"), "basket/addItem?basketId=b&trackId=2", BASKET),
        (lambda c: c.user.purchase_item(track_id="2"), "user/purchase/item?trackId=2", PURCHASE),
        (lambda c: c.user.deliver_item(track_id="2"), "user/deliveritem?trackId=2", PURCHASE),
    ],
)
async def test_the_file_takes_a_track_without_its_release(act, line, content):
    assert await captured(act, content, dialect=Dialect.OPENAPI, user=USER) == (f"GET /1.2/{line}", "")


async def test_a_subscription_is_updated_elsewhere():
    client = SevenDigital("key", "secret", dialect=Dialect.LIVE)
    with pytest.raises(UnsupportedOperationError, match=r"use platform\.subscriptions\.create"):
        await client.classic.user.update_unlimited_streaming("7", status="active")


async def test_a_locker_is_asked_for_in_the_country_of_the_settings():
    line, _ = await captured(lambda c: c.user.locker(user_id="mara"), LOCKER, country="SE")
    assert dict(parse_qsl(urlsplit(line).query)) == {"country": "SE", "userId": "mara"}


async def test_the_locker_of_a_managed_user_is_filtered_and_asked_for_in_a_country():
    act = lambda p: p.sales.locker("mara", release_id="1", track_id="2", purchase_id="3")  # noqa: E731
    assert await captured(act, LOCKER, api="platform", country="SE") == (
        "GET /1.2/user/locker?userId=mara&country=SE&page=1&releaseId=1&trackId=2&purchaseId=3",
        "",
    )
    client = SevenDigital("key", "secret", dialect=Dialect.LIVE)
    with pytest.raises(InvalidArgumentError, match="needs the argument 'country'"):
        await client.platform.sales.locker("mara")
    with pytest.raises(InvalidArgumentError, match="track_id needs release_id"):
        client.platform.sales.locker("mara", track_id="2", country="GB")


@pytest.mark.parametrize(
    "act",
    [
        lambda p: p.streaming.locker("1", format_id="26", country="GB", user_id="mara"),
        lambda p: p.streaming.subscription_hls("1", format_id="26", country="GB", user_id="mara"),
        lambda p: p.downloads.track("mara", track_id="1", release_id="2", format_id="17", country="GB"),
    ],
)
async def test_media_of_a_managed_user_are_signed_by_the_partner_alone(act):
    async def used(platform):
        pending = act(platform)
        if hasattr(pending, "__aenter__"):
            async with pending as media:
                await media.read()
        else:
            await pending

    line, _ = await captured(used, "#EXTM3U", api="platform")
    query = {name.lower(): value for name, value in parse_qsl(urlsplit(line).query)}
    assert query["userid"] == "mara"
    assert "oauth_token" not in query


@pytest.mark.parametrize(
    "content",
    [
        '{"translations":{"page":9,"pageSize":10,"totalItems":3,"translation":[]}}',
        '{"translations":{"translation":[]}}',
        '{"translations":[]}',
        "<response status='ok'><translations><page>9</page><pageSize>10</pageSize></translations></response>",
    ],
)
async def test_a_page_of_no_texts_is_empty(content):
    kind = "text/xml" if content.startswith("<") else "application/json"
    async with raw_server(answer(content, Content_Type=kind)) as server, client_of(server.base_url) as client:
        assert (await client.classic.translations.bundle(country="DE", page=9)).translations == {}


# --- the sandbox, without any user's token


async def test_a_managed_user_buys_and_owns():
    async with Sandbox() as sandbox, client_of(sandbox.base_url, keys=DEMO, country="GB") as client:
        classic, mara = client.classic, {"user_id": "mara"}
        assert (await classic.user.create(**mara)).id == "mara"
        assert [card.last4 for card in await classic.user.payment_cards(**mara)] == ["4242"]

        begun = await classic.user.register_payment_card(redirect_url="https://shop.example/back", **mara)
        assert (begun.status, begun.redirect_url.startswith(sandbox.base_url)) == ("pending", True)
        ended = await classic.user.card_registration(begun.registration_id, **mara)
        assert (ended.status, ended.card.last4) == (CardRegistrationStatus.COMPLETE, "1111")
        first, second = await classic.user.payment_cards(**mara)
        assert (second.card_id, second.is_default) == (ended.card_id, True)
        await classic.user.select_payment_card(first.card_id, **mara)
        await classic.user.delete_payment_card(second.card_id, **mara)
        gone = await classic.user.card_registration(begun.registration_id, **mara)
        assert (gone.status, gone.error.code) == (CardRegistrationStatus.ERROR, 3103)
        assert [card.is_default for card in await classic.user.payment_cards(**mara)] == [True]

        [release, *_] = (await classic.releases.search("a", page_size=500)).items
        bought = await classic.user.purchase_item(release_id=release.id, **mara)
        owned = [each.release.id async for each in classic.user.locker(purchase_id=bought.purchase_id, **mara)]
        assert owned == [release.id]
        assert [each async for each in classic.user.locker(user_id="nobody")] == []


async def test_names_of_the_live_service_are_understood():
    async with Sandbox() as sandbox, client_of(sandbox.base_url, keys=DEMO, country="GB") as client:
        classic = client.classic
        made = await classic.user.signup("mara@example.org", password="p", country="GB")
        await classic.user.signup("other@example.org", password="p", country="GB")
        assert [user.id for user in await classic.users.find(email="mara@example.org")] == [made.id]
        assert (await classic.user.authenticate("mara@example.org", password="p")).token is not None
        changed = await classic.users.update(made.id, email="mara@example.net", password="q")
        assert (changed.id, changed.email) == (made.id, "mara@example.net")
        assert (await classic.user.authenticate("mara@example.net", password="q")).id == made.id
        assert (await classic.ip_lookup.country("84.45.95.241")).country_code
        assert (await classic.translations.bundle(country="DE", page_size=1)).translations == {
            "basket.add": "In den Warenkorb"
        }
        release = (await classic.releases.search("a"))[0]
        found = await classic.catalogue.release_by_url(f"https://shop.example/artist/x/release/{release.id}")
        assert found.id == release.id
        with pytest.raises(NotFoundError):
            await classic.catalogue.artist_by_url("nobody")
        basket = await classic.basket.create()
        await classic.basket.add_item(basket.id, release_id=release.id)
        assert (await classic.basket.apply_voucher(basket.id, voucher_code="SUMMER25")).voucher_code == "SUMMER25"


# --- what only the live service has


LEGACY = {
    "classic.tags.related": (
        lambda c: c.tags.related(["rock", "new wave"], country="GB", page_size=500),
        "GET /1.2/tag/related?tags=rock%2Cnew%20wave&country=GB&pageSize=500",
        "",
        '{"tags":{"page":1,"pageSize":10,"totalItems":1,"tag":[{"id":"pop","text":"pop"}]}}',
    ),
    "classic.artists.recommend": (
        lambda c: c.artists.recommend("1", country="GB"),
        "GET /1.2/artist/recommend?artistId=1&country=GB",
        "",
        '{"recommendations":{"page":1,"pageSize":10,"totalItems":1,"recommendedItem":[{"release":{"id":"2"}}]}}',
    ),
    "classic.artists.matches": (
        lambda c: c.artists.matches(seven_digital_ids=["1", "2"]),
        "GET /1.2/artist/match/byId?sevenDigitalIds=1%2C2",
        "",
        '{"matches":{"artists":[{"sevenDigitalId":"1"},{"sevenDigitalId":"2"}]}}',
    ),
    "classic.releases.matches": (
        lambda c: c.releases.matches(seven_digital_ids=["1"]),
        "GET /1.2/release/match/byId?sevenDigitalIds=1",
        "",
        '{"matches":{"releases":{"sevenDigitalId":"1"}}}',
    ),
    "classic.tracks.matches": (
        lambda c: c.tracks.matches(mb_ids=["5b11f4ce-a62d-471e-81fc-a69a8278c7da"]),
        "GET /1.2/track/match/byId?mbIds=5b11f4ce-a62d-471e-81fc-a69a8278c7da",
        "",
        '{"matches":{"tracks":[{"mbId":"1"}]}}',
    ),
    "classic.ip_lookup.checkout_restrictions": (
        lambda c: c.ip_lookup.checkout_restrictions("84.45.95.241"),
        "GET /1.2/country/georestrictions/checkout?ipaddress=84.45.95.241",
        "",
        '{"GeoIpLookup":{"countryId":"GB","allowCheckout":true}}',
    ),
    "classic.basket.status": (
        lambda c: c.basket.status("a/b"),
        "GET /1.2/basket/a%2Fb/status",
        "",
        '{"paymentStatus":"Success"}',
    ),
    "classic.user.prepare_purchase": (
        lambda c: c.user.prepare_purchase("b", shop_id="34", user_id="mara"),
        "GET /1.2/user/purchase/prepare?basketId=b&shopId=34&userId=mara",
        "",
        '{"preparePayment":{"paymentToken":"t0ken","autoFulfilled":"False"}}',
    ),
    "classic.user.add_payment_card": (
        lambda c: c.user.add_payment_card(
            card_number="4444333322221111",
            card_type="VISA",
            card_holder_name="Mara Å",
            card_expiry_date=date(2028, 12, 31),
            card_verification_code="123",
            card_post_code="EC2A 4HJ",
            card_country="GB",
            card_issue_number=1,
            card_start_date=date(2020, 1, 1),
            user_id="mara",
        ),
        "POST /1.2/user/payment/card/add?userId=mara",
        (
            "cardNumber=4444333322221111&cardType=VISA&cardHolderName=Mara%20%C3%85&cardExpiryDate=202812"
            "&cardVerificationCode=123&cardPostCode=EC2A%204HJ&cardCountry=GB&cardIssueNumber=1&cardStartDate=202001"
        ),
        '{"card":{"id":"9"}}',
    ),
}


@each_row("name", LEGACY)
@each_row("user", [None, USER], ids=["partner", "user"])
async def test_legacy_requests(name, user):
    act, line, body, content = LEGACY[name]
    assert await captured(act, content, user=user) == (line, body)


@each_row("name", LEGACY)
async def test_legacy_operations_exist_in_the_live_dialect_only(name):
    act, *_ = LEGACY[name]
    with pytest.raises(UnsupportedOperationError, match=f"{name} does not exist in the openapi dialect"):
        await act(SevenDigital("key", "secret").classic)


def test_every_legacy_operation_has_its_example():
    assert LEGACY.keys() == {name for name in ONLY_IN_PAGES if name.startswith("classic.")}


@pytest.mark.parametrize(
    ("act", "content", "wanted"),
    [
        (
            LEGACY["classic.basket.status"][0],
            "<response status='ok' version='1.2'><paymentStatus>Failure</paymentStatus></response>",
            BasketStatus(payment_status=PaymentStatus.FAILURE),
        ),
        (
            LEGACY["classic.user.prepare_purchase"][0],
            (
                "<response status='ok'><preparePayment paymentToken='t0ken' autoFulfilled='False'>"
                "<preparePaymentDate>2019-04-16T15:23:10+01:00</preparePaymentDate></preparePayment></response>"
            ),
            PreparedPurchase(
                payment_token="t0ken", auto_fulfilled=False, prepared_at=datetime(2019, 4, 16, 14, 23, 10, tzinfo=UTC)
            ),
        ),
        (
            LEGACY["classic.ip_lookup.checkout_restrictions"][0],
            (
                "<response status='ok'><geoRestrictions><allowCheckout>true</allowCheckout>"
                "<countryCode>GB</countryCode></geoRestrictions></response>"
            ),
            GeoRestrictions(country_code="GB", allow_checkout=True),
        ),
        (
            LEGACY["classic.releases.matches"][0],
            (
                "<response status='ok'><matches>"
                "<releases sevenDigitalId='1'><release><sevenDigitalId>1</sevenDigitalId><mbId>a</mbId></release>"
                "<release><sevenDigitalId>1</sevenDigitalId><mbId>b</mbId></release></releases>"
                "<releases sevenDigitalId='2'><matchError code='2001'/></releases></matches></response>"
            ),
            (
                IdMatch(
                    seven_digital_id="1",
                    pairs=(IdPair(seven_digital_id="1", mb_id="a"), IdPair(seven_digital_id="1", mb_id="b")),
                ),
                IdMatch(seven_digital_id="2", error_code=2001),
            ),
        ),
        (
            LEGACY["classic.tracks.matches"][0],
            (
                "<response status='ok'><matches><tracks mbId='A'>"
                "<track><sevenDigitalId>4</sevenDigitalId><mbId>a</mbId></track></tracks></matches></response>"
            ),
            (IdMatch(mb_id="A", pairs=(IdPair(seven_digital_id="4", mb_id="a"),)),),
        ),
        (
            LEGACY["classic.artists.recommend"][0],
            (
                "<response status='ok'><recommendations><page>1</page><pageSize>10</pageSize>"
                "<totalItems>60</totalItems><recommendedItem><release id='7'><title>t</title></release>"
                "</recommendedItem></recommendations></response>"
            ),
            Page((Release(id="7", title="t"),), 1, 10, 60),
        ),
    ],
)
async def test_legacy_answers_in_xml(act, content, wanted):
    async with raw_server(answer(content, Content_Type="text/xml")) as server, client_of(server.base_url) as client:
        got = await act(client.classic)
    assert got == wanted
    assert "t0ken" not in repr(got)


@pytest.mark.parametrize("content", ['{"matches":{}}', '{"matches":{"artists":[]}}', '{"matches":""}'])
async def test_no_matches_are_an_empty_list(content):
    async with raw_server(answer(content)) as server, client_of(server.base_url) as client:
        assert await client.classic.artists.matches(mb_ids=["x"]) == ()


CARD_OF_MARA = {
    "card_type": "visa",
    "card_holder_name": "Mara",
    "card_expiry_date": date(2098, 1, 31),
    "card_verification_code": "123",
    "user_id": "mara",
}


async def test_legacy_operations_in_the_sandbox():
    async with Sandbox() as sandbox, client_of(sandbox.base_url, keys=DEMO, country="GB") as client:
        classic = client.classic
        assert (await classic.ip_lookup.checkout_restrictions(ip_address("84.45.95.241"))).allow_checkout
        tag = (await classic.tags.all())[0]
        assert tag.id not in [each.id async for each in classic.tags.related([tag.id])]
        artist = (await classic.artists.search("a"))[0]
        assert [each.artist.id async for each in classic.artists.recommend(artist.id)]
        for things, thing in (
            (classic.artists, artist),
            (classic.releases, (await classic.releases.search("a"))[0]),
            (classic.tracks, (await classic.tracks.search("a"))[0]),
        ):
            found, unknown = await things.matches(seven_digital_ids=[thing.id, "0"])
            assert unknown == IdMatch(seven_digital_id="0", error_code=2001)
            [back] = await things.matches(mb_ids=[found.pairs[0].mb_id])
            assert back.pairs == found.pairs == (IdPair(seven_digital_id=thing.id, mb_id=back.mb_id),)
        with pytest.raises(InvalidArgumentError, match="exactly one of seven_digital_ids, mb_ids"):
            await classic.tracks.matches()

        card = await classic.user.add_payment_card(card_number="4444333322221111", **CARD_OF_MARA)
        assert (card.last4, card.brand, card.is_default) == ("1111", "visa", True)
        assert len(await classic.user.payment_cards(user_id="mara")) == 2

        basket = await classic.basket.create()
        release = (await classic.releases.search("a"))[0]
        await classic.basket.add_item(basket.id, release_id=release.id)
        prepared = await classic.user.prepare_purchase(basket.id, user_id="mara")
        assert (prepared.auto_fulfilled, bool(prepared.payment_token)) == (False, True)
        assert (await classic.basket.status(basket.id)).payment_status == PaymentStatus.FAILURE
        await classic.user.purchase_basket(basket.id, user_id="mara")
        assert (await classic.basket.status(basket.id)).payment_status == PaymentStatus.SUCCESS


async def test_cards_that_the_sandbox_refuses():
    async with Sandbox() as sandbox, client_of(sandbox.base_url, keys=DEMO) as client:
        user = client.classic.user
        expired = {**CARD_OF_MARA, "card_expiry_date": date(2020, 1, 1)}
        with pytest.raises(PaymentError) as caught:
            await user.add_payment_card(card_number="4444333322221111", **expired)
        assert caught.value.code == 3103
        for number, more in (
            ("4444333322221112", CARD_OF_MARA),
            ("4444333322221111", {**CARD_OF_MARA, "card_expiry_date": date(1920, 1, 1)}),
            ("4444333322221111", {**CARD_OF_MARA, "card_verification_code": "x"}),
        ):
            with pytest.raises(InvalidRequestError):
                await user.add_payment_card(card_number=number, **more)
        with pytest.raises(InvalidRequestError):
            await user.register_payment_card(redirect_url="nowhere", user_id="mara")
        with pytest.raises(NotFoundError):
            await user.card_registration("7", user_id="mara")


async def test_an_address_that_is_none():
    with pytest.raises(InvalidArgumentError, match="ipaddress"):
        await SevenDigital("key", "secret", dialect=Dialect.LIVE).classic.ip_lookup.checkout_restrictions(7)


async def test_an_error_does_not_repeat_the_card():
    echo = (
        '{"status":"error","error":{"code":1002,"message":"bad: cardNumber=4444333322221111&cardVerificationCode=987"}}'
    )
    async with raw_server(answer(echo)) as server, client_of(server.base_url) as client:
        with pytest.raises(InvalidRequestError) as caught:
            await client.classic.user.add_payment_card(card_number="4444333322221111", **CARD_OF_MARA)
    assert not [secret for secret in ("4444333322221111", "987") if secret in str(caught.value)]
