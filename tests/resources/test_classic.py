"""The classic API's answers, in every shape the wire knows, and the arguments it would refuse."""

import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from ipaddress import ip_address

import attrs
import orjson
import pytest
from support import paths

from sevendigital_async import DecodeError, InvalidArgumentError, UserToken
from sevendigital_async.models import (
    Artist,
    Basket,
    BasketItem,
    BasketItemType,
    CardBrand,
    CardRegistration,
    CardRegistrationStatus,
    CardType,
    ChartChange,
    Country,
    Discount,
    DownloadUrl,
    EditorialItem,
    EditorialText,
    EditorialType,
    Format,
    LockerRelease,
    LockerTrack,
    Page,
    PaymentCard,
    PaypalCheckout,
    Price,
    Purchase,
    PurchaseStatus,
    Ranking,
    Release,
    SubscriptionState,
    SubscriptionStatus,
    Tag,
    Track,
    TranslationBundle,
    User,
    Voucher,
    VoucherType,
)
from sevendigital_async.operations import REGISTRY
from sevendigital_async.resources import Classic
from sevendigital_async.session.decode import decode
from sevendigital_async.session.document import parse

SPEC = paths.SPEC


def read(name, answer, *, strict=False):
    body = answer.encode() if isinstance(answer, str) else orjson.dumps(answer)
    return decode(REGISTRY.find(f"classic.{name}"), parse(body, None), strict=strict)


def xml(content):
    return f'<?xml version="1.0"?><response status="ok" version="1.2">{content}</response>'


# --- lists, and what they say about their entries

CHARTED = xml(
    "<chart><type>release</type><page>2</page><pageSize>1</pageSize><totalItems>7</totalItems><chartItem>"
    '<position>2</position><change>Up</change><release id="7"><title>Lungs</title></release></chartItem></chart>'
)
CHARTED_JSON = {
    "chart": {
        "page": 2,
        "pageSize": 1,
        "totalItems": 7,
        "chartItem": [{"position": 2, "change": "Up", "release": {"id": 7, "title": "Lungs"}}],
    }
}


@pytest.mark.parametrize("answer", [CHARTED, CHARTED_JSON])
def test_a_chart_is_a_page_of_things_that_know_their_place(answer):
    page = read("releases.chart", answer)
    assert page == Page((Release(id="7", title="Lungs"),), 2, 1, 7)
    assert page[0].ranking == Ranking(position=2, change=ChartChange.UP)


@pytest.mark.parametrize("name", ["artists", "tracks"])
def test_all_charts_tell_places(name):
    noun = name.removesuffix("s")
    answer = {"chart": {"chartItem": [{"position": 1, "change": "Hot", noun: {"id": 1}}, {noun: {"id": 2}}]}}
    first, second = read(f"{name}.chart", answer)
    assert first.ranking == Ranking(position=1, change="Hot")
    assert second.ranking is None


def test_results_of_a_search_tell_their_score():
    answer = xml(
        "<searchResults><totalItems>1</totalItems><searchResult><type>artist</type><score>21.4</score>"
        '<artist id="226"><name>Pink</name></artist></searchResult></searchResults>'
    )
    (artist,) = read("artists.search", answer)
    assert artist == Artist(id="226", name="Pink")
    assert artist.ranking == Ranking(score=Decimal("21.4"))


def test_a_misfit_in_what_a_list_says_is_named_where_it_stands():
    with pytest.raises(Exception, match=r"\$\.chart\.chartItem\[0\]\.position is not a whole number"):
        read("releases.chart", {"chart": {"chartItem": [{"position": "top", "release": {"id": 1}}]}}, strict=True)


TAGGED = xml(
    "<tags><page>1</page><pageSize>10</pageSize><totalItems>629</totalItems>"
    '<tag id="pop"><text>pop</text><url>https://shop/tags/pop</url><count>90847</count></tag></tags>'
)


def test_tags():
    assert read("tags.all", TAGGED) == Page(
        (Tag(id="pop", name="pop", url="https://shop/tags/pop", count=90847),), 1, 10, 629
    )
    answer = {"status": "ok", "tags": [{"id": "indie", "name": "Indie", "parentId": "rock"}]}
    assert read("releases.tags", answer).items == (Tag(id="indie", name="Indie", parent_id="rock"),)
    assert read("artists.tags", xml("<tags/>")).items == ()


EDITORIAL = xml(
    '<list id="833"><key>featured_albums</key><listItems><listItem id="1"><type>release</type>'
    '<release id="1136112"><title>Collapse Into Now</title></release></listItem></listItems></list>'
)


def test_editorial_lists():
    release = Release(id="1136112", title="Collapse Into Now")
    chosen = EditorialItem(id="1", type=EditorialType.RELEASE, release=release)
    assert read("editorial.list", EDITORIAL).items == (chosen,)
    several = EDITORIAL.replace("</listItems>", '<listItem id="2"><artist id="3"/></listItem></listItems>')
    assert read("editorial.list", several).items == (chosen, EditorialItem(id="2", artist=Artist(id="3")))
    assert read("editorial.list", xml('<list id="833"><key>k</key><listItems/></list>')).items == ()
    item = {"id": "e1", "title": "New", "type": "banner", "url": "https://shop/e1"}
    written = EditorialItem(id="e1", title="New", type=EditorialType.BANNER, url="https://shop/e1")
    assert read("editorial.list", {"status": "ok", "editorial": [item]}).items == (written,)
    assert read("releases.editorial", {"status": "ok", "editorial": item}) == written
    texts = xml("<editorial><review><text>Fine.</text></review><promotionalText>Buy!</promotionalText></editorial>")
    assert read("releases.editorial", texts) == EditorialItem(
        review=EditorialText(text="Fine."), promotional_text=EditorialText(text="Buy!")
    )


def test_countries():
    answer = {"countries": [{"countryCode": "GB", "name": "United Kingdom", "currency": "GBP"}]}
    britain = Country(country_code="GB", name="United Kingdom", currency="GBP")
    assert read("territories.countries", answer).items == (britain,)
    assert read("ip_lookup.country", answer["countries"][0]) == britain
    one = xml("<countries><country><countryCode>FR</countryCode></country></countries>")
    assert read("territories.countries", one).items == (Country(country_code="FR"),)
    live = xml('<countries><country code="FR"><name>France</name><url>https://fr</url></country></countries>')
    assert read("territories.countries", live).items == (Country(country_code="FR", name="France", url="https://fr"),)
    found = xml("<GeoIpLookup><ipaddress>1.2.3.4</ipaddress><countryCode>FR</countryCode></GeoIpLookup>")
    assert read("ip_lookup.country", found) == Country(country_code="FR", ip_address="1.2.3.4")


def test_translations():
    answer = {"locale": "en-GB", "translations": {"buy": "Buy now", "sold.out": "Sold out", "unused": None}}
    texts = {"buy": "Buy now", "sold.out": "Sold out"}
    assert read("translations.bundle", answer) == TranslationBundle(locale="en-GB", translations=texts)
    assert read("translations.bundle", {"locale": "xx", "translations": None}).translations == {}
    one = "<translation><key>buy</key><translatedText>Buy now</translatedText></translation>"
    two = "<translation><key>sold.out</key><translatedText>Sold out</translatedText></translation>"
    for live, expected in ((one, {"buy": "Buy now"}), (one + two, texts)):
        answer = xml(f"<translations><page>1</page>{live}</translations>")
        assert read("translations.bundle", answer).translations == expected
    odd = {"locale": "xx", "translations": ["Buy"]}
    assert read("translations.bundle", odd) == TranslationBundle(locale="xx")
    with pytest.raises(DecodeError, match=r"\$\.translations is a list, not an object"):
        read("translations.bundle", odd, strict=True)


# --- baskets and purchases

EURO = {"currency": "EUR", "currency_symbol": "€"}
BASKET_XML = xml(
    '<basket id="b1"><itemCount>1</itemCount>'
    '<price><currency code="EUR">€</currency><value>0.99</value><formattedPrice>0,99€</formattedPrice></price>'
    '<amountDue><currency code="EUR">€</currency><amount>0</amount><formattedAmount>0,00€</formattedAmount></amountDue>'
    '<basketItems><basketItem id="15284882"><type>track</type><itemName>Test</itemName>'
    "<artistName>Ghetto</artistName><trackId>2458384</trackId><releaseId>224820</releaseId>"
    "<price><value>0.99</value></price><amountDue><amount>0</amount></amountDue>"
    "<discount><type>Voucher</type></discount></basketItem></basketItems></basket>"
)
BASKET_JSON = {
    "id": "b1",
    "items": [{"itemId": "i1", "releaseId": "7", "trackId": None, "price": {"amount": 9.99, "currency": "GBP"}}],
    "total": {"amount": 7.5, "currency": "GBP"},
    "voucherCode": "SUMMER25",
}


def test_a_basket_with_amounts_due_and_a_discount():
    basket = read("basket.apply_voucher", BASKET_XML)
    assert basket == Basket(
        id="b1",
        item_count=1,
        price=Price(amount=Decimal("0.99"), formatted_price="0,99€", **EURO),
        total=Price(amount=Decimal(0), formatted_price="0,00€", **EURO),
        items=(
            BasketItem(
                item_id="15284882",
                type=BasketItemType.TRACK,
                item_name="Test",
                artist_name="Ghetto",
                track_id="2458384",
                release_id="224820",
                price=Price(amount=Decimal("0.99")),
                amount_due=Price(amount=Decimal(0)),
                discount=Discount(type="Voucher"),
            ),
        ),
    )
    assert basket.amount_due is basket.total


def test_a_basket_as_the_file_has_it():
    item = BasketItem(item_id="i1", release_id="7", price=Price(amount=Decimal("9.99"), currency="GBP"))
    total = Price(amount=Decimal("7.5"), currency="GBP")
    expected = Basket(id="b1", items=(item,), total=total, voucher_code="SUMMER25")
    for name in ("details", "create", "add_item", "remove_item", "add_priced_item"):
        assert read(f"basket.{name}", BASKET_JSON) == expected
        assert read(f"basket.{name}", {"status": "ok", "version": "1.2", **BASKET_JSON}) == expected
    assert read("basket.create", xml('<basket id="b1"><basketItems/></basket>')) == Basket(id="b1")


LOCKER_XML = (
    "<lockerReleases><page>1</page><pageSize>10</pageSize><totalItems>1</totalItems><lockerRelease>"
    '<release id="1"><title>Ill Communication</title></release><lockerTracks><lockerTrack>'
    '<track id="456"><title>Sabotage</title></track><remainingDownloads>3</remainingDownloads>'
    "<purchaseDate>2009-08-10T11:00:00+01:00</purchaseDate><downloadUrls><downloadUrl>"
    '<url> https://media/downloadtrack?oauth_token=hunter2 </url><format id="17"><bitRate>320</bitRate></format>'
    "</downloadUrl></downloadUrls></lockerTrack></lockerTracks><available>true</available></lockerRelease>"
    "</lockerReleases>"
)
LOCKER_JSON = {
    "lockerReleases": {
        "page": 1,
        "pageSize": 10,
        "totalItems": 1,
        "lockerRelease": [
            {
                "release": {"id": 1, "title": "Ill Communication"},
                "lockerTracks": {
                    "lockerTrack": [
                        {
                            "track": {"id": 456, "title": "Sabotage"},
                            "remainingDownloads": 3,
                            "purchaseDate": "2009-08-10T10:00:00Z",
                            "downloadUrls": {
                                "downloadUrl": [
                                    {
                                        "url": "https://media/downloadtrack?oauth_token=hunter2",
                                        "format": {"id": 17, "bitRate": 320},
                                    }
                                ]
                            },
                        }
                    ]
                },
                "available": True,
            }
        ],
    }
}
OWNED = LockerRelease(
    release=Release(id="1", title="Ill Communication"),
    tracks=(
        LockerTrack(
            track=Track(id="456", title="Sabotage"),
            remaining_downloads=3,
            purchase_date=datetime(2009, 8, 10, 10, tzinfo=UTC),
            download_urls=(
                DownloadUrl(
                    url="https://media/downloadtrack?oauth_token=hunter2", format=Format(id="17", bit_rate=320)
                ),
            ),
        ),
    ),
    available=True,
)


@pytest.mark.parametrize("answer", [xml(f"<locker>{LOCKER_XML}</locker>"), {"status": "ok", "locker": LOCKER_JSON}])
def test_a_locker_in_the_live_services_shapes(answer):
    assert read("user.locker", answer) == Page((OWNED,), 1, 10, 1)


def test_a_locker_as_the_file_has_it():
    single = {"id": "5", "title": "Single", "release": {"id": "8"}}
    answer = {"status": "ok", "page": 1, "pageSize": 20, "totalItems": 2, "releases": [{"id": "7"}], "tracks": [single]}
    track = Track(id="5", title="Single", release=Release(id="8"))
    assert read("user.locker", answer) == Page(
        (
            LockerRelease(release=Release(id="7")),
            LockerRelease(release=Release(id="8"), tracks=(LockerTrack(track=track),)),
        ),
        1,
        20,
        2,
    )
    assert read("user.locker", {"releases": [], "tracks": []}).items == ()
    with pytest.raises(Exception, match=r"\$\.tracks\[0\]\.title is a list, not text"):
        read("user.locker", {"tracks": [{"id": "5", "title": []}]}, strict=True)


def test_a_locker_track_that_was_withdrawn():
    entry = {"release": {"id": 1}, "lockerTracks": {"lockerTrack": [{"track": {"id": 2}, "downloadUrls": None}]}}
    (owned,) = read("user.locker", {"locker": {"lockerReleases": {"lockerRelease": entry}}})
    assert owned.tracks == (LockerTrack(track=Track(id="2")),)


@pytest.mark.parametrize(
    "name", ["purchase_item", "purchase_rrp_item", "purchase_basket", "purchase_priced_item", "deliver_item"]
)
def test_a_purchase_brings_the_locker(name):
    answer = xml(f'<purchase id="123"><purchaseDate>2009-08-10T11:00:00Z</purchaseDate>{LOCKER_XML}</purchase>')
    bought = Purchase(purchase_id="123", purchase_date=datetime(2009, 8, 10, 11, tzinfo=UTC), locker_releases=(OWNED,))
    assert read(f"user.{name}", answer) == bought
    assert read(f"user.{name}", {"status": "ok", "purchase": {"id": 123}}) == Purchase(purchase_id="123")


def test_a_purchase_as_the_file_has_it():
    answer = {"purchaseId": "p1", "status": "completed", "total": {"amount": 1}, "items": [{"itemId": "i1"}]}
    assert read("basket.complete_paypal_purchase", answer) == Purchase(
        purchase_id="p1",
        status=PurchaseStatus.COMPLETED,
        total=Price(amount=Decimal(1)),
        items=(BasketItem(item_id="i1"),),
    )


def test_a_delivery():
    answer = {"status": "ok", "deliveryUrl": "https://download/abc?oauth_signature=hunter2"}
    delivered = read("user.deliver_item", answer)
    assert delivered == Purchase(delivery_url="https://download/abc?oauth_signature=hunter2")


def test_an_answer_that_says_nothing_is_no_purchase():
    with pytest.raises(Exception, match=r"\$\.purchase is missing"):
        read("user.purchase_item", {"status": "ok", "version": "1.2"})


# --- users, cards, vouchers, and the catalogue by address


def test_a_user_with_a_token():
    answer = {"id": 500123, "email": "jane@example.com", "accessToken": "hunter1", "accessTokenSecret": "hunter2"}
    user = read("user.authenticate", answer)
    assert (user.id, user.email, user.token) == ("500123", "jane@example.com", UserToken("hunter1", "hunter2"))
    found = read("users.find", {"users": [{"id": "1", "firstName": "Jane", "lastName": "Smith", "country": "GB"}]})
    assert found.items == (User(id="1", first_name="Jane", last_name="Smith", country="GB"),)
    assert found[0].token is None
    assert read("user.create", xml('<user id="abc"><emailAddress>j@example.com</emailAddress></user>')) == User(
        id="abc", email="j@example.com"
    )


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            {
                "userId": "500123",
                "status": "active",
                "startDate": "2026-01-01",
                "endDate": "2026-02-01",
                "productId": "unlimited-streaming",
            },
            SubscriptionStatus(
                user_id="500123",
                status=SubscriptionState.ACTIVE,
                start_date=date(2026, 1, 1),
                end_date=date(2026, 2, 1),
                product_id="unlimited-streaming",
            ),
        ),
        (
            {"streaming": {"level": "premium", "expiryDate": "2026-02-01T00:00:00Z"}},
            SubscriptionStatus(level="premium", expiry_date=datetime(2026, 2, 1, tzinfo=UTC)),
        ),
        (xml("<streaming><level>premium</level></streaming>"), SubscriptionStatus(level="premium")),
    ],
)
def test_a_subscription(answer, expected):
    assert read("user.unlimited_streaming", answer) == expected
    assert read("user.update_unlimited_streaming", answer) == expected


def test_cards():
    card = {"cardId": "c1", "last4": "4242", "brand": "visa", "expiryMonth": 12, "expiryYear": 2028, "isDefault": True}
    expected = PaymentCard(
        card_id="c1", last4="4242", brand=CardBrand.VISA, expiry_month=12, expiry_year=2028, is_default=True
    )
    assert read("user.payment_cards", {"cards": [card]}).items == (expected,)
    one = xml('<cards><card id="c1"><type>JCB</type><default>true</default></card></cards>')
    assert read("user.payment_cards", one).items == (PaymentCard(card_id="c1", brand="JCB", is_default=True),)
    answer = {"registrationId": "r1", "status": "pending", "cardId": None}
    pending = CardRegistration(registration_id="r1", status=CardRegistrationStatus.PENDING)
    assert read("user.register_payment_card", answer) == read("user.card_registration", answer) == pending
    live = xml(
        '<cardRegistration id="r1" status="complete"><redirectUrl>https://pay/hunter2</redirectUrl>'
        '<card id="9"><last4digits>4242</last4digits><expiryDate>202812</expiryDate></card></cardRegistration>'
    )
    registered = read("user.card_registration", live)
    assert (registered.registration_id, registered.status, registered.card_id) == ("r1", "complete", "9")
    assert registered.card == PaymentCard(card_id="9", last4="4242", expiry_date="202812")
    assert "hunter2" not in repr(registered)
    assert read("user.select_payment_card", {"status": "ok"}) is None
    assert read("user.delete_payment_card", {"status": "ok"}) is None


def test_ways_to_pay():
    assert read("payment.card_types", {"cardTypes": ["visa", "amex"]}).items == (
        CardType(name="visa"),
        CardType(name="amex"),
    )
    one = xml('<cardTypes><cardType id="VISA">Visa</cardType></cardTypes>')
    assert read("payment.card_types", one).items == (CardType(id="VISA", name="Visa"),)
    answer = {
        "code": "S25",
        "value": {"amount": 25},
        "type": "percentage",
        "expiresAt": "2026-12-31T23:59:59Z",
        "redeemed": False,
    }
    assert read("payment.voucher", answer) == Voucher(
        code="S25",
        value=Price(amount=Decimal(25)),
        type=VoucherType.PERCENTAGE,
        expires_at=datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC),
        redeemed=False,
    )
    address = "https://www.paypal.com/checkoutnow?token=hunter2"
    assert read("basket.paypal_url", {"paypalUrl": address}) == PaypalCheckout(paypal_url=address)
    live = xml(f"<expressCheckout><url>{address}</url></expressCheckout>")
    assert read("basket.paypal_url", live) == PaypalCheckout(paypal_url=address)


def test_the_catalogue_by_address():
    assert read("catalogue.artist_by_url", {"artistId": "12345"}) == Artist(id="12345")
    assert read("catalogue.release_by_url", {"releaseId": 11700062}) == Release(id="11700062")
    assert read("catalogue.release_by_url", xml("<releaseId>1</releaseId>")) == Release(id="1")


def test_matches_of_the_live_service():
    matched = "<release><sevenDigitalId>7</sevenDigitalId><mbId>m</mbId></release>"
    answer = xml(f'<matches><releases mbId="m">{matched}</releases></matches>')
    assert read("releases.match_by_id", answer) == Release(id="7")
    assert read("tracks.match_by_id", {"status": "ok", "track": {"id": 5}}) == Track(id="5")


@pytest.mark.parametrize(
    "secretive",
    [
        User(access_token="hunter2", access_token_secret="hunter2"),
        PaypalCheckout(paypal_url="hunter2"),
        Purchase(delivery_url="hunter2", locker_releases=(OWNED,)),
    ],
)
def test_secrets_are_not_shown(secretive):
    assert "hunter2" not in repr(secretive)


# --- arguments


class Listener:
    """A caller that notes what it is asked for and answers nothing."""

    def __init__(self):
        self.heard = []

    async def call(self, operation, /, **arguments):
        self.heard.append((operation.name, {name: value for name, value in arguments.items() if value is not None}))
        return Page() if operation.paged else operation.model and attrs.evolve(SILENCE[operation.model])

    def media_of(self, operation, /, **arguments):
        return operation.name, arguments


SILENCE = {Purchase: Purchase(), Basket: Basket(id="b1"), Release: Release(id="1"), Country: Country()}


@pytest.fixture
def listener():
    return Listener()


@pytest.fixture
def classic(listener):
    return Classic(listener)


@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("page", lambda classic: classic.tags.all(page=0)),
        ("release_id", lambda classic: classic.releases.recommend()),
        ("artist_id", lambda classic: classic.releases.recommend("1", artist_id="2")),
        ("release_id", lambda classic: classic.user.locker(track_id="1")),
    ],
)
def test_lists_and_media_refuse_at_once(classic, argument, call):
    with pytest.raises(InvalidArgumentError) as caught:
        call(classic)
    assert caught.value.argument == argument


@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("email", lambda classic: classic.users.update("1")),
        ("price", lambda classic: classic.basket.add_priced_item("b", price=Decimal(-1))),
        ("price", lambda classic: classic.user.purchase_priced_item(price=Decimal("0.999"))),
        ("retail_price", lambda classic: classic.user.deliver_item(retail_price=Decimal("0.001"))),
        ("tag", lambda classic: classic.user.purchase_basket("b", tag={str(key): "" for key in range(11)})),
        ("tag", lambda classic: classic.user.purchase_item(tag={"k" * 51: ""})),
        ("tag", lambda classic: classic.user.purchase_rrp_item(tag={"k": "v" * 101})),
    ],
)
async def test_calls_refuse_before_anything_is_sent(classic, listener, argument, call):
    with pytest.raises(InvalidArgumentError) as caught:
        await call(classic)
    assert caught.value.argument == argument
    assert listener.heard == []


async def test_the_first_page_goes_without_a_number(classic, listener):
    await classic.releases.tags("1")
    await classic.releases.tags("1", page=2, page_size=5)
    assert [heard for _, heard in listener.heard] == [
        {"release_id": "1"},
        {"release_id": "1", "page": 2, "page_size": 5},
    ]


async def test_an_ip_address_may_be_one(classic, listener):
    await classic.ip_lookup.country(ip_address("2001:db8::1"))
    assert listener.heard == [("classic.ip_lookup.country", {"ip": "2001:db8::1"})]


def test_a_preview_is_asked_for_when_it_is_used(classic, listener):
    name, arguments = classic.tracks.preview("1")
    assert (name, arguments["track_id"]) == ("classic.tracks.preview", "1")
    assert listener.heard == []


# --- the vendor's documents, if they are available

with_the_guide = pytest.mark.skipif(not SPEC.is_dir(), reason="the API's documents are not beside this checkout")


@with_the_guide
def test_the_lockers_of_the_live_pages_decode():
    text, decoder, found = (SPEC / "user-locker.txt").read_text(), json.JSONDecoder(), []
    answers = [decoder.raw_decode(text, text.index("{"))[0]]
    answers += re.findall(r"<response.*?</response>", text, re.DOTALL)
    answers += [
        f"<locker>{text}</locker>"
        for text in re.findall(r"^<lockerRelease>.*?^</lockerRelease>", text, re.MULTILINE | re.DOTALL)
    ]
    for answer in answers:
        found += read("user.locker", answer)
    assert len(found) == 3
    assert all(owned.release.title and owned.tracks[0].track.isrc for owned in found)
    assert [owned.available for owned in found] == [True, True, False]
    assert [owned.tracks[0].remaining_downloads for owned in found] == [10, 355, None]
