"""Dates in headers count only if their zone is beyond doubt, and offsets only if they can be."""

import os
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevendigital_async import AuthenticationError, NotFoundError
from sevendigital_async.session.classify import clock_offset_in, parse_http_date, retry_after

MOMENT = datetime(2026, 11, 6, 8, 49, 37, tzinfo=UTC).timestamp()
REFUSAL = AuthenticationError("OAuth authentication error: bad timestamp", status=401)

VALID = [
    "Fri, 06 Nov 2026 08:49:37 GMT",
    "Friday, 06-Nov-26 08:49:37 GMT",
    "Fri Nov  6 08:49:37 2026",
    "  Fri, 06 Nov 2026 08:49:37 GMT ",
]
INVALID = [
    "Fri, 06 Nov 2026 08:49:37",
    "Fri, 06 Nov 2026 08:49:37 -0000",
    "Fri, 06 Nov 2026 08:49:37 +0000",
    "Fri, 06 Nov 2026 09:49:37 +0100",
    "Fri, 06 Nov 2026 08:49:37 EST",
    "Fri, 06 Nov 2026 08:49:37 UTC",
    "Fri, 06 Nov 2026 08:49:37 GMT+1",
    "06 Nov 2026 08:49:37 GMT",
    "Fri, 6 Nov 2026 08:49:37 GMT",
    "Fri, 06-Nov-2026 08:49:37 GMT",
    "Fri, 31 Feb 2026 08:49:37 GMT",
    "Fri, 06 Nov 2026 24:49:37 GMT",
    "Fri, 06 Nov 2026 08:49:61 GMT",
    "Fri, 06 Nov 0000 08:49:37 GMT",
    "2026-11-06T08:49:37Z",
    "2026-11-06 08:49:37",
    "Fri, 06 Nov 2026 08:49:37 GMT, Sat, 07 Nov 2026 08:49:37 GMT",
    "٠٦ Nov 2026",
    "1794387000",
    "",
    None,
]


@pytest.fixture(params=["UTC", "America/New_York", "Asia/Kolkata"])
def zone(request, monkeypatch):
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()
    assert os.environ.get("TZ") != request.param or request.param == "UTC"


@pytest.mark.parametrize("text", VALID)
def test_the_three_forms_are_read_in_gmt_wherever_this_machine_is(zone, text):
    assert parse_http_date(text) == MOMENT
    assert retry_after({"retry-after": text}, MOMENT - 30) == 30.0
    assert clock_offset_in(REFUSAL, text, MOMENT - 3600, 0.0) == 3600.0


@pytest.mark.parametrize("text", INVALID)
def test_whatever_else_is_no_date(zone, text):
    assert parse_http_date(text) is None
    assert clock_offset_in(REFUSAL, text, MOMENT - 3600, 0.0) is None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Thursday, 01-Jan-70 00:00:00 GMT", 0.0),
        ("Sunday, 31-Dec-99 23:59:59 GMT", datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()),
        ("Tue, 30 Jun 2015 23:59:60 GMT", datetime(2015, 6, 30, 23, 59, 59, tzinfo=UTC).timestamp()),
        ("Fri, 31 Dec 9999 23:59:59 GMT", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()),
    ],
)
def test_the_edges_of_the_calendar(text, moment):
    assert parse_http_date(text) == moment


@given(st.text())
def test_any_text_is_a_number_or_nothing(text):
    assert parse_http_date(text) is None or isinstance(parse_http_date(text), float)


@pytest.mark.parametrize("date", ["Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_time_that_the_service_can_not_have_is_not_believed(date, caplog):
    assert clock_offset_in(REFUSAL, date, MOMENT, 0.0) is None
    assert "days from this machine's clock" in caplog.text


def test_a_machine_whose_clock_was_never_set_learns_the_time():
    assert clock_offset_in(REFUSAL, VALID[0], 100.0, 0.0) == MOMENT - 100.0


def test_only_a_refused_timestamp_teaches_anything():
    assert clock_offset_in(NotFoundError("timestamp", status=404), VALID[0], MOMENT - 3600, 0.0) is None
    assert clock_offset_in(AuthenticationError("bad key", status=401), VALID[0], MOMENT - 3600, 0.0) is None
    assert clock_offset_in(REFUSAL, VALID[0], MOMENT - 3600, 3599.0) is None
