from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.rows import each_row

from sevendigital_async.models.readers import (
    WrongTypeError,
    read_boolean,
    read_count,
    read_date,
    read_datetime,
    read_decimal,
    read_text,
    read_whole_number,
)

BRITISH_SUMMER = timezone(timedelta(hours=1))

FITTING = [
    (read_text, "abc", "abc"),
    (read_text, "", ""),
    (read_text, 12, "12"),
    (read_text, 2**63, "9223372036854775808"),
    (read_whole_number, 12, 12),
    (read_whole_number, "12", 12),
    (read_whole_number, " 012 ", 12),
    (read_whole_number, "-3", -3),
    (read_whole_number, 12.0, 12),
    (read_decimal, 9.99, Decimal("9.99")),
    (read_decimal, 0.1, Decimal("0.1")),
    (read_decimal, 5, Decimal(5)),
    (read_decimal, "1.790", Decimal("1.790")),
    (read_decimal, " .5 ", Decimal("0.5")),
    (read_decimal, "1e-2", Decimal("0.01")),
    (read_decimal, 1e22, Decimal("1e22")),
    (read_boolean, True, True),
    (read_boolean, False, False),
    (read_boolean, "True", True),
    (read_boolean, "FALSE", False),
    (read_boolean, " false ", False),
    (read_boolean, 1, True),
    (read_boolean, 0, False),
    (read_boolean, "1", True),
    (read_boolean, "0", False),
    (read_datetime, "2012-02-08T15:46:06Z", datetime(2012, 2, 8, 15, 46, 6, tzinfo=UTC)),
    (read_datetime, "2007-10-22T00:00:00+01:00", datetime(2007, 10, 22, tzinfo=BRITISH_SUMMER)),
    (read_datetime, "2012-02-08T15:46:06", datetime(2012, 2, 8, 15, 46, 6, tzinfo=UTC)),
    (read_datetime, "2012-02-08T15:46:06.5Z", datetime(2012, 2, 8, 15, 46, 6, 500_000, tzinfo=UTC)),
    (read_datetime, "2017-03-21T11:51:13.77Z", datetime(2017, 3, 21, 11, 51, 13, 770_000, tzinfo=UTC)),
    (read_datetime, "2012-02-08T15:46:06.1234567Z", datetime(2012, 2, 8, 15, 46, 6, 123_456, tzinfo=UTC)),
    (
        read_datetime,
        "2012-02-08T15:46:06.123456789+01:00",
        datetime(2012, 2, 8, 15, 46, 6, 123_456, tzinfo=BRITISH_SUMMER),
    ),
    (read_datetime, "1969-09-26", datetime(1969, 9, 26, tzinfo=UTC)),
    (read_datetime, "0001-01-01T00:00:00", datetime(1, 1, 1, tzinfo=UTC)),
    (read_date, "1969-09-26", date(1969, 9, 26)),
    (read_date, "19690926", date(1969, 9, 26)),
    (read_date, "2007-10-22T00:00:00+01:00", date(2007, 10, 22)),
    (read_date, "2003-05-31T23:00:00Z", date(2003, 5, 31)),
]

UNFIT = [
    *[
        (reader, value)
        for reader in (read_text, read_whole_number, read_decimal, read_boolean, read_datetime, read_date)
        for value in (None, [], {}, [1])
    ],
    *[(read_text, value) for value in (True, False, 1.5, 1.0)],
    *[
        (read_whole_number, value)
        for value in (True, False, "", "1.5", "x", "1_000", "\u0661\u0662", 1.5, float("inf"), float("nan"))
    ],
    (read_whole_number, "9" * 5000),
    *[
        (read_decimal, value)
        for value in (True, "", "x", "NaN", "Infinity", "1_000", "1,5", "\u0661", "£5", "1e9999", "9" * 5000)
    ],
    *[(read_decimal, value) for value in (float("inf"), float("-inf"), float("nan"))],
    *[(read_boolean, value) for value in ("", "yes", "t", 2, -1, 1.0, 0.0)],
    *[
        (read_datetime, value)
        for value in ("", "yesterday", "2012-13-01", "2012-02-30T00:00:00Z", 1328715966, 1.5, True)
    ],
    *[(read_date, value) for value in ("", "soon", "1969-02-30", 19690926, True)],
]


@each_row(("reader", "value", "expected"), FITTING)
def test_what_fits_is_read(reader, value, expected):
    read = reader(value)
    assert read == expected
    assert type(read) is type(expected)


@each_row(("reader", "value"), UNFIT)
def test_what_does_not_fit_is_refused_without_showing_it(reader, value):
    with pytest.raises(WrongTypeError) as caught:
        reader(value)
    assert str(caught.value).startswith("is ")
    if isinstance(value, str) and len(value) > 3:
        assert value not in str(caught.value)


@pytest.mark.parametrize("value", ["2007-10-22T00:00:00", "2007-10-22T00:00:00Z", "2007-10-22"])
def test_times_are_always_aware(value):
    assert read_datetime(value).utcoffset() is not None


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**9), max_value=10**9))
def test_money_survives_as_text_and_as_a_number(amount):
    assert read_decimal(str(amount)) == amount
    assert read_decimal(float(amount)) == amount


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e40, max_value=1e40))
def test_floats_stand_for_the_decimal_that_denotes_them(number):
    assert float(read_decimal(number)) == number


@given(st.datetimes(timezones=st.sampled_from([UTC, BRITISH_SUMMER])))
def test_times_survive(time):
    assert read_datetime(time.isoformat()) == time


@given(
    st.sampled_from([read_text, read_whole_number, read_decimal, read_boolean, read_datetime, read_date]),
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers()),
)
def test_a_reader_returns_its_type_or_refuses(reader, value):
    wanted = {
        read_text: str,
        read_whole_number: int,
        read_decimal: Decimal,
        read_boolean: bool,
        read_datetime: datetime,
        read_date: date,
    }[reader]
    try:
        read = reader(value)
    except WrongTypeError:
        return
    assert type(read) is wanted


@each_row(
    ("value", "expected"),
    [(3, 3), ("3", 3), (3.0, 3), (0, 0), (-1, None), (True, None), (None, None), ("x", None), ([], None), ({}, None)],
)
def test_counts_are_read_leniently(value, expected):
    assert read_count(value) == expected
