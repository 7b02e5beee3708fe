"""Subscriptions: moments in the live dialect, days in the OpenAPI file's; no period before its activation."""

from datetime import UTC, date, datetime, timedelta, timezone
from urllib.parse import parse_qs

import pytest
from support.oauth import is_signed
from support.rawserver import answer, raw_server

from sevendigital_async import Dialect, InvalidArgumentError, SevenDigital
from sevendigital_async.sandbox import DEMO_KEY, DEMO_SECRET, Sandbox

START = datetime(2026, 11, 26, 10, 54, 35, 999_999, tzinfo=UTC)
PLAN = {"user_id": "mara", "product_id": "premium-unlimited-streaming"}
PAID = {"currency": "GBP", "recurring_fee": 999, "country": "GB"}


def client_of(base_url, dialect=Dialect.LIVE, keys=("key", "secret")):
    return SevenDigital(*keys, base_url=base_url, dialect=dialect)


async def test_moments_travel_in_utc_to_the_second_and_days_as_midnight():
    content = '{"streaming":{"level":"premium","expiryDate":"2026-12-26T10:54:35Z"}}'
    async with raw_server(answer(content)) as server, client_of(server.base_url) as client:
        made = await client.platform.subscriptions.create(
            **PLAN,
            **PAID,
            activated_at=date(2026, 11, 1),
            start_date=START.astimezone(timezone(timedelta(hours=2))),
            end_date=START.replace(month=12),
        )
        [request] = server.requests
        assert is_signed(request, server.base_url, "secret")
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /1.2/user/unlimitedStreaming HTTP/1.1")
    assert parse_qs(body.decode()) == {
        "userId": ["mara"],
        "planCode": ["premium-unlimited-streaming"],
        "status": ["active"],
        "currency": ["GBP"],
        "recurringFee": ["999"],
        "country": ["GB"],
        "activatedAt": ["2026-11-01T00:00:00Z"],
        "currentPeriodStartDate": ["2026-11-26T10:54:35Z"],
        "expiryDate": ["2026-12-26T10:54:35Z"],
    }
    assert made.expiry_date == datetime(2026, 12, 26, 10, 54, 35, tzinfo=UTC)


@pytest.mark.parametrize(
    ("dialect", "period", "argument"),
    [
        (Dialect.OPENAPI, {"start_date": START, "end_date": date(2026, 12, 1)}, "start_date"),
        (Dialect.OPENAPI, {"start_date": date(2026, 11, 26), "end_date": START.replace(month=12)}, "end_date"),
        (
            Dialect.LIVE,
            {"start_date": START, "end_date": date(2026, 12, 1), "activated_at": START + timedelta(seconds=1), **PAID},
            "start_date",
        ),
        (
            Dialect.LIVE,
            {"start_date": date(2026, 11, 26), "end_date": date(2026, 12, 1), "activated_at": START, **PAID},
            "start_date",
        ),
    ],
)
async def test_what_never_leaves(dialect, period, argument):
    async with raw_server(answer("{}")) as server, client_of(server.base_url, dialect) as client:
        with pytest.raises(InvalidArgumentError) as caught:
            await client.platform.subscriptions.create(**PLAN, **period)
    assert caught.value.argument == argument
    assert server.requests == []


async def test_the_sandbox_keeps_the_moment():
    now = datetime.now(UTC).replace(microsecond=0)
    async with Sandbox() as sandbox, client_of(sandbox.base_url, keys=(DEMO_KEY, DEMO_SECRET)) as client:
        made = await client.platform.subscriptions.create(
            **PLAN, **PAID, activated_at=now - timedelta(hours=1), start_date=now, end_date=now + timedelta(days=3)
        )
        assert made.expiry_date == now + timedelta(days=3)
        assert (await client.classic.user.unlimited_streaming(user_id="mara")).expiry_date == made.expiry_date
