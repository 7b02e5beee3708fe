"""One call on its way, seen from the other end of the wire."""

import asyncio
import re
import traceback
from email.utils import formatdate

import aiohttp
import pytest
from support.clock import EPOCH, VirtualClock
from support.oauth import is_signed
from support.rawserver import HANG_UP, answer, raw_server

from sevendigital_async import (
    NO_RETRY,
    APIError,
    AuthenticationError,
    ConfigurationError,
    ConnectError,
    DecodeError,
    DisconnectedError,
    InvalidArgumentError,
    NotFoundError,
    RateLimitError,
    RedirectError,
    RequestTimeoutError,
    ResponseTooLargeError,
    RetryPolicy,
    ServerError,
    Settings,
    SevenDigital,
    SevenDigitalError,
    SignaturePlacement,
    Timeout,
    UserToken,
)
from sevendigital_async.config import Dialect
from sevendigital_async.models import Release
from sevendigital_async.operations import Auth, Binding, Content, Operation, ParameterLocation, Safety
from sevendigital_async.operations.operation import parameter

SECRET = "very-secret-consumer-secret"
USER = UserToken("very-secret-token", "very-secret-token-secret")
RELEASE = answer('{"status":"ok","release":{"id":"1","title":"One"}}', Content_Type="application/json")
BUSY = answer("", "503 Service Unavailable")


def operation(safety=Safety.READ, *, method="GET", model=Release, auth=Auth.THREE_LEGGED, **more):
    place = ParameterLocation.FORM if method == "POST" else ParameterLocation.QUERY
    binding = Binding(method, "/1.2/thing", (parameter("q", place),))
    return Operation(
        id="doThing",
        name="test.do_thing",
        summary="",
        safety=safety,
        model=model,
        auth=auth,
        bindings={Dialect.OPENAPI: binding},
        **more,
    )


def nonces(raw):
    return [re.search(rb'oauth_nonce="?(\w+)', request)[1] for request in raw.requests]


@pytest.fixture
def clock():
    return VirtualClock()


def client_for(raw, clock=None, **options):
    return SevenDigital("key", SECRET, base_url=raw.base_url, clock=clock, **options)


async def outcome(clock, client, *args, **kwargs):
    """Make a call on virtual time and return what came of it, an error included."""

    async def call():
        async with client:
            try:
                return await client.call(*args, **kwargs)
            except SevenDigitalError as error:
                return error

    return await clock.run(call())


# -- repetition: counted where it matters, at the server --


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
async def test_an_unsafe_call_whose_connection_breaks_arrives_exactly_once(clock, method):
    async with raw_server(HANG_UP, RELEASE) as raw:
        error = await outcome(clock, client_for(raw, clock), operation(Safety.UNSAFE, method=method), q="x")
    assert len(raw.requests) == 1
    assert isinstance(error, DisconnectedError)
    assert error.maybe_sent
    assert error.operation == "test.do_thing"


async def test_also_on_a_connection_that_was_kept_alive(clock):
    async with raw_server(RELEASE, HANG_UP, RELEASE) as raw, client_for(raw) as client:
        await client.call(operation(Safety.UNSAFE))
        with pytest.raises(DisconnectedError):
            await client.call(operation(Safety.UNSAFE))
    assert len(raw.requests) == 2


@pytest.mark.parametrize("safety", [Safety.READ, Safety.IDEMPOTENT])
@pytest.mark.parametrize(
    "failure",
    [
        HANG_UP,
        BUSY,
        answer("<html>bad gateway</html>", "502 Bad Gateway"),
        answer('{"status":"error","error":{"code":7003,"message":"timed out"}}'),
        answer('<response status="error"><error code="9001"><errorMessage>x</errorMessage></error></response>'),
        answer("half", "200 OK").replace(b"Content-Length: 4", b"Content-Length: 400"),
    ],
    ids=["hang-up", "503", "html-502", "7003", "xml-9001", "short-body"],
)
async def test_a_safe_call_is_repeated_with_a_fresh_signature(clock, safety, failure):
    async def cut_short(_, writer, __):
        writer.write(failure)
        await writer.drain()

    first = cut_short if failure is not HANG_UP and b"400" in failure else failure
    async with raw_server(first, RELEASE) as raw:
        release = await outcome(clock, client_for(raw, clock), operation(safety))
    assert release.title == "One"
    assert len(set(nonces(raw))) == len(raw.requests) == 2


@pytest.mark.parametrize(
    "failure",
    [
        BUSY,
        answer('{"error":{"code":9001,"message":"x"}}', "500 Internal Server Error"),
        answer("no", "400 Bad Request"),
    ],
)
async def test_an_unsafe_call_is_not_repeated_on_an_error_answer(clock, failure):
    async with raw_server(failure, RELEASE) as raw:
        error = await outcome(clock, client_for(raw, clock), operation(Safety.UNSAFE))
    assert len(raw.requests) == 1
    assert error.maybe_sent is isinstance(error, ServerError)


@pytest.mark.parametrize("safety", Safety)
async def test_a_429_is_repeated_whatever_the_safety_for_it_surely_did_nothing(clock, safety):
    async with raw_server(answer("", "429 Too Many Requests", Retry_After="7"), RELEASE) as raw:
        release = await outcome(clock, client_for(raw, clock), operation(safety))
    assert release.id == "1"
    assert clock.elapsed == 7
    assert len(set(nonces(raw))) == 2


@pytest.mark.parametrize("safety", Safety)
async def test_a_refused_connection_is_repeated_whatever_the_safety(clock, safety):
    async with raw_server(RELEASE) as raw:
        pass
    error = await outcome(clock, client_for(raw, clock, retry=RetryPolicy(attempts=3)), operation(safety))
    assert isinstance(error, ConnectError)
    assert not error.maybe_sent
    assert clock.elapsed > 0


async def test_attempts_are_bounded_and_so_is_the_last_word(clock):
    async with raw_server(BUSY) as raw:
        error = await outcome(clock, client_for(raw, clock, retry=RetryPolicy(attempts=3)), operation())
    assert len(raw.requests) == 3
    assert isinstance(error, ServerError)
    assert error.status == 503


async def test_retries_can_be_switched_off_for_a_call(clock):
    async with raw_server(BUSY) as raw, client_for(raw, clock) as client:
        with pytest.raises(ServerError):
            await client.with_options(retry=NO_RETRY).call(operation())
    assert len(raw.requests) == 1


async def test_the_deadline_ends_a_call(clock):
    policy = RetryPolicy(attempts=1000, base=4, cap=4, deadline=60)
    async with raw_server(BUSY) as raw:
        error = await outcome(clock, client_for(raw, clock, retry=policy), operation())
    assert isinstance(error, ServerError)
    assert clock.elapsed < 60
    assert 15 <= len(raw.requests) < 200


async def test_a_wait_longer_than_max_wait_is_not_cut_short_but_raised(clock):
    async with raw_server(answer("", "429 Too Many Requests", Retry_After="61"), RELEASE) as raw:
        error = await outcome(clock, client_for(raw, clock, max_wait=60), operation())
    assert isinstance(error, RateLimitError)
    assert error.retry_after == 61
    assert len(raw.requests) == 1
    assert clock.elapsed == 0


@pytest.mark.parametrize(
    ("value", "waited"),
    [("3", 3), ("1.5", 1.5), (formatdate(EPOCH + 20, usegmt=True), 20), (formatdate(EPOCH - 20, usegmt=True), 0)],
)
async def test_retry_after_comes_in_several_forms(clock, value, waited):
    async with raw_server(answer("", "503 Busy", Retry_After=value), RELEASE) as raw:
        await outcome(clock, client_for(raw, clock), operation())
    assert len(raw.requests) == 2
    assert clock.elapsed == pytest.approx(waited)


@pytest.mark.parametrize("value", ["inf", "nan", "-5", "soon", ""])
async def test_a_retry_after_that_makes_no_sense_is_left_to_the_back_off(clock, value):
    async with raw_server(answer("", "503 Busy", Retry_After=value), RELEASE) as raw:
        await outcome(clock, client_for(raw, clock), operation())
    assert len(raw.requests) == 2
    assert clock.elapsed <= 0.5


# -- clock skew --


def skewed(message, date):
    return answer(message, "401 Unauthorized", Date=date)


@pytest.mark.parametrize("safety", Safety)
async def test_a_refused_timestamp_teaches_the_offset_and_is_tried_once_more(clock, safety):
    server_time = formatdate(EPOCH + 3600, usegmt=True)
    refusal = skewed("OAuth authentication error: Timestamp out of range", server_time)
    async with raw_server(refusal, RELEASE) as raw:
        release = await outcome(clock, client_for(raw, clock, retry=NO_RETRY), operation(safety))
    assert release.id == "1"
    stamps = [int(re.search(rb'oauth_timestamp="(\d+)', request)[1]) for request in raw.requests]
    assert stamps[1] - stamps[0] == 3600


async def test_a_timestamp_refused_for_good_does_not_go_on_for_ever(clock):
    refusal = skewed("OAuth authentication error: bad timestamp", formatdate(EPOCH + 3600, usegmt=True))
    async with raw_server(refusal) as raw:
        error = await outcome(clock, client_for(raw, clock), operation())
    assert len(raw.requests) == 2
    assert isinstance(error, AuthenticationError)


@pytest.mark.parametrize("date", ["", "yesterday", formatdate(EPOCH, usegmt=True)])
async def test_a_refusal_that_teaches_nothing_is_not_repeated(clock, date):
    async with raw_server(skewed("OAuth authentication error: bad timestamp", date)) as raw:
        error = await outcome(clock, client_for(raw, clock), operation())
    assert len(raw.requests) == 1
    assert isinstance(error, AuthenticationError)
    assert "timestamp" in str(error)


# -- quota --


def quota(limit, used, reset):
    return {"X_RateLimit_Limit": limit, "X_RateLimit_Current": used, "X_RateLimit_Reset": reset}


async def test_the_quota_is_read_from_every_answer(clock):
    ok = answer('{"release":{"id":"1"}}', **quota("4000", "100", "3600"))
    bad = answer("nothing", "404 Not Found", **quota("4000", "101", "3599"))
    nonsense = answer('{"release":{"id":"1"}}', **quota("many", "-1", "soon"))
    async with raw_server(ok, bad, nonsense) as raw, client_for(raw, clock) as client:
        assert client.rate_limit.remaining is None
        await client.call(operation())
        assert (client.rate_limit.limit, client.rate_limit.used, client.rate_limit.remaining) == (4000, 100, 3900)
        clock.elapsed += 100
        assert client.rate_limit.resets_in == 3500
        with pytest.raises(NotFoundError) as caught:
            await client.call(operation())
        assert caught.value.rate_limit.used == 101
        await client.as_user(USER).call(operation())
        assert client.rate_limit.used == 101


async def test_a_spent_quota_makes_the_next_call_wait_or_raise(clock):
    spent = answer('{"release":{"id":"1"}}', **quota("10", "12", "50"))
    for max_wait, requests in ((60, 2), (49, 1)):
        clock = VirtualClock()
        async with raw_server(spent, RELEASE) as raw:
            client = client_for(raw, clock, max_wait=max_wait)

            async def twice(client=client):
                async with client:
                    await client.call(operation())
                    assert client.rate_limit.remaining == 0
                    await client.call(operation())

            if requests == 2:
                await clock.run(twice())
                assert clock.elapsed == 50
            else:
                with pytest.raises(RateLimitError) as caught:
                    await clock.run(twice())
                assert caught.value.retry_after == 50
                assert not caught.value.maybe_sent
            assert len(raw.requests) == requests


# -- what is signed is what is sent --


@pytest.mark.parametrize("placement", SignaturePlacement)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_awkward_text_arrives_as_it_was_signed(placement, method):
    async with raw_server(RELEASE) as raw, client_for(raw, signature=placement) as client:
        await client.call(operation(method=method, auth=Auth.TWO_LEGGED), q="AC/DC (it's) 1,2 é")
    assert is_signed(raw.requests[0], raw.base_url, SECRET)
    head, _, body = raw.requests[0].partition(b"\r\n\r\n")
    sent = body if method == "POST" else head.split()[1]
    assert b"q=AC%2FDC%20%28it%27s%29%201%2C2%20%C3%A9" in sent


async def test_only_three_legged_operations_carry_the_users_token():
    async with raw_server(RELEASE) as raw, client_for(raw) as client:
        for auth in Auth:
            await client.as_user(USER).call(operation(auth=auth))
        await client.call(operation(auth=Auth.THREE_LEGGED))
    assert [USER.token.encode() in request for request in raw.requests] == [False, False, True, False]


# -- redirects --


async def test_a_redirect_of_an_ordinary_call_is_an_error_not_a_journey():
    async with raw_server(RELEASE) as elsewhere:
        moved = answer("", "302 Found", Location=f"{elsewhere.base_url}/x?oauth_signature=abc")
        async with raw_server(moved) as raw, client_for(raw) as client:
            with pytest.raises(RedirectError) as caught:
                await client.call(operation())
    assert elsewhere.requests == []
    assert "abc" not in str(caught.value)


async def test_a_media_redirect_is_followed_without_our_signature():
    async with raw_server(RELEASE) as elsewhere:
        moved = answer("", "302 Found", Location=f"{elsewhere.base_url}/cdn/clip?token=1%2F2")
        async with raw_server(moved) as raw, client_for(raw) as client:
            await client.as_user(USER).call(operation(content=Content.TEXT))
    assert elsewhere.requests[0].startswith(b"GET /cdn/clip?token=1%2F2 HTTP/1.1")
    assert b"oauth" not in elsewhere.requests[0].lower()
    assert USER.token.encode() not in elsewhere.requests[0]


async def test_a_redirect_to_the_error_url_is_that_error():
    location = "https://errors.example/x?errorCode=2001&errorMsg=Track+not+found"
    async with raw_server(answer("", "302 Found", Location=location)) as raw, client_for(raw) as client:
        with pytest.raises(NotFoundError, match="Track not found") as caught:
            await client.call(operation(content=Content.TEXT))
    assert caught.value.code == 2001


@pytest.mark.parametrize("location", ["http://example.com/x", "ftp://127.0.0.1/x", "https://user:pw@example.com/"])
async def test_a_redirect_to_an_unsafe_place_is_not_followed(location):
    async with raw_server(answer("", "302 Found", Location=location)) as raw, client_for(raw) as client:
        with pytest.raises(RedirectError, match="Location can't be used"):
            await client.call(operation(content=Content.TEXT))


async def test_redirects_in_a_circle_come_to_an_end():
    async with raw_server(answer("", "302 Found", Location="/again")) as raw, client_for(raw) as client:
        with pytest.raises(RedirectError, match="redirect loop"):
            await client.call(operation(content=Content.TEXT))


# -- answers --


async def test_the_timeout_covers_the_body():
    async def trickle(_, writer, __):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(100):
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with raw_server(trickle) as raw, client_for(raw, timeout=Timeout(total=0.3), retry=NO_RETRY) as client:
        with pytest.raises(RequestTimeoutError) as caught:
            await client.call(operation())
    assert caught.value.maybe_sent
    assert isinstance(caught.value, TimeoutError)


async def test_an_answer_without_end_is_not_read_to_its_end():
    sent = 0

    async def flood(_, writer, __):
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        for _ in range(1000):
            writer.write(b"x" * 100_000)
            sent += 100_000
            await writer.drain()

    async with raw_server(flood) as raw, client_for(raw, settings=Settings(max_response_bytes=1_000_000)) as client:
        with pytest.raises(ResponseTooLargeError, match="1000000 bytes"):
            await client.call(operation())
    assert len(raw.requests) == 1
    assert sent < 50_000_000


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        (answer("OAuth authentication error: Invalid signature", "401 Unauthorized"), AuthenticationError, "signature"),
        (answer("OAuth authentication error: no", "200 OK"), AuthenticationError, "no"),
        (answer('{"error":{"code":2001,"message":"Release not found"}}', "404 Not Found"), NotFoundError, "2001"),
        (answer("<html><title>Oops</title></html>", "503 Busy"), ServerError, "Oops"),
        (answer("", "200 OK"), DecodeError, "empty"),
        (answer("<html>Welcome to the hotel</html>"), APIError, "HTML"),
        (answer('{"release":{}}'), DecodeError, r"\$\.release\.id"),
    ],
)
async def test_an_answer_that_is_no_release_becomes_the_error_it_is(given, kind, words):
    async with raw_server(given) as raw, client_for(raw, retry=NO_RETRY) as client:
        with pytest.raises(kind, match=words) as caught:
            await client.call(operation())
    assert "test.do_thing" in str(caught.value)


async def test_a_large_answer_is_decoded_off_the_loop(monkeypatch):
    threads = []
    to_thread = asyncio.to_thread

    async def spy(function, *args, **kwargs):
        threads.append(function.__name__)
        return await to_thread(function, *args, **kwargs)

    monkeypatch.setattr(asyncio, "to_thread", spy)
    large = answer('{"release":{"id":"1","title":"' + "x" * 300_000 + '"}}')
    async with raw_server(RELEASE, large) as raw, client_for(raw) as client:
        await client.call(operation())
        assert threads == []
        assert len((await client.call(operation())).title) == 300_000
    assert threads == ["parse", "decode"]


# -- life --


async def test_arguments_are_checked_before_anything_leaves():
    async with raw_server(RELEASE) as raw, client_for(raw) as client:
        with pytest.raises(InvalidArgumentError, match="'nope'"):
            await client.call(operation(), nope=1)
        with pytest.raises(InvalidArgumentError, match="release_id"):
            await client.classic.releases.details(None)
    assert raw.requests == []


async def test_a_closed_client_says_so():
    client = SevenDigital("key", SECRET)
    await client.aclose()
    await client.aclose()
    with pytest.raises(ConfigurationError, match="closed"):
        await client.classic.service.status()


def test_a_client_belongs_to_one_loop():
    async def first(raw_holder):
        async with raw_server(answer('{"serviceStatus":{"serverTime":"2026-01-01T00:00:00Z"}}')) as raw:
            client = client_for(raw)
            raw_holder.append(client)
            await client.classic.service.status()

    async def second(client):
        with pytest.raises(ConfigurationError, match="loop"):
            await client.classic.service.status()

    holder = []
    with asyncio.Runner() as one:
        one.run(first(holder))
        with asyncio.Runner() as two:
            two.run(second(holder[0]))
        one.run(holder[0].aclose())


async def test_a_session_that_was_passed_in_is_never_closed():
    async with aiohttp.ClientSession(raise_for_status=True) as session, raw_server(RELEASE, BUSY) as raw:
        async with client_for(raw, session=session, retry=NO_RETRY) as client:
            await client.call(operation())
            with pytest.raises(ServerError):
                await client.call(operation())
        assert not session.closed


async def test_cancellation_passes_through():
    async def silent(reader, _, __):
        await reader.read()

    async with raw_server(silent) as raw, client_for(raw) as client:
        task = asyncio.create_task(client.call(operation()))
        while not raw.requests:
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


# -- secrets --


@pytest.mark.parametrize("placement", SignaturePlacement)
@pytest.mark.parametrize(
    "failure", [HANG_UP, BUSY, answer("OAuth authentication error: x", "401 Unauthorized"), answer("{", "200 OK"), None]
)
async def test_no_error_log_or_traceback_shows_a_secret(placement, failure, caplog):
    caplog.set_level("DEBUG")
    async with raw_server(failure if failure is not None else HANG_UP) as raw:
        if failure is None:
            raw.port = 1  # no server listens there
        async with client_for(raw, signature=placement, retry=NO_RETRY) as client:
            with pytest.raises(SevenDigitalError) as caught:
                await client.as_user(USER).call(operation())
    shown = [repr(caught.value), str(caught.value), caplog.text, repr(client), repr(vars(caught.value))]
    report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    shown.extend(report.format())
    signature = re.search(rb'oauth_signature="?([^"& ]+)', raw.requests[0])[1].decode() if raw.requests else SECRET
    everything = "\n".join(shown)
    assert caught.value.__context__ is None or "aiohttp" not in type(caught.value.__context__).__module__
    for secret in (SECRET, USER.token, USER.secret, signature):
        assert secret not in everything.replace(f"SECRET = '{SECRET}'", "")


@pytest.mark.parametrize("failure", ["429", "refused"])
async def test_what_fails_behind_a_redirect_does_not_repeat_an_unsafe_call(clock, failure):
    async with raw_server(answer("", "429 Too Many Requests", Retry_After="1")) as elsewhere:
        port = elsewhere.port if failure == "429" else 1
        moved = answer("", "302 Found", Location=f"http://127.0.0.1:{port}/cdn")
        async with raw_server(moved) as raw:
            error = await outcome(clock, client_for(raw, clock), operation(Safety.UNSAFE, content=Content.TEXT))
    assert len(raw.requests) == 1
    assert error.maybe_sent


@pytest.mark.parametrize("safety", [Safety.IDEMPOTENT, Safety.UNSAFE])
@pytest.mark.parametrize("first", [HANG_UP, answer("", "429 Too Many Requests", Retry_After="1")])
async def test_the_error_of_a_later_attempt_does_not_hide_that_an_earlier_one_may_have_been_carried_out(
    clock, safety, first
):
    refusal = answer('{"status":"error","error":{"code":2001,"message":"x"}}', "404 Not Found")
    async with raw_server(first, refusal) as raw:
        error = await outcome(clock, client_for(raw, clock), operation(safety))
    assert error.maybe_sent is (first is HANG_UP)
    assert len(raw.requests) == (1 if first is HANG_UP and safety is Safety.UNSAFE else 2)


async def test_a_clock_error_behind_a_redirect_does_not_repeat_an_unsafe_call(clock):
    early = skewed("OAuth authentication error: bad timestamp", formatdate(EPOCH + 7200, usegmt=True))
    async with raw_server(early) as elsewhere:
        moved = answer("", "302 Found", Location=f"{elsewhere.base_url}/cdn")
        async with raw_server(moved) as raw:
            client = client_for(raw, clock)
            async with client:
                for number in (1, 2):
                    with pytest.raises(AuthenticationError) as caught:
                        await client.call(operation(Safety.UNSAFE, content=Content.TEXT))
                    assert caught.value.maybe_sent
                    assert len(raw.requests) == len(elsewhere.requests) == number
    first, second = (int(re.search(rb'oauth_timestamp="?(\d+)', request)[1]) for request in raw.requests)
    assert second - first < 60  # nothing was learned from the clock of another host


async def test_clocks_that_disagree_do_not_make_a_call_go_on_for_ever(clock):
    early, late = (
        skewed("OAuth authentication error: bad timestamp", formatdate(EPOCH + offset, usegmt=True))
        for offset in (100, 200)
    )
    async with raw_server(early, late, early, late) as raw:
        error = await outcome(clock, client_for(raw, clock), operation())
    assert len(raw.requests) == 2
    assert isinstance(error, AuthenticationError)
