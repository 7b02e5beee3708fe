from urllib.parse import parse_qs, urlsplit

import pytest
from support.oauth import is_signed

from sevendigital_async import InvalidArgumentError, SevenDigital, UserToken

USER = UserToken("user-token", "user-secret")
ACCOUNT = "https://account.7digital.com"


def signed(url, token_secret=""):
    target = url.removeprefix(ACCOUNT)
    return is_signed(f"GET {target} HTTP/1.1\r\nHost: account.7digital.com".encode(), ACCOUNT, "secret", token_secret)


def test_the_page_to_add_a_card_signs_the_user_in():
    payment = SevenDigital("my key", "secret").as_user(USER).classic.payment
    url = payment.add_card_url(country="GB", lang="en", return_url="https://shop.example/back?x=1&y=2")
    parts = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{ACCOUNT}/my%20key/payment/addcard"
    assert (query["country"], query["lang"], query["returnUrl"]) == ("GB", "en", "https://shop.example/back?x=1&y=2")
    assert query["oauth_token"] == "user-token"
    assert signed(url, "user-secret")


def test_without_a_user_the_page_is_signed_by_the_partner():
    url = SevenDigital("key", "secret").classic.payment.cards_url()
    assert urlsplit(url).path == "/key/payment"
    assert "oauth_token=" not in url
    assert signed(url)


def test_a_country_that_is_none_is_refused():
    with pytest.raises(InvalidArgumentError, match="country"):
        SevenDigital("key", "secret").classic.payment.cards_url(country="Great Britain")
