"""Which status does what: the table in the code is the one in the documentation, and what a server gets to see."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.clock import VirtualClock
from support.rawserver import answer, raw_server
from support.rows import each_row

from sevendigital_async import (
    Dialect,
    GatewayError,
    LogKind,
    RedirectError,
    SevenDigital,
    SevenDigitalError,
    StreamLogShipper,
)
from sevendigital_async.error_codes import effective_status
from sevendigital_async.models import StreamLog
from sevendigital_async.operations import Auth, Binding, Content, Operation, Safety
from sevendigital_async.session.classify import error_in
from sevendigital_async.session.document import parse
from sevendigital_async.shipping import AlertKind
from sevendigital_async.status_codes import STATUS_RULES, CallAction, LaneAction, rule_for

PAGE = "<html><body><h1>Something</h1></body></html>"
OWN = '{"error":{"code":1002,"message":"bad"}}'

TRANSIENT = [408, 421, 425, 500, 502, 503, 504, 506, 507, 508, 511, 520, 521, 522, 523, 524, 525, 526, 527, 530, 599]
FINAL = [400, 401, 402, 403, 404, 405, 406, 409, 410, 411, 412, 413, 414, 415, 416, 417, 418, 422, 423, 424, 426, 428]
FINAL += [431, 451, 501, 505]


def operation(safety):
    return Operation(
        id="doThing",
        name="test.do_thing",
        summary="",
        safety=safety,
        model=None,
        auth=Auth.KEY,
        content=Content.TEXT,
        bindings={Dialect.OPENAPI: Binding("GET", "/thing", ())},
    )


def test_the_documentation_shows_the_table_of_the_code():
    page = (Path(__file__).parent.parent / "docs" / "architecture.md").read_text()
    table = page.partition("| status | reads |")[2].partition("\n\n")[0].splitlines()[2:]
    rows = [tuple(cell.strip() for cell in row.strip("|").split("|")) for row in table]
    assert rows == [
        (rule.label, rule.read_action.value, rule.unsafe_action.value, rule.lane_action.value) for rule in STATUS_RULES
    ]


def test_the_table_has_an_answer_to_every_status():
    for status in range(300, 1000):
        rule = rule_for(status)
        assert not rule.statuses or status in rule.statuses
        assert rule.unsafe_action is CallAction.RAISE or status == 429
        assert (rule.read_action is CallAction.REPEAT) is (rule.lane_action is LaneAction.RETRY)
    assert [status for status in TRANSIENT if rule_for(status).read_action is not CallAction.REPEAT] == []
    assert [status for status in FINAL if rule_for(status).read_action is not CallAction.RAISE] == []
    assert rule_for(999).read_action is CallAction.REPEAT


async def requests_of(clock, safety, *script):
    """Make a call with three attempts; returns how many requests arrived and what came of them."""

    async def call(raw):
        async with SevenDigital("key", "secret", base_url=raw.base_url, clock=clock) as client:
            try:
                return await client.call(operation(safety))
            except SevenDigitalError as error:
                return error

    async with raw_server(*script) as raw:
        result = await clock.run(call(raw))
    return len(raw.requests), result


@each_row("body", ["", PAGE, "try later", '{"message":"Bad Request"}'])
@each_row("status", [*TRANSIENT, *FINAL])
async def test_a_read_is_repeated_after_transient_statuses_only(status, body):
    number, result = await requests_of(VirtualClock(), Safety.READ, answer(body, f"{status} X"), answer("fine"))
    assert number == (2 if status in TRANSIENT else 1)
    assert (result == "fine") is (status in TRANSIENT)


@each_row("body", ["", PAGE])
@each_row("status", [*TRANSIENT, *FINAL])
async def test_an_unsafe_call_is_sent_once_whatever_the_answer(status, body):
    number, error = await requests_of(VirtualClock(), Safety.UNSAFE, answer(body, f"{status} X"), answer("fine"))
    assert number == 1
    assert error.status == status
    assert error.maybe_sent is (status in TRANSIENT or status >= 500)


@each_row(("status", "maybe"), [("301", False), ("302", False), ("303", True), ("307", False), ("308", False)])
async def test_a_redirect_to_what_was_done_says_that_a_call_may_have_been_carried_out(status, maybe):
    moved = answer("", f"{status} X", Location="/receipt/7")
    async with raw_server(moved) as raw, SevenDigital("key", "secret", base_url=raw.base_url) as client:
        with pytest.raises(RedirectError) as caught:
            await client.platform.sales.refund_release(user_id="7", purchase_id="1")
    assert caught.value.maybe_sent is maybe
    assert len(raw.requests) == 1


@pytest.mark.parametrize("safety", Safety)
async def test_429_is_repeated_whatever_the_safety(safety):
    number, result = await requests_of(VirtualClock(), safety, answer(PAGE, "429 X", Retry_After="1"), answer("fine"))
    assert (number, result) == (2, "fine")


@each_row(
    ("body", "status", "amounts_to"),
    [
        ('{"error":{"code":7003,"message":"x"}}', 200, 503),
        ('{"error":{"code":9001,"message":"x"}}', 400, 503),
        ('{"error":{"code":9001,"message":"x"}}', 501, 503),
        ('{"error":{"code":501,"message":"x"}}', 501, 501),
        ('{"error":{"code":1002,"message":"x"}}', 500, 400),
        ('{"error":{"code":1002,"message":"x"}}', 404, 400),
        ('{"error":{"code":1002,"message":"x"}}', 422, 422),
        ('{"error":{"code":1002,"message":"x"}}', 413, 413),
        ('{"error":{"code":1002,"message":"x"}}', 200, 400),
        ('{"code":1002,"message":"x"}', 500, 404),
        ('{"error":{"code":2001,"message":"x"}}', 500, 404),
        ('{"error":{"code":2001,"message":"x"}}', 400, 400),
        ('{"error":{"code":1001,"message":"x"}}', 401, 401),
        ('{"error":{"code":1001,"message":"x"}}', 429, 429),
        ('{"status":"error"}', 200, 404),
        ("OAuth authentication error: x", 400, 401),
        (PAGE, 200, 503),
        (PAGE, 408, 408),
        (PAGE, 501, 501),
    ],
)
def test_the_body_decides_before_the_status(body, status, amounts_to):
    error = error_in(parse(body.encode(), None), status, {}, "someOperation")
    assert effective_status(error) == amounts_to


@pytest.mark.parametrize("status", [408, 421, 425, 500, 501, 503, 200])
def test_an_html_page_is_a_gateway_error(status):
    assert type(error_in(parse(PAGE.encode(), None), status, {}, "someOperation")) is GatewayError


@each_row(
    ("body", "own"),
    [
        (OWN, True),
        ('{"status":"error","error":{"code":"2001","message":"x"}}', True),
        ('{"error":{"errorCode":1002,"errorMessage":"x"}}', True),
        ('{"error":{"message":"x","errors":[{"index":0,"code":1002,"message":"y"}]}}', True),
        ('<response status="error"><error code="1001"><errorMessage>x</errorMessage></error></response>', True),
        ('<error code="1001"><errorMessage>x</errorMessage></error>', True),
        ("OAuth authentication error: x", True),
        ("", False),
        (PAGE, False),
        ("Bad Request", False),
        ('{"message":"Bad Request"}', False),
        ('{"code":1002,"message":"x"}', False),
        ('{"statusCode":400,"message":"x"}', False),
        ('{"error":"Bad Request","status":400,"path":"/logging/preview"}', False),
        ('{"error":{"code":400,"message":"x","status":"INVALID_ARGUMENT"}}', False),
        ('{"error":{"code":"BadRequest","message":"x"}}', False),
        ('{"type":"about:blank","title":"Bad Request","status":400,"detail":"x"}', False),
        ('{"success":false,"errors":[{"code":1000,"message":"x"}]}', False),
        ('{"status":"error","message":"x"}', False),
        ('{"fault":{"faultstring":"x","detail":{"errorcode":"x"}}}', False),
        ('{"error":{"code":1002', False),
        ("<Error><Code>AccessDenied</Code><Message>x</Message></Error>", False),
        ('"1002"', False),
        ("[1002]", False),
    ],
)
def test_the_service_s_own_error_form_is_recognised(body, own):
    assert error_in(parse(body.encode(), None), 400, {}, "someOperation").in_service_form is own


# -- lanes --


async def shipped(clock, script, plays=10, kind=LogKind.PREVIEW):
    """Ship plays to a server that plays a script; returns the statistics, alerts, and how many requests arrived."""
    alerts = []

    async def ship(raw):
        async with (
            SevenDigital("key", "secret", base_url=raw.base_url, clock=clock) as client,
            StreamLogShipper(client, clock=clock, on_alert=lambda _, alert: alerts.append(alert)) as shipper,
        ):
            await shipper.put_many(kind, [StreamLog(str(n), at(clock), country="GB") for n in range(plays)])
            return await shipper.flush()

    async with raw_server(*script) as raw:
        statistics = await clock.run(ship(raw))
    return statistics, alerts, raw.requests


def at(clock):
    return datetime.fromtimestamp(clock.time() - 60, UTC)


OK = answer("", "202 Accepted")


@each_row("status", TRANSIENT)
@each_row("body", ["", PAGE])
async def test_a_lane_sends_again_after_transient_statuses(status, body):
    failed = answer(body, f"{status} X")
    statistics, _, requests = await shipped(VirtualClock(), [failed, failed, OK])
    assert (statistics.delivered, statistics.buried, statistics.alerts) == (10, 0, {})
    assert len(requests) == 3
    certain = body == "" and status in {408, 421, 425, 500, 503}
    assert statistics.in_doubt == (0 if certain else 10)


@each_row("status", [402, 404, 405, 409, 410, 411, 415, 418, 431, 451, 501, 505, 302])
@each_row("body", ["", PAGE, '{"message":"no"}'])
async def test_a_lane_is_suspended_by_statuses_that_need_a_person(status, body):
    statistics, alerts, requests = await shipped(VirtualClock(), [answer(body, f"{status} X"), OK])
    assert (statistics.waiting, statistics.buried, statistics.in_doubt) == (10, 0, 0)
    assert [alert.kind for alert in alerts] == [AlertKind.SUSPENDED]
    assert len(requests) == 1


async def test_a_redirect_to_what_was_done_leaves_plays_in_doubt():
    moved = answer("", "303 See Other", Location="/receipt/7")
    statistics, _, requests = await shipped(VirtualClock(), [moved, OK])
    assert (statistics.delivered, statistics.in_doubt, len(requests)) == (10, 10, 2)
    statistics, _, requests = await shipped(VirtualClock(), [moved])
    assert (statistics.held, statistics.in_doubt, len(requests)) == (10, 10, 2)
    coded = answer("", "303 See Other", Location="/error?errorCode=2001&errorMsg=x")
    statistics, alerts, _ = await shipped(VirtualClock(), [coded])
    assert (statistics.waiting, statistics.in_doubt, alerts[0].kind) == (10, 0, AlertKind.SUSPENDED)


async def test_a_lane_keeps_to_a_retry_after_of_408():
    clock = VirtualClock()
    statistics, _, requests = await shipped(clock, [answer("", "408 X", Retry_After="30"), OK])
    assert (statistics.delivered, len(requests)) == (10, 2)
    assert clock.elapsed >= 30


def closing(body="", status="202 Accepted"):
    return answer(body, status, Connection="close")


def logs_in(request):
    return re.findall(rb'"trackId":"(\w+)"', request)


@pytest.mark.parametrize("status", [400, 422])
async def test_refusals_in_the_service_s_own_form_bury_plays(status):
    async def judge(_reader, writer, request):
        bad = b"3" in logs_in(request)
        writer.write(closing(OWN, f"{status} X") if bad else closing())
        await writer.drain()

    statistics, alerts, _ = await shipped(VirtualClock(), [judge])
    assert (statistics.delivered, statistics.buried) == (9, 1)
    assert alerts == []


@pytest.mark.parametrize("body", ["", PAGE, OWN])
async def test_413_halves_the_batch_whatever_its_body(body):
    async def judge(_reader, writer, request):
        large = len(logs_in(request)) > 3 or b"3" in logs_in(request)
        writer.write(closing(body, "413 X") if large else closing())
        await writer.drain()

    statistics, _, _ = await shipped(VirtualClock(), [judge])
    assert (statistics.delivered, statistics.buried) == (9, 1)


async def test_413_to_everything_suspends_the_lane_at_half_of_its_plays():
    statistics, alerts, _ = await shipped(VirtualClock(), [answer(PAGE, "413 X")], plays=2000)
    assert statistics.buried <= 1000
    assert statistics.waiting + statistics.buried == 2000
    assert alerts[-1].kind is AlertKind.SUSPENDED
