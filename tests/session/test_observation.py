"""Hooks see what was sent, without secrets; what they do changes nothing."""

import asyncio
import logging

import pytest
from support.rawserver import HANG_UP, answer, raw_server
from support.rows import each_row

from sevendigital_async import (
    NO_RETRY,
    ConfigurationError,
    Dialect,
    DisconnectedError,
    RequestInfo,
    ResponseCache,
    ResponseInfo,
    RetryPolicy,
    SevenDigital,
    SignaturePlacement,
    UserToken,
)
from sevendigital_async.operations import Binding, Operation, ParameterLocation, Safety
from sevendigital_async.operations.operation import parameter
from sevendigital_async.session.scrubbing import scrubbed_target, scrubbed_url

SECRETS = ("the-secret", "user-token", "user-secret", "u-1234", 'oauth_signature="', "jane", "s3cret", 'nonce="')
RETRY = RetryPolicy(attempts=3, base=0, cap=0)


def operation(safety=Safety.READ, http_method="GET"):
    return Operation(
        id="thing",
        name="test.thing",
        summary="",
        safety=safety,
        bindings={
            Dialect.OPENAPI: Binding(
                http_method,
                "/users/{userId}/release/{releaseId}",
                (
                    parameter("user_id", ParameterLocation.PATH),
                    parameter("release_id", ParameterLocation.PATH),
                    parameter("q"),
                    parameter("country"),
                ),
            )
        },
    )


ARGUMENTS = {"user_id": "u-1234", "release_id": 7, "q": "jane doe", "country": "GB"}


class Hooks:
    def __init__(self):
        self.requests = []
        self.responses = []

    def client(self, raw, **options):
        return SevenDigital(
            "the-key",
            "the-secret",
            base_url=raw.base_url,
            on_request=self.requests.append,
            on_response=self.responses.append,
            **{"retry": RETRY, **options},
        )


@pytest.mark.parametrize("signature", SignaturePlacement)
async def test_each_request_is_reported_without_secrets(signature):
    hooks = Hooks()
    script = [
        answer("", "503 Busy", Set_Cookie="s3cret"),
        answer(b"{}", X_Cache="HIT", Content_Type="application/json"),
    ]
    async with raw_server(*script) as raw, hooks.client(raw, signature=signature) as client:
        view = client.as_user(UserToken("user-token", "user-secret")).with_options(
            trace_id="trace-1", headers={"X-Forwarded-For": "s3cret", "Range": "bytes=0-"}
        )
        await view.call(operation(), **ARGUMENTS)
        first, second = hooks.requests
        url = f"{raw.base_url}/users/REDACTED/release/7?q=REDACTED&country=GB"
        assert first.url.startswith(url)
        assert "oauth_nonce=REDACTED&" in first.url or signature is SignaturePlacement.HEADER
        assert (first.operation, first.attempt, first.http_method) == ("test.thing", 1, "GET")
        assert (second.attempt, second.is_redirect) == (2, False)
        assert first.url_template == "/users/{userId}/release/{releaseId}"
        assert first.headers["X-Forwarded-For"] == "REDACTED"
        assert (first.headers["Range"], first.headers["x-7d-traceid"]) == ("bytes=0-", "trace-1")
    assert [info.request for info in hooks.responses] == hooks.requests
    assert [(info.status, info.error) for info in hooks.responses] == [(503, None), (200, None)]
    assert hooks.responses[0].headers["set-cookie"] == "REDACTED"
    assert hooks.responses[1].headers["x-cache"] == "HIT"
    assert all(0 <= info.seconds < 10 for info in hooks.responses)
    shown = repr([hooks.requests, hooks.responses])
    assert not [secret for secret in SECRETS if secret in shown]


async def test_a_request_without_an_answer_is_reported_with_its_error():
    hooks = Hooks()
    async with raw_server(HANG_UP) as raw, hooks.client(raw) as client:
        with pytest.raises(DisconnectedError):
            await client.call(operation(Safety.UNSAFE, "POST"), **ARGUMENTS)
        assert len(raw.requests) == 1
    [info] = hooks.responses
    assert (info.status, info.error, info.headers) == (None, "DisconnectedError", {})


async def test_a_cancelled_request_is_reported():
    hooks = Hooks()
    arrived = asyncio.Event()

    async def silent(reader, writer, request):
        arrived.set()
        await asyncio.Event().wait()

    async with raw_server(silent) as raw, hooks.client(raw) as client:
        task = asyncio.create_task(client.call(operation(), **ARGUMENTS))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert [info.error for info in hooks.responses] == ["CancelledError"]


def refuse(info):
    raise DisconnectedError(f"the hook's own, of {type(info).__name__}")


def cancel(info):
    raise asyncio.CancelledError


@pytest.mark.parametrize("hook", [refuse, cancel])
@pytest.mark.parametrize("name", ["on_request", "on_response"])
@pytest.mark.parametrize("safety", Safety)
async def test_a_hook_that_raises_changes_nothing_and_is_logged_once(caplog, hook, name, safety):
    async with raw_server(answer(b"{}", Content_Type="application/json")) as raw:
        async with SevenDigital("key", "secret", base_url=raw.base_url, retry=RETRY, **{name: hook}) as client:
            assert await client.call(operation(safety), **ARGUMENTS) is None
            assert await client.call(operation(safety), **ARGUMENTS) is None
        assert len(raw.requests) == 2
    [line] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert line.getMessage() == f"{name} raised; its further errors are not logged"
    assert line.exc_info


async def test_a_hook_that_returns_an_awaitable_is_logged(caplog):
    async def late(info):
        raise AssertionError

    future = asyncio.get_running_loop().create_future()
    async with raw_server(answer(b"{}", Content_Type="application/json")) as raw:
        options = {
            "on_request": lambda info: late(info),  # noqa: PLW0108 - an async function itself would be refused
            "on_response": lambda info: future,
        }
        async with SevenDigital("key", "secret", base_url=raw.base_url, **options) as client:
            assert await client.call(operation(), **ARGUMENTS) is None
    assert future.cancelled()
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR] == [
        "on_request is async and was not awaited; pass a plain function; its further errors are not logged",
        "on_response is async and was not awaited; pass a plain function; its further errors are not logged",
    ]


@pytest.mark.parametrize("name", ["on_request", "on_response"])
async def test_a_hook_may_end_the_process(name):
    def leave(info):
        raise SystemExit(3)

    async with raw_server(answer(b"{}", Content_Type="application/json")) as raw:
        async with SevenDigital("key", "secret", base_url=raw.base_url, retry=RETRY, **{name: leave}) as client:
            with pytest.raises(SystemExit):
                await client.call(operation(), **ARGUMENTS)
        assert len(raw.requests) == (name == "on_response")


async def late_hook(info):
    raise AssertionError


@pytest.mark.parametrize("options", [{"on_request": late_hook}, {"on_response": 3}, {"tracer": object()}])
def test_what_can_not_be_called_is_refused(options):
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        SevenDigital("key", "secret", **options)


async def test_an_answer_from_the_cache_sends_nothing():
    hooks = Hooks()
    fresh = answer(b"{}", Content_Type="application/json", Cache_Control="max-age=60")
    async with raw_server(fresh) as raw, hooks.client(raw, cache=ResponseCache()) as client:
        for _ in range(2):
            await client.call(operation(), **ARGUMENTS)
    assert len(hooks.requests) == len(hooks.responses) == 1


async def test_raw_calls_and_signing_inside_a_hook():
    urls = []
    async with raw_server(answer(b"words")) as raw:
        async with SevenDigital(
            "key",
            "secret",
            base_url=raw.base_url,
            retry=NO_RETRY,
            on_request=lambda info: urls.append(
                (info.url, client.sign_url(operation(), user_id="other", release_id=9))
            ),
        ) as client:
            assert await client.raw(operation(), **ARGUMENTS) == b"words"
    [(url, _)] = urls
    assert "/release/7?" in url


@each_row(
    ("url", "template", "scrubbed"),
    [
        ("https://a.example/1.2/x", "/x", "https://a.example/1.2/x"),
        ("https://a.example/1.2/x?page=1", "/x", "https://a.example/1.2/x?page=1"),
        ("https://a.example/1.2/x?flag&q=a", "/x", "https://a.example/1.2/x?flag&q=REDACTED"),
        ("https://a.example/p/users/ab%2Fc/x", "/users/{userId}/x", "https://a.example/p/users/REDACTED/x"),
        ("https://a.example/track/7", "/track/{trackId}", "https://a.example/track/7"),
        ("https://a.example/u-7/x", "/u-{userId}/x", "https://a.example/REDACTED/x"),
        ("https://a.example/u/7", "/a/b/u/{userId}", "https://a.example/REDACTED"),
        ("https://a.example/u/7", "{userId}", "https://a.example/REDACTED"),
        (
            "https://a.example/x?%6Fauth_token=a&userid=b",
            "/x",
            "https://a.example/x?%6Fauth_token=REDACTED&userid=REDACTED",
        ),
        ("https://a.example/x?track%49d=5", "/x", "https://a.example/x?track%49d=5"),
        ("https://a.example/x?mbIds=a&sevenDigitalIds=1,2", "/x", "https://a.example/x?mbIds=a&sevenDigitalIds=1,2"),
    ],
)
def test_urls_are_scrubbed(url, template, scrubbed):
    assert scrubbed_url(url, template) == scrubbed


@pytest.mark.parametrize("url", ["https://cdn.example/a/b?sig=1", "https://cdn.example", "https://cdn.example?sig=/1"])
def test_of_a_redirects_target_the_host_is_shown(url):
    assert scrubbed_target(url) == "https://cdn.example/REDACTED"


def test_both_values_can_be_compared():
    info = RequestInfo(
        operation="a.b", attempt=1, is_redirect=False, http_method="GET", url="u", url_template=None, headers={}
    )
    assert ResponseInfo(request=info, status=200, headers={}, seconds=0.1).error is None
