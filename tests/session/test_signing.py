import re
from urllib.parse import parse_qsl, urlsplit

import pytest
from authlib.oauth1 import ClientAuth
from hypothesis import given
from hypothesis import strategies as st
from oauthlib.oauth1.rfc5849 import signature as oauthlib_signature

from sevendigital_async import Credentials, SignaturePlacement, UserToken
from sevendigital_async.session.request import Request, base_string, encode_pairs, new_nonce, sign

CREDENTIALS = Credentials("key", "s3cret&+ é")
USER = UserToken("tok/en+=~", "token secret/+%41")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
PAIRS = st.lists(st.tuples(TEXT.filter(lambda name: not name.startswith("oauth_")), TEXT), max_size=6).map(tuple)


def second_opinion(signed, form, user) -> str:
    """Compute the signature from what is on the wire, with oauthlib's own parsing."""
    params = oauthlib_signature.collect_parameters(
        uri_query=urlsplit(signed.url).query,
        body=signed.body.decode() if form is not None else [],
        headers={"Authorization": signed.headers["Authorization"]} if "Authorization" in signed.headers else None,
        exclude_oauth_signature=True,
    )
    base = oauthlib_signature.signature_base_string(
        signed.http_method,
        oauthlib_signature.base_string_uri(signed.url),
        oauthlib_signature.normalize_parameters(params),
    )

    class Client:
        client_secret = CREDENTIALS.consumer_secret
        resource_owner_secret = user.secret if user else None

    return oauthlib_signature.sign_hmac_sha1_with_client(base, Client)


def signature_sent(signed) -> str:
    if "Authorization" in signed.headers:
        return dict(
            oauthlib_signature.collect_parameters(
                headers={"Authorization": signed.headers["Authorization"]}, exclude_oauth_signature=False
            )
        )["oauth_signature"]
    return dict(parse_qsl(urlsplit(signed.url).query))["oauth_signature"]


@given(query=PAIRS, form=st.none() | PAIRS, three_legged=st.booleans(), placement=st.sampled_from(SignaturePlacement))
def test_oauthlib_computes_the_same_signature(query, form, three_legged, placement):
    user = USER if three_legged else None
    request = Request(
        "POST",
        "https://api.7digital.com/1.2/x%2Fy",
        query,
        form,
        None,
        "application/x-www-form-urlencoded" if form is not None else None,
    )
    signed = sign(request, CREDENTIALS, user, nonce=new_nonce(), timestamp=1_790_000_000, placement=placement)
    assert signature_sent(signed) == second_opinion(signed, form, user)


@given(query=PAIRS)
def test_what_is_sent_means_what_was_given(query):
    signed = sign(Request("GET", "https://h/p", query), CREDENTIALS, nonce="n", timestamp=1)
    assert tuple(parse_qsl(urlsplit(signed.url).query, keep_blank_values=True)) == query
    assert re.fullmatch(r"[\x21-\x7e]*", signed.url)


@pytest.mark.parametrize("placement", SignaturePlacement)
def test_authlib_agrees_on_an_ordinary_request(placement):
    query = (("q", "AC/DC (it's) 1,2 é"), ("country", "GB"))
    request = Request("GET", "https://api.7digital.com/1.2/release/search", query)
    signed = sign(request, CREDENTIALS, nonce="n0nce", timestamp=1_790_000_000, placement=placement)
    auth = ClientAuth("key", CREDENTIALS.consumer_secret)
    uri = f"{request.url}?{encode_pairs(query)}"
    header = (
        'OAuth oauth_consumer_key="key", oauth_nonce="n0nce", oauth_signature_method="HMAC-SHA1", '
        'oauth_timestamp="1790000000", oauth_version="1.0"'
    )
    assert signature_sent(signed) == auth.get_oauth_signature("GET", uri, {"Authorization": header}, "")


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://API.7digital.com:443/1.2/x", "https%3A%2F%2Fapi.7digital.com%2F1.2%2Fx"),
        ("http://127.0.0.1:80", "http%3A%2F%2F127.0.0.1%2F"),
        ("http://127.0.0.1:8080/a%2Fb", "http%3A%2F%2F127.0.0.1%3A8080%2Fa%252Fb"),
        ("http://[::1]:8080/a", "http%3A%2F%2F%5B%3A%3A1%5D%3A8080%2Fa"),
    ],
)
def test_the_base_string_names_the_url_as_rfc_5849_wants(url, base):
    assert base_string("GET", url, (("b", "2"), ("a", "1"))) == f"GET&{base}&a%3D1%26b%3D2"


def test_a_json_body_is_not_part_of_the_signature():
    def signature(body):
        request = Request("POST", "https://h/p", body=body, content_type="application/json")
        return signature_sent(sign(request, CREDENTIALS, nonce="n", timestamp=1))

    assert signature(b"{}") == signature(b'{"logs":[]}')


def test_nonces_do_not_repeat():
    assert len({new_nonce() for _ in range(1000)}) == 1000


def test_nothing_secret_shows_in_a_repr():
    request = Request("GET", "https://h/p", (("q", "x"),))
    for placement in SignaturePlacement:
        signed = sign(request, CREDENTIALS, USER, nonce="n", timestamp=1, placement=placement)
        shown = f"{signed!r} {CREDENTIALS!r} {USER!r}"
        for secret in (CREDENTIALS.consumer_secret, USER.token, USER.secret, signature_sent(signed)):
            assert secret not in shown
