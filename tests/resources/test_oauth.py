"""A request token that is authorised by name and password, in the live dialect."""

import pytest
from support.oauth import is_signed
from support.rawserver import answer, raw_server

from sevendigital_async import (
    AuthenticationError,
    Dialect,
    InvalidArgumentError,
    SevenDigital,
    SevenDigitalError,
    UnsupportedOperationError,
)
from sevendigital_async.models import OAuthToken
from sevendigital_async.sandbox import DEMO_KEY, DEMO_SECRET, Sandbox

TOKEN = OAuthToken(token="req&uest", secret="s")


def client_of(base_url, dialect=Dialect.LIVE, credentials=("key", "secret")):
    return SevenDigital(*credentials, base_url=base_url, dialect=dialect)


@pytest.mark.parametrize("token", [TOKEN, TOKEN.user_token, TOKEN.token])
async def test_name_and_password_travel_in_a_signed_form(token):
    async with raw_server(answer('<response status="ok" version="1.2"/>')) as server:
        async with client_of(server.base_url) as client:
            await client.oauth.authorise(token, username="a+b@c.example", password="p&ss wörd", country="GB")
        [request] = server.requests
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /1.2/oauth/requestToken/authorise?country=GB HTTP/1.1")
    assert body == b"token=req%26uest&username=a%2Bb%40c.example&password=p%26ss%20w%C3%B6rd"
    assert is_signed(request, server.base_url, "secret")


async def test_from_a_password_to_a_locker():
    async with Sandbox() as sandbox, client_of(sandbox.base_url, credentials=(DEMO_KEY, DEMO_SECRET)) as client:
        await client.classic.user.signup(email="a@b.example", password="hunter2", country="GB")
        request = await client.oauth.request_token()
        for wrong in ({"username": "a@b.example", "password": "hunter3"}, {"username": "b", "password": "hunter2"}):
            with pytest.raises(AuthenticationError) as caught:
                await client.oauth.authorise(request, **wrong)
            assert "hunter" not in f"{caught.value} {caught.value!r}"
        with pytest.raises(AuthenticationError):
            await client.oauth.access_token(request)
        await client.oauth.authorise(request, username="A@b.example", password="hunter2")
        access = await client.oauth.access_token(request)
        assert not (await client.as_user(access.user_token).classic.user.locker(country="GB")).items
        with pytest.raises(AuthenticationError):
            await client.oauth.authorise(request, username="a@b.example", password="hunter2")


async def test_a_lost_response_is_not_repeated():
    async with raw_server(answer("oops", "503 Service Unavailable")) as server:
        async with client_of(server.base_url) as client:
            with pytest.raises(SevenDigitalError) as caught:
                await client.oauth.authorise(TOKEN, username="u", password="hunter2")
        assert len(server.requests) == 1
    assert caught.value.maybe_sent
    assert "hunter2" not in f"{caught.value} {caught.value!r}"


@pytest.mark.parametrize("argument", ["request_token", "username", "password"])
async def test_nothing_is_sent_without_all_three(argument):
    given = {"request_token": "t", "username": "u", "password": "p", argument: " "}
    async with raw_server(answer()) as server, client_of(server.base_url) as client:
        with pytest.raises(InvalidArgumentError) as caught:
            await client.oauth.authorise(**given)
    assert (caught.value.argument, server.requests) == (argument, [])


async def test_the_openapi_dialect_has_the_page_only():
    async with raw_server(answer()) as server, client_of(server.base_url, Dialect.OPENAPI) as client:
        with pytest.raises(UnsupportedOperationError, match="authorise_url"):
            await client.oauth.authorise("t", username="u", password="p")
    assert server.requests == []
