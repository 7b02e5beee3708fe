"""The sandbox's classic API: every operation in both forms, and a state that adds up."""

from __future__ import annotations

from datetime import date, timedelta
from urllib.parse import urlencode

import pytest
from defusedxml.ElementTree import fromstring
from support import paths
from support.openapi import problems, read
from support.probe import FORM, JSON, XML, ManualClock, Probe, open_session
from yarl import URL

from sevendigital_async.operations import REGISTRY
from sevendigital_async.sandbox import Sandbox
from sevendigital_async.sandbox.catalogue import CATALOGUE
from sevendigital_async.sandbox.charts import chart, first_day
from sevendigital_async.sandbox.handlers import HANDLERS, LIVE_HANDLERS
from sevendigital_async.sandbox.tags import RELEASE_COUNTS, TAGS, tags_of_release

SPEC = paths.SPEC / "classic-v1.2.openapi.yml"

RELEASES = list(CATALOGUE.releases.values())
ALBUM = RELEASES[0]
PREORDER = next(release for release in RELEASES if release.release_date.year == 2099)
ON_SALE = next(release for release in RELEASES if release.pence < release.rrp_pence)
TRACK = CATALOGUE.tracks_of(ALBUM)[2]
ARTIST = ALBUM.artist
ADDRESS = "ada@example.com"
CARD = {"cardNumber": "5555 5555 5555 4444", "expiryMonth": "4", "expiryYear": "2031", "cvv": "123"}


class Classic(Probe):
    """Calls the sandbox and expects a status; a user's name means a signature with that user's token."""

    accept = JSON

    async def read(self, path, params=None, status=200, user=None):
        async with self.get(f"/1.2/{path}", params, accept=self.accept, user=user) as answer:
            return await self._content(answer, status)

    async def send(self, path, fields, status=200, user=None, method="POST"):
        headers = {"Content-Type": FORM, "Accept": self.accept}
        request = self.request(method, f"/1.2/{path}", body=urlencode(fields), headers=headers, user=user)
        async with request as answer:
            return await self._content(answer, status)

    async def code(self, calling):
        """Return the error code that a call ends with."""
        content = await calling
        return content["error"]["code"]

    async def fetch(self, url, user=None):
        """Follow a redirect without a signature; return the content type of the target."""
        signed, headers, _ = self.oauth(user).sign(url)
        async with self.session.get(URL(signed, encoded=True), headers=headers, allow_redirects=False) as answer:
            assert answer.status == 302, await answer.text()
        async with self.session.get(answer.headers["Location"]) as answer:
            assert answer.status == 200
            return answer.content_type

    async def state(self):
        async with self.session.get(self.sandbox.base_url + "/_sandbox/state") as answer:
            return await answer.json()

    async def basket(self, *items, **place):
        """Return the id of a basket with some things in it."""
        basket = await self.read("basket/create", place)
        for item in items:
            await self.read("basket/addItem", {"basketId": basket["id"], **item})
        return basket["id"]

    async def _content(self, answer, status):
        text = await answer.text()
        assert answer.status == status, text
        if answer.content_type == XML:
            return fromstring(text)
        return await answer.json() if answer.content_type == JSON else text


@pytest.fixture
async def probe():
    clock = ManualClock()
    async with Sandbox(clock=clock) as sandbox, open_session() as session:
        yield Classic(sandbox, session, clock)


READS = {
    "release/byDate": {"country": "DE", "pageSize": "3"},
    "release/details": {"releaseId": ALBUM.id},
    "release/editorial": {"releaseId": ALBUM.id},
    "release/chart": {"period": "month", "toDate": "20261231", "pageSize": "5"},
    "release/recommend": {"releaseId": ALBUM.id},
    "release/search": {"q": "paper", "type": "album,ep"},
    "release/tracks": {"releaseId": ALBUM.id},
    "release/tags": {"releaseId": ALBUM.id},
    "release/match/byId": {"id": ALBUM.upc},
    "release/bytag/new": {"tags": "rock"},
    "release/bytag/top": {"tags": "rock,2000s"},
    "artist/browse": {"letter": "p"},
    "artist/chart": {"period": "day"},
    "artist/details": {"artistId": ARTIST.id},
    "artist/releases": {"artistId": ARTIST.id, "type": "album"},
    "artist/similar": {"artistId": ARTIST.id},
    "artist/search": {"q": "the", "sort": "name desc"},
    "artist/topTracks": {"artistId": ARTIST.id},
    "artist/tags": {"artistId": ARTIST.id},
    "artist/match/byId": {"id": f"mbid:{ARTIST.mbid}"},
    "artist/bytag/top": {"tags": "folk"},
    "track/chart": {},
    "track/details": {"trackId": TRACK.id},
    "track/search": {"q": TRACK.title},
    "track/match/byId": {"id": f"isrc:{TRACK.isrc}"},
    "track/preview": {"trackId": TRACK.id, "redirect": "false"},
    "tag": {},
    "countries": {},
    "translations": {"locale": "de-AT"},
    "country/resolve": {"ip": "10.0.0.1"},
    "editorial/list": {"country": "GB"},
    "catalogue/artist-byurl": {"url": f"https://shop.example/artist/{ARTIST.id}"},
    "catalogue/release-byurl": {"url": f"https://shop.example/release/{ALBUM.id}"},
    "payment/card/type": {},
    "payment/voucher/details": {"voucherCode": "SUMMER25"},
    "status": {},
}
"""What only answers, by path."""

XML_NOUNS = {
    "release/byDate": "releases/release",
    "release/editorial": "editorial/title",
    "release/chart": "chart/chartItem/release",
    "release/recommend": "recommendations/recommendedItem/release",
    "release/search": "searchResults/searchResult/release",
    "release/tags": "tags/tag/text",
    "release/match/byId": "release",
    "release/bytag/new": "taggedResults/taggedItem/release",
    "release/bytag/top": "taggedResults/taggedItem/release",
    "artist/browse": "artists/artist",
    "artist/chart": "chart/chartItem/artist",
    "artist/similar": "artists/artist",
    "artist/search": "searchResults/searchResult/artist",
    "artist/topTracks": "tracks/track",
    "artist/bytag/top": "taggedResults/taggedItem/artist",
    "track/chart": "chart/chartItem/track",
    "track/preview": "url",
    "tag": "tags/tag/count",
    "countries": "countries/country/currency",
    "translations": "translations",
    "country/resolve": "country/name",
    "editorial/list": "list/listItems/listItem/release",
    "catalogue/artist-byurl": "artistId",
    "payment/card/type": "cardTypes/cardType",
    "payment/voucher/details": "voucher/expiresAt",
}


async def changes(call):
    """Call everything that changes something, and what shows it, as user 7; yield each path and its response."""

    async def described(path, calling):
        return path, await calling

    shown = call.accept
    call.accept = JSON
    basket = await call.basket({"releaseId": ALBUM.id})
    paid = await call.basket({"releaseId": ALBUM.id, "trackId": TRACK.id})
    checkout = await call.read("basket/paypalurl", {"basketId": paid})
    item = (await call.read("basket", {"basketId": basket}))["items"][0]["itemId"]
    call.accept = shown
    mine, at = {"user": "7"}, {"basketId": basket}
    thing = {"releaseId": ALBUM.id, "trackId": TRACK.id}
    yield await described("basket/create", call.read("basket/create", {"country": "DE"}))
    yield await described("basket/addItem", call.read("basket/addItem", {**at, **thing}))
    yield await described("basket/addpriceditem", call.read("basket/addpriceditem", {**at, **thing, "price": "0.5"}))
    yield await described(
        "basket/applyVoucher", call.send(f"basket/applyVoucher?basketId={basket}", {"voucherCode": "summer25"})
    )
    yield await described("basket/removeItem", call.read("basket/removeItem", {**at, "itemId": item}))
    yield await described("basket", call.read("basket", at))
    yield await described("basket/paypalurl", call.read("basket/paypalurl", at))
    token = {"payerId": "PAYER", "token": checkout["paypalUrl"].partition("token=")[2]}
    path = "basket/completepaypalpurchase"
    yield await described(path, call.send(f"{path}?basketId={paid}", token, **mine))
    yield await described("user/purchase/item", call.read("user/purchase/item", {**thing, "price": "0.99"}, **mine))
    yield await described("user/purchase/rrpitem", call.read("user/purchase/rrpitem", thing, **mine))
    yield await described("user/purchase/basket", call.read("user/purchase/basket", at, **mine))
    yield await described(
        "user/purchase/priceditem", call.read("user/purchase/priceditem", {**thing, "price": "0"}, **mine)
    )
    delivery = {**thing, "transactionId": "t-1", "retailPrice": "1.5"}
    yield await described("user/deliveritem", call.read("user/deliveritem", delivery, **mine))
    yield await described("user/locker", call.read("user/locker", **mine))
    yield await described("user/payment/cardregistration", call.send("user/payment/cardregistration", CARD, **mine))
    path = "user/payment/cardregistration/{id}"
    yield await described(path, call.read("user/payment/cardregistration/cardreg-1", **mine))
    yield await described("user/payment/card", call.read("user/payment/card", **mine))
    yield await described(
        "user/payment/card/select", call.send("user/payment/card/select", {"cardId": "card-0"}, **mine)
    )
    yield await described(
        "user/payment/card/delete", call.send("user/payment/card/delete", {"cardId": "card-1"}, **mine)
    )
    signup = {"email": ADDRESS, "password": "p&ss", "country": "DE", "firstName": "Ada"}
    yield await described("user/signup", call.send("user/signup", signup))
    yield await described("user/create", call.read("user/create", {"email": "bob@example.com"}))
    yield await described("user/details", call.read("user/details", {"userId": "500001"}))
    yield await described("user/authenticate", call.send("user/authenticate", {"email": ADDRESS, "password": "p&ss"}))
    yield await described("users", call.read("users", {"email": ADDRESS}))
    yield await described("users/{id}/update", call.send("users/7/update", {"country": "fr"}, method="PUT", **mine))
    path = "user/unlimitedStreaming"
    yield await described(path, call.send(path, {"userId": "7", "status": "active"}))
    yield await described(path, call.read(path, **mine))


def test_every_record_has_a_handler_and_every_handler_a_record():
    assert {**HANDLERS, **LIVE_HANDLERS}.keys() == {operation.name for operation in REGISTRY}


@pytest.mark.skipif(not SPEC.exists(), reason="the API's own file is not here")
async def test_json_is_what_the_file_promises(probe):
    promised = {}
    for stated in read(SPEC):
        promised.setdefault(stated.path.removeprefix("/"), []).append(stated)
    answers = [(path, await probe.read(path, params)) for path, params in READS.items()]
    answers += [answer async for answer in changes(probe)]
    assert {path for path, _ in answers} == {*promised, "track/preview", "status"}
    for path, tree in answers:
        for stated in promised.get(path, ()):
            assert problems(tree, stated.answer) == [], path
            assert stated.answer["properties"].keys() - tree.keys() <= LEFT_OUT.get(path, {"status", *PAGING}), path


PAGING = {"page", "pageSize", "totalItems"}
TOKEN = {"accessToken", "accessTokenSecret"}
LEFT_OUT = {
    "user/signup": {"lastName"},
    "user/authenticate": {"lastName"},
    "user/create": {"firstName", "lastName", *TOKEN},
    "user/details": {"lastName", *TOKEN},
    "users/{id}/update": {"email", "firstName", "lastName", *TOKEN},
}
"""Fields that have no value there."""


async def test_xml_is_what_the_guide_shows(probe):
    probe.accept = XML
    for path, params in READS.items():
        root = await probe.read(path, params)
        assert (root.tag, root.get("status"), root.get("version")) == ("response", "ok", "1.2")
        assert root.find(XML_NOUNS.get(path, ".")) is not None, path
    answers = dict([answer async for answer in changes(probe)])
    assert all(root.get("status") == "ok" for root in answers.values())
    basket = answers["basket/applyVoucher"].find("basket")
    assert [child.tag for child in basket] == ["itemCount", "price", "amountDue", "basketItems"]
    assert (basket.findtext("price/value"), basket.findtext("amountDue/amount")) == ("11.48", "8.63")
    lines = basket.findall("basketItems/basketItem")
    assert [line.findtext("type") for line in lines] == ["release", "track", "track"]
    assert [line.findtext("discount/type") for line in lines] == ["Voucher"] * 3
    purchase = answers["user/purchase/item"].find("purchase")
    assert purchase.findtext("purchaseDate") == "2027-01-15T08:00:00Z"
    track = purchase.find("lockerReleases/lockerRelease/lockerTracks/lockerTrack")
    assert (track.find("track").get("id"), track.findtext("remainingDownloads")) == (TRACK.id, "10")
    assert track.find("downloadUrls/downloadUrl/format").get("id") == "17"
    assert answers["user/locker"].findtext("locker/lockerReleases/totalItems") == "1"
    assert answers["user/payment/card"].find("cards/card").get("id") == "card-0"


async def test_a_clip_lies_behind_a_redirect(probe):
    url = f"{probe.sandbox.base_url}/1.2/track/preview?trackId={TRACK.id}"
    assert await probe.fetch(url) == "audio/mpeg"
    assert await probe.fetch(f"{url}&redirect=true") == "audio/mpeg"
    tree = await probe.read("track/preview", {"trackId": TRACK.id, "redirect": "false"})
    async with probe.session.get(tree["url"]) as answer:
        assert (answer.status, answer.content_type) == (200, "audio/mpeg")


async def test_a_basket_adds_up(probe):
    basket = await probe.basket({"releaseId": ALBUM.id}, {"releaseId": ALBUM.id, "trackId": TRACK.id}, country="DE")

    async def priced(calling):
        tree = await calling
        assert tree["total"]["currency"] == tree["price"]["currency"] == "EUR"
        assert tree["price"]["amount"] == pytest.approx(sum(item["price"]["amount"] for item in tree["items"]))
        assert tree["total"]["amount"] == pytest.approx(sum(item["amountDue"]["amount"] for item in tree["items"]))
        assert tree["itemCount"] == len(tree["items"])
        return tree["price"]["amount"], tree["total"]["amount"], tree["voucherCode"]

    at = {"basketId": basket}
    assert await priced(probe.read("basket", at)) == (10.98, 10.98, None)
    voucher = probe.send(f"basket/applyVoucher?basketId={basket}", {"voucherCode": "SUMMER25"})
    assert await priced(voucher) == (10.98, 8.25, "SUMMER25")
    more = probe.read("basket/addpriceditem", {**at, "releaseId": ON_SALE.id, "price": "4.00"})
    assert await priced(more) == (14.98, 11.25, "SUMMER25")
    first = (await probe.read("basket", at))["items"][0]["itemId"]
    assert await priced(probe.read("basket/removeItem", {**at, "itemId": first})) == (4.99, 3.75, "SUMMER25")


async def test_a_voucher_of_a_fixed_value_is_used_up_by_the_purchase(probe):
    basket = await probe.basket({"releaseId": ALBUM.id, "trackId": TRACK.id}, {"releaseId": ALBUM.id})
    apply = f"basket/applyVoucher?basketId={basket}"
    tree = await probe.send(apply, {"voucherCode": "TAKEFIVE"})
    assert [item["amountDue"]["amount"] for item in tree["items"]] == [0, 5.98]
    assert not (await probe.read("payment/voucher/details", {"voucherCode": "takefive"}))["redeemed"]
    purchase = await probe.read("user/purchase/basket", {"basketId": basket}, user="7")
    assert purchase["total"]["amount"] == 5.98
    assert (await probe.read("payment/voucher/details", {"voucherCode": "takefive"}))["redeemed"]
    assert await probe.code(probe.send(apply, {"voucherCode": "TAKEFIVE"}, 400)) == 3012


async def test_what_is_bought_lies_in_the_locker_and_what_is_sent_twice_is_bought_twice(probe):
    thing = {"releaseId": ALBUM.id}
    first = await probe.read("user/purchase/item", thing, user="7")
    second = await probe.read("user/purchase/item", thing, user="7")
    other = await probe.read("user/deliveritem", {"releaseId": ON_SALE.id, "transactionId": "t-9"}, user="8")
    assert first["purchaseId"] != second["purchaseId"]
    assert other["deliveryUrl"].startswith(f"{probe.sandbox.base_url}/media/user/downloadtrack?formatId=17&releaseId=")
    [bought] = first["lockerReleases"]
    assert bought["release"]["id"] == ALBUM.id
    assert [each["track"]["id"] for each in bought["lockerTracks"]] == [t.id for t in CATALOGUE.tracks_of(ALBUM)]
    assert {each["purchaseId"] for each in bought["lockerTracks"]} == {first["purchaseId"]}
    assert all(each["completeAlbumPurchase"] for each in bought["lockerTracks"])
    locker = await probe.read("user/locker", user="7")
    assert (locker["totalItems"], len(locker["tracks"])) == (1, len(bought["lockerTracks"]))
    [release] = locker["lockerReleases"]
    assert len(release["lockerTracks"]) == 2 * len(bought["lockerTracks"])
    state = await probe.state()
    assert [(sale["id"], sale["user"], sale["total"]) for sale in state["purchases"]] == [
        (first["purchaseId"], "7", 9.99),
        (second["purchaseId"], "7", 9.99),
        (other["purchaseId"], "8", ON_SALE.rrp_pence / 100),
    ]
    assert state["purchases"][2]["transactionId"] == "t-9"
    assert {user: len(tracks) for user, tracks in state["lockers"].items()} == {
        "7": 2 * len(CATALOGUE.tracks_of(ALBUM)),
        "8": len(CATALOGUE.tracks_of(ON_SALE)),
    }


async def test_a_download_costs_one_of_those_left(probe):
    purchase = await probe.read("user/purchase/item", {"releaseId": ALBUM.id, "trackId": TRACK.id}, user="7")
    [owned] = purchase["lockerReleases"][0]["lockerTracks"]
    assert await probe.fetch(owned["downloadUrls"][0]["url"], "7") == "audio/mpeg"
    locker = await probe.read("user/locker", user="7")
    assert locker["lockerReleases"][0]["lockerTracks"][0]["remainingDownloads"] == 9


async def test_a_locker_is_filtered_and_sorted(probe):
    empty = await probe.read("user/locker", user="7")
    assert (empty["totalItems"], empty["releases"], empty["lockerReleases"]) == (0, [], [])
    first = await probe.read("user/purchase/item", {"releaseId": ON_SALE.id}, user="7")
    probe.clock.advance(60)
    await probe.read("user/purchase/item", {"releaseId": ALBUM.id, "trackId": TRACK.id}, user="7")

    async def ids(**params):
        return [tree["id"] for tree in (await probe.read("user/locker", params, user="7"))["releases"]]

    assert await ids(sort="purchaseDate desc") == [ALBUM.id, ON_SALE.id]
    assert await ids(sort="purchaseDate") == [ON_SALE.id, ALBUM.id]
    assert await ids(sort="purchaseDate", page=2, pageSize=1) == [ALBUM.id]
    assert await ids(releaseId=ALBUM.id, trackId=TRACK.id) == [ALBUM.id]
    assert await ids(purchaseId=first["purchaseId"]) == [ON_SALE.id]
    assert await probe.code(probe.read("user/locker", {"purchaseId": "1"}, 404, user="7")) == 2001
    for params, code in (({"trackId": TRACK.id}, 1001), ({"releaseId": "x"}, 1002), ({"sort": "price"}, 1006)):
        assert await probe.code(probe.read("user/locker", params, 400, user="7")) == code


async def test_cards_pay_or_make_trouble(probe):
    buy = {"releaseId": ALBUM.id}

    async def register(number, **fields):
        card = {**CARD, "cardNumber": number, **fields}
        return await probe.send("user/payment/cardregistration", card, user="7")

    expired = await register(CARD["cardNumber"], expiryYear="2026")
    assert (expired["status"], expired["cardId"]) == ("failed", None)
    await register("4000000000000069")
    assert await probe.code(probe.read("user/purchase/item", buy, 400, user="7")) == 3001
    declined = await register("4000000000000002")
    assert await probe.code(probe.read("user/purchase/item", buy, 400, user="7")) == 3003
    assert await probe.code(probe.read("user/purchase/item", buy, 400, user="7")) == 3002
    assert (await probe.read("user/purchase/priceditem", {**buy, "price": "0"}, user="7"))["total"]["amount"] == 0
    await probe.send("user/payment/card/delete", {"cardId": declined["cardId"]}, user="7")
    sound = await register(CARD["cardNumber"])
    await probe.read("user/purchase/item", buy, user="7")
    cards = (await probe.read("user/payment/card", user="7"))["cards"]
    assert [card["cardId"] for card in cards if card["isDefault"]] == [sound["cardId"]]
    assert cards[-1] == {
        "cardId": sound["cardId"], "last4": "4444", "brand": "mastercard",
        "expiryMonth": 4, "expiryYear": 2031, "isDefault": True,
    }  # fmt: skip
    assert "555555" not in str(await probe.state())
    assert (
        await probe.code(probe.read(f"user/payment/cardregistration/{sound['registrationId']}", status=404, user="8"))
        == 2001
    )


async def test_users_exist_once_and_are_known_by_their_password(probe):
    signup = {"email": ADDRESS, "password": "right", "country": "DE"}
    user = await probe.send("user/signup", signup)
    assert (user["id"], user["country"], user["accessToken"]) == ("500001", "DE", "sandbox-token-500001")
    assert await probe.code(probe.send("user/signup", {**signup, "email": ADDRESS.upper()}, 409)) == 2003
    assert await probe.code(probe.read("user/create", {"email": ADDRESS}, 409)) == 2003
    assert await probe.code(probe.send("user/authenticate", {"email": ADDRESS, "password": "wrong"}, 401)) == 2001
    managed = await probe.read("user/create", {"email": "bob@example.com"})
    assert await probe.code(probe.send("user/authenticate", {"email": "bob@example.com", "password": ""}, 400)) == 1001
    update = {"firstName": "Bob", "email": ADDRESS}
    assert await probe.code(probe.send("users/500002/update", update, 409, user=managed["id"], method="PUT")) == 2003
    await probe.send("users/500002/update", {}, 403, user="7", method="PUT")
    assert [user["id"] for user in (await probe.read("users"))["users"]] == ["500001", "500002"]
    assert "right" not in str(await probe.state())


async def test_a_subscription_lasts_a_month(probe):
    path = "user/unlimitedStreaming"
    assert await probe.code(probe.read(path, status=404, user="7")) == 2001
    assert await probe.code(probe.send(path, {"userId": "7", "status": "cancelled"}, 404)) == 2001
    begun = await probe.send(path, {"userId": "7", "status": "active"})
    assert (begun["startDate"], begun["endDate"], begun["status"]) == ("2027-01-15", "2027-02-15", "active")
    assert (await probe.send(path, {"userId": "7", "status": "cancelled"}))["status"] == "cancelled"
    probe.clock.advance(32 * 86_400)
    assert (await probe.read(path, user="7"))["status"] == "expired"


@pytest.mark.parametrize(
    ("path", "params", "status", "code"),
    [
        ("release/byDate", {"fromDate": "2027-01-01"}, 400, 1002),
        ("release/chart", {"period": "decade"}, 400, 1006),
        ("release/recommend", {}, 400, 1001),
        ("release/recommend", {"releaseId": ALBUM.id, "artistId": ARTIST.id}, 400, 1002),
        ("release/search", {"q": "a", "type": "album,tape"}, 400, 1006),
        ("release/match/byId", {"id": "1"}, 404, 2001),
        ("release/bytag/new", {"tags": "polka"}, 404, 2001),
        ("artist/search", {"q": "a", "sort": "age"}, 400, 1006),
        ("artist/match/byId", {"id": "1"}, 404, 2001),
        ("track/match/byId", {"id": "1"}, 404, 2001),
        ("track/preview", {"trackId": TRACK.id, "redirect": "maybe"}, 400, 1006),
        ("translations", {"locale": "xx"}, 404, 2001),
        ("country/resolve", {"ip": "somewhere"}, 400, 1002),
        ("editorial/list", {"key": "no_such_list"}, 404, 2001),
        ("catalogue/artist-byurl", {"url": "artist"}, 400, 1002),
        ("catalogue/artist-byurl", {"url": "http://["}, 400, 1002),
        ("catalogue/release-byurl", {"url": f"https://shop.example/artist/{ARTIST.id}"}, 404, 2001),
        ("payment/voucher/details", {"voucherCode": "x"}, 404, 2001),
        ("basket", {"basketId": "00000000-0000-0000-0000-000000000000"}, 404, 2001),
        ("user/create", {"email": "nobody"}, 400, 1002),
        ("user/details", {"userId": "1"}, 404, 2001),
    ],
)
async def test_what_cannot_be_answered(probe, path, params, status, code):
    assert await probe.code(probe.read(path, params, status)) == code


@pytest.mark.parametrize(
    ("path", "params", "status", "code"),
    [
        ("item", {}, 400, 1001),
        ("rrpitem", {"trackId": TRACK.id}, 400, 1001),
        ("item", {"releaseId": ON_SALE.id, "trackId": TRACK.id}, 404, 2001),
        ("item", {"releaseId": PREORDER.id}, 404, 2002),
        ("item", {"releaseId": ON_SALE.id, "price": f"{ON_SALE.rrp_pence / 100}"}, 400, 3004),
        ("rrpitem", {"releaseId": ON_SALE.id, "price": f"{ON_SALE.pence / 100}"}, 400, 3004),
        ("priceditem", {"releaseId": ALBUM.id, "price": "-1"}, 400, 1003),
        ("priceditem", {"releaseId": ALBUM.id, "price": "0.999"}, 400, 1003),
        ("priceditem", {"releaseId": ALBUM.id, "price": "1,99"}, 400, 1002),
    ],
)
async def test_what_cannot_be_bought(probe, path, params, status, code):
    assert await probe.code(probe.read(f"user/purchase/{path}", params, status, user="7")) == code
    assert (await probe.state())["purchases"] == []


async def test_what_cannot_be_done_with_a_basket(probe):
    basket = await probe.basket(country="DE")
    at, apply = {"basketId": basket}, f"basket/applyVoucher?basketId={basket}"
    assert await probe.code(probe.read("basket", {**at, "country": "GB"}, 404)) == 2002
    assert await probe.code(probe.read("basket/addItem", {**at, "releaseId": PREORDER.id}, 404)) == 2002
    assert await probe.code(probe.read("basket/removeItem", {**at, "itemId": "1"}, 404)) == 2001
    assert await probe.code(probe.read("user/purchase/basket", at, 400, user="7")) == 1002
    assert await probe.code(probe.send(apply, {"voucherCode": "SUMMER25"}, 400)) == 3012
    await probe.read("basket/addItem", {**at, "releaseId": ALBUM.id})
    for unfit in ("NONE", "LONGAGO", "TAKEFIVE"):
        assert await probe.code(probe.send(apply, {"voucherCode": unfit}, 400)) == 3012
    paypal = f"basket/completepaypalpurchase?basketId={basket}"
    assert await probe.code(probe.send(paypal, {"payerId": "P", "token": "EC-0"}, 400, user="7")) == 3003


@pytest.mark.parametrize(
    ("path", "fields", "status", "code"),
    [
        ("cardregistration", {**CARD, "cardNumber": "5555555555554445"}, 400, 1002),
        ("cardregistration", {**CARD, "cardNumber": "9" * 16}, 400, 1002),
        ("cardregistration", {**CARD, "cvv": "12"}, 400, 1002),
        ("cardregistration", {**CARD, "expiryMonth": "13"}, 400, 1003),
        ("card/select", {"cardId": "card-9"}, 404, 2001),
        ("card/delete", {"cardId": "card-9"}, 404, 2001),
    ],
)
async def test_what_cannot_be_done_with_cards(probe, path, fields, status, code):
    assert await probe.code(probe.send(f"user/payment/{path}", fields, status, user="7")) == code


async def test_the_catalogue_answers_to_the_point(probe):
    async def ids(path, noun, **params):
        return [tree["id"] for tree in (await probe.read(path, {"pageSize": "100", **params}))[noun]]

    of_2003 = await ids("release/byDate", "releases", fromDate="20030101", toDate="20031231")
    assert of_2003 == [r.id for r in reversed(RELEASES) if r.release_date.year == 2003]
    tagged = await ids("release/bytag/new", "releases", tags="rock, 2000s")
    assert set(tagged) == {r.id for r in RELEASES if {"rock", "2000s"} <= {tag.id for tag in tags_of_release(r)}}
    assert await ids("release/bytag/top", "releases", tags="rock,polka") == []
    assert await ids("artist/search", "artists", q="the", sort="name") == list(
        reversed(await ids("artist/search", "artists", q="the", sort="name desc"))
    )
    assert ARTIST.id in await ids("artist/browse", "artists", letter="paper")
    assert ARTIST.id not in await ids("artist/similar", "artists", artistId=ARTIST.id)
    recommended = await ids("release/recommend", "releases", artistId=ARTIST.id)
    assert recommended == await ids("release/recommend", "releases", releaseId=ALBUM.id) != []
    preorders = await ids("editorial/list", "editorial", key="preorders")
    assert set(preorders) == {f"editorial-{r.id}" for r in RELEASES if r.release_date.year == 2099}
    countries = (await probe.read("countries"))["countries"]
    assert await probe.read("country/resolve", {"ip": "10.0.0.1"}) == countries[0]
    assert await probe.read("country/resolve", {"ip": "8.8.8.8"}) in countries
    tags = (await probe.read("tag"))["tags"]
    assert [tag["count"] for tag in tags] == sorted(RELEASE_COUNTS.values(), reverse=True)
    assert TAGS["ambient"].parent in {tag["id"] for tag in tags}


async def test_a_chart_has_places_and_tells_how_they_have_changed(probe):
    tree = await probe.read("track/chart", {"period": "week", "toDate": "20270110", "page": "2", "pageSize": "10"})
    assert (tree["totalItems"], [track["position"] for track in tree["tracks"]]) == (40, list(range(11, 21)))
    probe.accept = XML
    root = await probe.read("release/chart", {"period": "week", "toDate": "20270110"})
    assert [item.findtext("position") for item in root.iter("chartItem")] == [str(n) for n in range(1, 21)]
    assert root.findtext("chart/fromDate") == "2027-01-04T00:00:00Z"
    assert {item.findtext("release/type") for item in root.iter("chartItem")} == {"Album"}


def test_charts_follow_from_one_another():
    tracks = list(CATALOGUE.tracks.values())
    day = date(2027, 1, 10)
    now = chart(tracks, day, "week")
    before = {entry.item.id: entry.position for entry in chart(tracks, first_day(day, "week") - timedelta(1), "week")}
    assert now == chart(tracks, day, "week")
    assert len({entry.item.id for entry in now}) == 40
    for entry in now:
        was = before.get(entry.item.id)
        moved = {True: "Up", False: "Down"}[was is not None and was > entry.position]
        assert entry.change == ("New" if was is None else "Same" if was == entry.position else moved)
    assert {entry.change for entry in now} == {"Up", "Down", "New"}
