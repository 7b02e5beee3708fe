"""The sandbox's signature check, against oauthlib, against the RFC's own example, and against tampering."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from oauthlib import oauth1
from oauthlib.common import urlencode
from support.probe import FORM, ManualClock, Probe, open_session
from support.rows import each_row

from sevendigital_async.config import Credentials, UserToken
from sevendigital_async.sandbox import DEMO_KEY, DEMO_SECRET, Sandbox
from sevendigital_async.sandbox.accounts import Accounts
from sevendigital_async.sandbox.oauth import OAuthError, SignedRequest, Verifier, base_string, parameters

NOW = 1_800_000_000
KEY, SECRET = "a key", "a&secret/é"
ACCOUNTS = Accounts(Credentials(KEY, SECRET), {"registered": UserToken("tök en", "tok&sec")})
PLACEMENTS = (oauth1.SIGNATURE_TYPE_AUTH_HEADER, oauth1.SIGNATURE_TYPE_QUERY)
UGLY = "q=AC%2FDC%20%28it%27s%29%201%2C2%20%C3%A9"


def verifier(**options):
    return Verifier(ACCOUNTS, **{"tolerance": 300.0, "allow_nonce_reuse": False} | options)


def signed(method, url, *, form=None, user=None, placement=PLACEMENTS[0], secret=SECRET, key=KEY, **options):
    """Sign with oauthlib; return the request as a server would see it."""
    token = ACCOUNTS.token_for(user) if user else None
    options.setdefault("timestamp", str(NOW))
    client = oauth1.Client(
        key,
        client_secret=secret,
        resource_owner_key=token and token.token,
        resource_owner_secret=token and token.secret,
        signature_type=placement,
        **options,
    )
    content_type = {"Content-Type": FORM} if form is not None else {}
    url, headers, body = client.sign(url, method, body=form, headers=content_type)
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    return SignedRequest(method, parts.netloc, target, headers.get("Authorization"), (body or "").encode())


@each_row("placement", PLACEMENTS)
@each_row("user", [None, "user-1", "Zoë & co/7", "registered"])
@each_row(
    ("method", "url", "form"),
    [
        ("GET", "http://127.0.0.1:8080/1.2/status", None),
        ("GET", f"http://127.0.0.1:8080/1.2/release/search?{UGLY}", None),
        ("GET", "http://localhost:80/1.2/release/search?q=a+b&q=a%20b&q=&q=b", None),
        ("GET", "http://EXAMPLE.local/path?b=2&a=1&a=0&A=3&%C3%A9=1&a%20b=c", None),
        ("GET", "http://[::1]:9000/playlists/a%2Fb%20c/details?x=~-._", None),
        ("POST", "http://127.0.0.1:8080/users?b=2", "b=1&email=a%2Bb%40c.de&name=Zo%C3%AB+Quill&empty="),
        ("PUT", "http://127.0.0.1:8080/users/1", "x=%7E&x=~&y=a%3Db%26c"),
        ("DELETE", "http://127.0.0.1:8080/1.2/a?plus=%2B&percent=%25", None),
    ],
)
def test_what_oauthlib_signs_is_accepted(method, url, form, user, placement):
    request = signed(method, url, form=form, user=user, placement=placement)
    assert verifier().verify(request, NOW) == user


def test_form_placement_is_accepted_as_well():
    request = signed("POST", "http://h/users", form="a=1", placement=oauth1.SIGNATURE_TYPE_BODY)
    assert request.authorization is None
    assert b"oauth_signature" in request.form
    assert verifier().verify(request, NOW) is None


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(st.lists(st.tuples(_TEXT.filter(lambda name: not name.startswith("oauth_")), _TEXT), max_size=6), st.booleans())
def test_any_parameters_signed_by_oauthlib_are_accepted(pairs, as_form):
    encoded = urlencode([(name or "n", value) for name, value in pairs])
    url = "http://127.0.0.1:8080/path"
    request = signed("POST", url, form=encoded) if as_form else signed("GET", f"{url}?{encoded}")
    assert verifier().verify(request, NOW) is None


def test_the_example_of_the_rfc():
    request = SignedRequest(
        "post",
        "EXAMPLE.COM:80",
        "/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b",
        'OAuth realm="Example", oauth_consumer_key="9djdj82h48djs9d2", oauth_token="kkk9d7dh3k39sjv7", '
        'oauth_signature_method="HMAC-SHA1", oauth_timestamp="137131201", oauth_nonce="7d8f3e4a", '
        'oauth_signature="bYT5CMsGcbgUdFHObYMEfcx6bsw%3D"',
        b"c2&a3=2+q",
    )
    assert base_string(request, parameters(request)) == (
        "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D"
        "%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3D"
        "HMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
    )


def test_the_photo_of_the_rfc():
    request = SignedRequest(
        "GET",
        "photos.example.net",
        "/photos?file=vacation.jpg&size=original",
        'OAuth realm="Photos", oauth_consumer_key="dpf43f3p2l4k3l03", oauth_token="nnch734d00sl2jdk", '
        'oauth_signature_method="HMAC-SHA1", oauth_timestamp="137131202", oauth_nonce="chapoH", '
        'oauth_signature="MdpQcU8iPSUjWoN%2FUDMsK2sui9I%3D"',
    )
    accounts = Accounts(
        Credentials("dpf43f3p2l4k3l03", "kd94hf93k423kf44"), {"jane": UserToken("nnch734d00sl2jdk", "pfkkdhi9sl3r4s00")}
    )
    assert Verifier(accounts, tolerance=300.0, allow_nonce_reuse=False).verify(request, 137131202.0) == "jane"


def _with_parameter(header, name, value):
    return re.sub(rf'\b{name}="[^"]*"', f'{name}="{value}"', header)


SOUND = {"method": "POST", "url": f"http://127.0.0.1:8080/users?{UGLY}&page=1", "form": "a=1&b=2", "user": "user-1"}


@each_row(
    ("change", "reason"),
    [
        ({"method": "PUT"}, "Signature"),
        ({"host": "127.0.0.1:8081"}, "Signature"),
        ({"target": f"/users?{UGLY}&page=2"}, "Signature"),
        ({"target": f"/users?{UGLY}"}, "Signature"),
        ({"target": f"/Users?{UGLY}&page=1"}, "Signature"),
        ({"target": f"/users?{UGLY}&page=1&page=1"}, "Signature"),
        ({"form": b"a=1&b=3"}, "Signature"),
        ({"form": b""}, "Signature"),
        ({"authorization": None}, "not signed"),
        ({"authorization": "Basic YTpi"}, "not signed"),
        ({"authorization": 'OAuth oauth_nonce="1" rubbish'}, "malformed"),
    ],
)
def test_a_changed_request_is_refused(change, reason):
    request = signed(**SOUND)
    assert verifier().verify(request, NOW) == "user-1"
    with pytest.raises(OAuthError, match=reason):
        verifier().verify(evolve(request, **change), NOW)


@each_row(
    ("name", "value", "reason"),
    [
        ("oauth_signature", "bm90IHRoZSBzaWduYXR1cmU%3D", "Signature"),
        ("oauth_signature", "%C3%A9", "Signature"),
        ("oauth_signature", "", "lacks oauth_signature"),
        ("oauth_nonce", "other", "Signature"),
        ("oauth_token", "sandbox-token-user-2", "Signature"),
        ("oauth_token", "nobody's", "Access token"),
        ("oauth_token", "sandbox-token-", "Access token"),
        ("oauth_consumer_key", "other", "Consumer key"),
        ("oauth_signature_method", "PLAINTEXT", "HMAC-SHA1"),
        ("oauth_version", "2.0", "version 1.0"),
        ("oauth_timestamp", "soon", "Timestamp"),
        ("oauth_timestamp", "-1", "Timestamp"),
    ],
)
def test_a_changed_protocol_parameter_is_refused(name, value, reason):
    request = signed(**SOUND)
    header = _with_parameter(request.authorization, name, value)
    assert header != request.authorization
    with pytest.raises(OAuthError, match=reason):
        verifier().verify(evolve(request, authorization=header), NOW)


@pytest.mark.parametrize("wrong", [{"secret": "other"}, {"key": "other"}])
def test_wrong_credentials_are_refused(wrong):
    with pytest.raises(OAuthError, match="refused"):
        verifier().verify(signed("GET", "http://h/p", **wrong), NOW)


def test_a_protocol_parameter_given_twice_is_refused():
    request = signed("GET", "http://h/p", placement=oauth1.SIGNATURE_TYPE_QUERY)
    with pytest.raises(OAuthError, match="more than once"):
        verifier().verify(evolve(request, target=request.target + "&oauth_nonce=1"), NOW)


@pytest.mark.parametrize(("offset", "accepted"), [(-301, False), (-300, True), (300, True), (301, False)])
def test_the_timestamp_must_be_near(offset, accepted):
    request = signed("GET", "http://h/p", timestamp=str(NOW + offset))
    if accepted:
        assert verifier().verify(request, NOW) is None
    else:
        with pytest.raises(OAuthError, match="Timestamp"):
            verifier().verify(request, NOW)


def test_a_nonce_works_once():
    sound = verifier()
    request = signed("GET", "http://h/p", nonce="n")
    sound.verify(request, NOW)
    with pytest.raises(OAuthError, match="Nonce"):
        sound.verify(request, NOW)
    sound.verify(signed("GET", "http://h/p", nonce="n", timestamp=str(NOW + 1)), NOW)
    sound.verify(signed("GET", "http://h/p", nonce="n", user="user-1"), NOW)
    lenient = verifier(allow_nonce_reuse=True)
    assert [lenient.verify(request, NOW) for _ in range(3)] == [None] * 3


def test_a_forged_request_spends_no_nonce():
    sound = verifier()
    request = signed("GET", "http://h/p")
    with pytest.raises(OAuthError, match="Signature"):
        sound.verify(evolve(request, target="/q"), NOW)
    assert sound.verify(request, NOW) is None


def test_the_memory_for_nonces_is_bounded_by_the_tolerance():
    sound = verifier(tolerance=10.0)
    for second in range(100):
        sound.verify(signed("GET", "http://h/p", timestamp=str(NOW + second)), NOW + second)
        assert len(sound._spent) <= 11


def test_no_secret_in_a_repr():
    request = signed(**SOUND, placement=oauth1.SIGNATURE_TYPE_AUTH_HEADER)
    assert "signature" not in repr(request)
    assert SECRET not in repr(ACCOUNTS)


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize("user", [None, "user-1", "Zoë & co/7"])
async def test_over_http_in_header_and_query(placement, user):
    async with Sandbox() as sandbox, open_session() as session:
        probe = Probe(sandbox, session)
        async with probe.request("GET", f"/1.2/release/search?{UGLY}", user=user, signature_type=placement) as answer:
            assert answer.status == 200, await answer.text()


async def test_refusals_are_plain_text_and_say_why():
    clock = ManualClock()
    async with Sandbox(clock=clock) as sandbox, open_session() as session:
        probe = Probe(sandbox, session, clock)

        async def refusal(**signing):
            async with probe.get("/1.2/status", **signing) as answer:
                assert answer.status == 401
                assert answer.content_type == "text/plain"
                text = await answer.text()
                assert text.startswith("OAuth authentication error: ")
                return text, answer.headers

        for wrong in ({"secret": "x"}, {"key": "x"}, {"token": UserToken("x", "x")}):
            text, _ = await refusal(**wrong)
            assert "timestamp" not in text.lower()
        text, headers = await refusal(timestamp=str(int(clock.time()) - 3600))
        assert "timestamp" in text.lower()
        assert parsedate_to_datetime(headers["Date"]).timestamp() == clock.time()
        async with session.get(sandbox.base_url + "/1.2/status") as answer:
            assert answer.status == 401


async def test_a_repeated_request_is_refused_over_http():
    async with Sandbox() as sandbox, open_session() as session:
        probe = Probe(sandbox, session)
        logs = [probe.play()]
        async with probe.post("preview", logs, nonce="n", timestamp=None) as answer:
            assert answer.status == 202
            spent = answer.request_info.headers["Authorization"]
        async with session.post(
            f"{sandbox.base_url}/logging/preview", json={"logs": logs}, headers={"Authorization": spent}
        ) as answer:
            assert answer.status == 401
            assert "Nonce" in await answer.text()


async def test_operations_of_users_want_a_users_token():
    async with Sandbox() as sandbox, open_session() as session:
        probe = Probe(sandbox, session)
        for kind in ("catalogue", "subscriber"):
            async with probe.post(kind, [probe.play()]) as answer:
                assert answer.status == 401
                assert (await answer.text()).startswith("OAuth authentication error: ")
            async with probe.post(kind, [probe.play()], user="user-1") as answer:
                assert answer.status == 202
    async with Sandbox(managed_users=True) as sandbox, open_session() as session:
        probe = Probe(sandbox, session)
        async with probe.post("subscriber", [probe.play(userId="anybody")]) as answer:
            assert answer.status == 202


async def test_tokens_derived_and_registered():
    own = UserToken("own-token", "own-secret")
    async with Sandbox(tokens={"user-1": own}) as sandbox, open_session() as session:
        assert sandbox.credentials == Credentials(DEMO_KEY, DEMO_SECRET)
        assert sandbox.token_for("user-1") == own
        assert sandbox.token_for("user-2") == UserToken("sandbox-token-user-2", "sandbox-secret-user-2")
        probe = Probe(sandbox, session)
        for user in ("user-1", "user-2"):
            async with probe.post("catalogue", [probe.play(userId=user)], user=user) as answer:
                assert answer.status == 202
        assert [received.user for received in sandbox.received()] == ["user-1", "user-2"]
