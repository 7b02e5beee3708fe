from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import format_datetime

import orjson
from hypothesis import given
from hypothesis import strategies as st
from support.rows import each_row

from sevendigital_async import errors
from sevendigital_async.errors import ItemError
from sevendigital_async.session.classify import MAX_MESSAGE, error_in, presentable, retry_after
from sevendigital_async.session.document import parse

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()


def found(body, status=200, headers=None, **kwargs):
    body = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else orjson.dumps(body)
    return error_in(parse(body, None), status, headers or {}, "someOperation", **kwargs)


XML_1001 = """<response status="error" version="1.2">
<error code="1001"><errorMessage>Missing artist ID</errorMessage></error></response>"""
HTML_503 = "<!DOCTYPE html><html><head>\n<title>503 Service\n Unavailable</title></head><body>...</body></html>"


@each_row(
    ("body", "status", "kind", "code", "message"),
    [
        # enveloped JSON
        (
            {"status": "error", "error": {"code": 2001, "message": "Release not found"}},
            404,
            errors.NotFoundError,
            2001,
            "Release not found",
        ),
        (
            {"status": "error", "error": {"code": 2001, "message": "Release not found"}},
            200,
            errors.NotFoundError,
            2001,
            "Release not found",
        ),
        (
            {"status": "ERROR", "error": {"code": "3004", "message": "old price"}},
            400,
            errors.PriceChangedError,
            3004,
            "old price",
        ),
        ({"status": "error"}, 200, errors.InvalidRequestError, None, "the service gave no reason"),
        ({"status": "error", "message": "no"}, 500, errors.ServerError, None, "no"),
        # bare JSON
        ({"error": {"code": 7003, "message": "timed out"}}, 200, errors.ServerError, 7003, "timed out"),
        ({"error": {"code": 9001.0, "message": "oops"}}, 500, errors.ServerError, 9001, "oops"),
        ({"error": {"errorCode": 1002, "errorMessage": "bad"}}, 400, errors.InvalidRequestError, 1002, "bad"),
        ({"error": "it broke"}, 500, errors.ServerError, None, "it broke"),
        ({"error": "it broke"}, 200, errors.InvalidRequestError, None, "it broke"),
        ({"error": [{"code": 2002, "message": "not here"}]}, 200, errors.NotAvailableError, 2002, "not here"),
        (
            {"error": [{"code": 1008, "message": "both"}, "odd"]},
            200,
            errors.BatchError,
            1008,
            "both",
        ),
        ({"error": []}, 400, errors.InvalidRequestError, None, "the service gave no reason"),
        ({"error": True, "message": "it broke"}, 200, errors.InvalidRequestError, None, "it broke"),
        ({"error": {"code": True, "message": 7}}, 400, errors.InvalidRequestError, None, "the service gave no reason"),
        ({"Message": "No route"}, 404, errors.NotFoundError, None, "No route"),
        ({"code": 2003, "message": "taken"}, 409, errors.AlreadyExistsError, 2003, "taken"),
        (b'"just words"', 400, errors.InvalidRequestError, None, '"just words"'),
        ([1], 400, errors.InvalidRequestError, None, "JSON, without a reason"),
        # XML
        (XML_1001, 400, errors.InvalidRequestError, 1001, "Missing artist ID"),
        (XML_1001, 200, errors.InvalidRequestError, 1001, "Missing artist ID"),
        ('<error code="2001"><errorMessage>no</errorMessage></error>', 200, errors.NotFoundError, 2001, "no"),
        (
            '<response status="error"><error code="2003">taken</error></response>',
            200,
            errors.AlreadyExistsError,
            2003,
            "taken",
        ),
        # the statuses about identity and quota decide by themselves
        (XML_1001, 401, errors.AuthenticationError, 1001, "Missing artist ID"),
        ({"error": {"code": 2001, "message": "x"}}, 403, errors.PermissionDeniedError, 2001, "x"),
        ({"error": {"code": 1001, "message": "x"}}, 429, errors.RateLimitError, 1001, "x"),
        # plain text
        (
            "OAuth authentication error: Not found",
            401,
            errors.AuthenticationError,
            None,
            "OAuth authentication error: Not found",
        ),
        ("\n oauth Authentication Error: no", 200, errors.AuthenticationError, None, "oauth Authentication Error: no"),
        ("OAuth authentication error: no", 404, errors.AuthenticationError, None, "OAuth authentication error: no"),
        ("OAuth authentication error: no", 403, errors.PermissionDeniedError, None, "OAuth authentication error: no"),
        ("Resource not found", 404, errors.NotFoundError, None, "Resource not found"),
        ("Bad gateway", 502, errors.ServerError, None, "Bad gateway"),
        ("", 500, errors.ServerError, None, "an empty response, without a reason"),
        ("", 418, errors.InvalidRequestError, None, "an empty response, without a reason"),
        (
            '{"error": {"code": 1',
            400,
            errors.InvalidRequestError,
            None,
            "JSON that is cut short or malformed, without a reason",
        ),
        # HTML
        (HTML_503, 503, errors.GatewayError, None, "an HTML page instead of an API answer: 503 Service Unavailable"),
        (HTML_503, 200, errors.GatewayError, None, "an HTML page instead of an API answer: 503 Service Unavailable"),
        ("<html><body>no</body></html>", 404, errors.NotFoundError, None, "an HTML page instead of an API answer"),
        (
            "<html><h1>Log&nbsp;<b>in</b></h1></html>",
            403,
            errors.PermissionDeniedError,
            None,
            "an HTML page instead of an API answer: Log in",
        ),
    ],
)
def test_body_first_status_second(body, status, kind, code, message):
    error = found(body, status)
    assert type(error) is kind
    assert (error.code, error.message, error.status, error.operation) == (code, message, status, "someOperation")


@each_row(
    ("body", "status"),
    [
        ({"status": "ok", "release": {"id": 1}}, 200),
        ({"status": "ok", "error": None}, 200),
        ({"status": "ok", "error": {}}, 200),
        ({"status": "ok", "releases": [], "errors": [{"code": 2001, "index": 0}]}, 200),
        ({"items": {"releases": [], "errors": [{"code": 2001}]}}, 200),
        ({}, 200),
        ("", 202),
        ("", 204),
        ('<response status="ok" version="1.2"/>', 200),
        ("#EXTM3U", 200),
        (b"\xff\xfb\x90", 206),
        ([{"error": "of an item"}], 200),
    ],
)
def test_what_is_no_error(body, status):
    assert found(body, status) is None


ITEMS = [
    ([{"code": 1002, "message": "too old", "index": 3}], (ItemError(3, 1002, "too old"),)),
    ([{"code": "1002", "message": "too old", "index": "3"}], (ItemError(3, 1002, "too old"),)),
    (
        [{"errorMessage": "odd", "index": 0}, {"index": None}],
        (ItemError(0, None, "odd"), ItemError(None, None, "the service gave no reason")),
    ),
    ({"error": [{"index": 1, "message": "x"}]}, (ItemError(1, None, "x"),)),
    ({"error": {"index": 1, "message": "x"}}, (ItemError(1, None, "x"),)),
    ({"index": 1, "message": "x"}, (ItemError(1, None, "x"),)),
    (["first is bad", 7], (ItemError(None, None, "first is bad"), ItemError(None, None, "7"))),
    ("all bad", (ItemError(None, None, "all bad"),)),
    (
        [{"index": True, "message": "x"}, {"index": -1, "message": "y"}],
        (ItemError(None, None, "x"), ItemError(None, None, "y")),
    ),
    (None, ()),
    ([], ()),
]


@each_row(("items", "expected"), ITEMS)
@each_row("status", [200, 400])
def test_items_of_a_refused_batch(items, expected, status):
    error = found({"error": {"code": 1008, "message": "invalid items", "errors": items}}, status)
    assert type(error) is errors.BatchError
    assert error.errors == expected
    assert not error.maybe_sent


def test_items_beside_the_error_and_in_xml():
    beside = found(
        {"status": "error", "error": {"code": 1008, "message": "x"}, "errors": [{"index": 4, "message": "y"}]}
    )
    assert beside.errors == (ItemError(4, None, "y"),)
    document = (
        '<response status="error"><error code="1008"><errorMessage>x</errorMessage><errors>'
        '<error index="0" code="1002"><errorMessage>y</errorMessage></error></errors></error></response>'
    )
    assert found(document).errors == (ItemError(0, 1002, "y"),)


def test_the_reason_of_an_item_where_there_is_no_other():
    assert found({"error": {"code": 1008, "errors": [{"index": 0, "message": "too old"}]}}).message == "too old"


@each_row(
    ("location", "kind", "code", "message"),
    [
        (
            "http://x/e?errorCode=1001&errorMsg=Error%3a+Missing+%27trackId%27",
            errors.InvalidRequestError,
            1001,
            "Error: Missing 'trackId'",
        ),
        ("https://x/e?a=b&ERRORCODE=2002&errormsg=gone", errors.NotAvailableError, 2002, "gone"),
        ("/e?errorCode=9001", errors.ServerError, 9001, "the service gave no reason"),
        ("/e?errorMsg=odd", errors.InvalidRequestError, None, "odd"),
        (
            "https://cdn.example/clip.mp3?oauth_signature=s3cret&oauth_token=t0ken",
            errors.RedirectError,
            None,
            "an unexpected redirect to cdn.example",
        ),
        (
            "https://user:s3cret@cdn.example/t0ken",
            errors.RedirectError,
            None,
            "an unexpected redirect to cdn.example",
        ),
        ("", errors.RedirectError, None, "an unexpected redirect"),
        ("http://[broken", errors.RedirectError, None, "a redirect to an address that can't be used"),
        ("/e?" + "a=1&" * 200, errors.RedirectError, None, "a redirect to an address that can't be used"),
    ],
)
@each_row("body", ["", "<html><title>Object moved</title></html>"])
def test_redirects(location, kind, code, message, body):
    error = found(body, 302, {"location": location})
    assert (type(error), error.code, error.message, error.status) == (kind, code, message, 302)
    assert "s3cret" not in str(error)
    assert "t0ken" not in str(error)


def test_a_redirect_whose_body_states_an_error():
    assert type(found(XML_1001, 302, {"location": "https://x/"})) is errors.InvalidRequestError


@each_row(
    ("body", "status", "maybe_sent"),
    [
        ({"error": {"code": 1001}}, 400, False),
        ({"error": {"code": 2003}}, 409, False),
        ({"error": {"code": 7001}}, 200, True),
        ({"error": {"code": 1001}}, 500, False),
        ({"code": 1001}, 500, True),
        ({"error": {"code": 7003}}, 429, True),
        ("", 503, True),
        ("", 429, False),
        (HTML_503, 200, True),
    ],
)
def test_what_may_have_been_carried_out_all_the_same(body, status, maybe_sent):
    assert found(body, status).maybe_sent is maybe_sent


QUOTA = {"x-ratelimit-limit": "4000", "x-ratelimit-current": "4001", "x-ratelimit-reset": "123"}


def test_the_quota_is_kept_and_a_spent_one_says_how_long_to_wait():
    error = found("", 429, QUOTA)
    assert (error.rate_limit.limit, error.rate_limit.used, error.retry_after) == (4000, 4001, 123.0)
    assert found("", 429, {**QUOTA, "retry-after": "7"}).retry_after == 7.0
    assert found("", 429, {**QUOTA, "x-ratelimit-current": "1"}).retry_after is None
    assert found("", 500, QUOTA).retry_after is None
    assert found("", 429, {"x-ratelimit-limit": "many"}).rate_limit is None


def test_a_date_to_wait_for_needs_to_know_the_time():
    headers = {"retry-after": "Sun, 01 Mar 2026 12:00:30 GMT"}
    assert found("", 503, headers).retry_after is None
    assert found("", 503, headers, now=NOW).retry_after == 30.0


@each_row(
    ("text", "seconds"),
    [
        ("3", 3.0),
        ("1.5", 1.5),
        (" 0 ", 0.0),
        (".5", 0.5),
        ("86400", 86400.0),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30.0),
        ("Sunday, 01-Mar-26 12:00:30 GMT", 30.0),
        ("Sun Mar  1 12:00:30 2026", 30.0),
        ("Sun, 01 Mar 2026 13:00:30 +0100", None),
        ("Sun, 01 Mar 2026 12:00:30 -0000", None),
        ("Sun, 01 Mar 2026 12:00:30", None),
        ("Sun, 01 Mar 2020 12:00:00 GMT", 0.0),
        *[
            (text, None)
            for text in (
                "",
                "inf",
                "-inf",
                "nan",
                "-1",
                "1e3",
                "1_0",
                "soon",
                "1,5",
                "٣",
                "9" * 400,
                "Sun, 99 Mar 2026",
            )
        ],
    ],
)
def test_retry_after(text, seconds):
    assert retry_after({"retry-after": text}, NOW) == seconds


def test_no_retry_after():
    assert retry_after({}, NOW) is None


def test_retry_after_reads_what_the_library_writes():
    moment = datetime.fromtimestamp(NOW + 90, UTC)
    assert retry_after({"retry-after": format_datetime(moment, usegmt=True)}, NOW) == 90.0


@given(st.text(), st.floats(0, 2**32))
def test_retry_after_is_a_sensible_number_or_none(text, now):
    seconds = retry_after({"retry-after": text}, now)
    assert seconds is None or 0 <= seconds < float("inf")


@each_row(
    "message",
    [
        "bad oauth_signature=s3cret",
        "bad oauth_signature=s3cret&oauth_nonce=1",
        "bad oauth_signature=s3cret%3D%3D&x=1",
        "bad oauth_token='s3cret'",
        'bad Authorization: OAuth realm="", oauth_token="s3cret", oauth_version="1.0"',
        "oauth_token_secret = s3cret",
        "GET&http%3A%2F%2Fx&oauth_consumer_key%3Dk%26oauth_token%3Ds3cret%26q%3D1",
        "GET&x&oauth_token%253Ds3cret%2526q%253D1",
        'bad {"password": "s3cret"}',
        "PASSWORD=s3cret",
        "consumer_secret=s3cret",
        "accessToken=s3cret",
        "cvv=s3cret cardNumber=s3cret card_number=s3cret",
        "oauth_verifier=s3cret",
    ],
)
def test_secrets_are_masked(message):
    for body in (message, {"error": {"code": 1002, "message": message, "errors": [{"message": message}]}}):
        error = found(body, 400)
        assert "s3cret" not in repr((str(error), error.errors, error.args, vars(error)))
        assert "***" in error.message
    assert (
        "s3cret"
        not in found("", 302, {"location": f"/e?errorMsg={message.replace('%', '%25').replace('&', '%26')}"}).message
    )


def test_a_masked_message_says_the_rest():
    message = "bad oauth_signature=abc%3D&oauth_nonce=12 for oauth_signature_method=HMAC-SHA1; invalid token: try again"
    assert presentable(message) == (
        "bad oauth_signature=***&oauth_nonce=12 for oauth_signature_method=HMAC-SHA1; invalid token: try again"
    )


def test_messages_are_bounded_and_on_one_line():
    error = found("Bad\r\n\x1b[31m\tgateway " + "x" * 10_000, 502)
    assert len(error.message) == MAX_MESSAGE
    assert error.message.startswith("Bad [31m gateway xxx")
    assert error.message.endswith("…")
    titled = found(f"<html><title>{'x' * 1000}</title></html>", 502)
    assert len(titled.message) < 250


def test_a_secret_that_the_bound_cuts_in_two_is_masked():
    assert "s3cret" not in presentable("x" * (MAX_MESSAGE - 22) + " oauth_signature=s3cret")
    assert "s3cret" not in presentable("oauth_signature=" + "s3cret" * 10_000)


@each_row("before", ["", "<html>"])
@each_row("word", ["token", "a", "token =", "<title>", "<title", "<h1><", "%25"])
def test_a_message_twice_as_long_takes_twice_as_long(word, before):
    def cost(length):
        text, costs = before + word * (length // len(word)), []
        for _ in range(5):
            started = time.thread_time()
            found(text, 500)
            costs.append(time.thread_time() - started)
        return min(costs)

    assert cost(100_000) < 3 * cost(50_000) + 0.001


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "errors", "status", "code", "message", "index"]) | st.text(), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(
    ANYTHING.map(orjson.dumps) | st.binary() | st.text().map(str.encode),
    st.sampled_from([200, 302, 400, 401, 429, 500]),
    st.text(),
)
def test_any_answer_is_classified(body, status, header):
    headers = {"location": header, "retry-after": header, "x-ratelimit-limit": header}
    error = error_in(parse(body, None), status, headers, "someOperation", now=NOW)
    assert error is None or (isinstance(error, errors.APIError) and len(error.message) <= MAX_MESSAGE)
    assert error is not None or status == 200


@each_row(
    ("code", "kind"),
    [
        (3001, errors.CardError),
        (3002, errors.CardError),
        (3003, errors.PaymentFailedError),
        (3004, errors.PriceChangedError),
        (3005, errors.CardError),
        (3012, errors.VoucherError),
        (3017, errors.RefundError),
        (3102, errors.PaymentFailedError),
        (3104, errors.CardError),
        (3106, errors.RefundError),
        (3107, errors.RefundError),
        (7102, errors.RefundError),
        (3201, errors.SimultaneousStreamsError),
        (3999, errors.PaymentError),
    ],
)
def test_money_trouble_can_be_caught_without_comparing_numbers(code, kind):
    error = error_in(parse(b'{"error":{"code":%d,"message":"x"}}' % code, None), 400, {}, "buy")
    assert type(error) is kind
    assert isinstance(error, errors.PaymentError | errors.NotAvailableError)
