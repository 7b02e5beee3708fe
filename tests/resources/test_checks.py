"""What is refused before a request leaves, and under which argument's name."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from support.rows import each_row

from sevendigital_async import InvalidArgumentError
from sevendigital_async.resources import checks

TODAY = date(2026, 5, 28)
NOON = datetime(2026, 5, 28, 12, tzinfo=UTC)


def refused(check, *args, **kwargs):
    """Return the name of the argument that a check refuses."""
    with pytest.raises(InvalidArgumentError) as caught:
        check(*args, **kwargs)
    assert caught.value.argument in str(caught.value)
    return caught.value.argument


@pytest.mark.parametrize("amount", [None, Decimal("0.00"), Decimal("9.99"), Decimal("1E+2"), Decimal(9), 0, 9])
def test_prices(amount):
    checks.price("price", amount)


@each_row("amount", [Decimal("-0.01"), Decimal("9.999"), Decimal("NaN"), Decimal("Infinity"), -1, 9.99, "9.99", True])
def test_what_is_no_price(amount):
    assert refused(checks.price, "retail_price", amount) == "retail_price"


def test_exactly_one_of_several():
    checks.exactly_one(release_id="1", artist_id=None)
    checks.exactly_one(release_id=None, artist_id="")
    assert refused(checks.exactly_one, release_id=None, artist_id=None) == "release_id"
    assert refused(checks.exactly_one, release_id="1", artist_id="2") == "artist_id"


def test_one_that_needs_another():
    checks.require_argument("track_id", None, "release_id", None)
    checks.require_argument("track_id", None, "release_id", "1")
    checks.require_argument("track_id", "1", "release_id", "1")
    assert refused(checks.require_argument, "track_id", "1", "release_id", None) == "release_id"


def test_lengths_of_texts():
    for text in (None, "", "x" * 500, "é" * 500):
        checks.text_length("description", text, 500)
    assert refused(checks.text_length, "description", "x" * 501, 500) == "description"


@pytest.mark.parametrize("tags", [None, {}, {"k" * 50: "v" * 100}, {str(number): "" for number in range(10)}])
def test_purchase_tags(tags):
    checks.purchase_tags(tags)


@pytest.mark.parametrize(
    "tags", [{str(number): "" for number in range(11)}, {"": "v"}, {"k" * 51: "v"}, {"key": "v" * 101}]
)
def test_what_is_no_purchase_tag(tags):
    assert refused(checks.purchase_tags, tags) == "tags"
    assert refused(checks.purchase_tags, tags, "tag") == "tag"


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (TODAY, date(2026, 5, 29)),
        (TODAY, date(2026, 6, 28)),
        (date(2026, 1, 31), date(2026, 2, 28)),
        (date(2028, 1, 30), date(2028, 2, 29)),
        (date(2026, 12, 15), date(2027, 1, 15)),
    ],
)
def test_subscription_periods(start, end):
    checks.subscription_period(start, end)


@each_row(
    ("start", "end", "name"),
    [
        (TODAY, TODAY, "end_date"),
        (TODAY, date(2026, 5, 27), "end_date"),
        (TODAY, date(2026, 6, 29), "end_date"),
        (date(2026, 1, 31), date(2026, 3, 1), "end_date"),
        (date(2026, 12, 15), date(2027, 1, 16), "end_date"),
        (datetime(2026, 5, 28), date(2026, 6, 1), "start_date"),
        (TODAY, datetime(2026, 6, 1), "end_date"),
        (NOON, NOON, "end_date"),
        (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=2))), NOON, "start_date"),
        (NOON, NOON.replace(month=6, second=1), "end_date"),
        (datetime(9999, 12, 31, tzinfo=UTC), date(9999, 12, 31), "end_date"),
        ("2026-05-28", date(2026, 6, 1), "start_date"),
    ],
)
def test_what_is_no_subscription_period(start, end, name):
    assert refused(checks.subscription_period, start, end) == name


def test_a_period_is_one_of_moments_too():
    checks.subscription_period(NOON, NOON.replace(month=6))
    checks.subscription_period(TODAY, NOON)
    checks.subscription_period(datetime(9999, 12, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, tzinfo=UTC))


def test_a_period_does_not_begin_before_its_activation():
    end = date(2026, 6, 1)
    checks.subscription_period(TODAY, end, TODAY)
    checks.subscription_period(NOON, end, NOON)
    checks.subscription_period(NOON, end, TODAY)
    assert refused(checks.subscription_period, TODAY, end, NOON) == "start_date"
    assert refused(checks.subscription_period, NOON, end, NOON.replace(second=1)) == "start_date"
    assert refused(checks.subscription_period, NOON, end, "2026-05-28") == "activated_at"


@pytest.mark.parametrize("value", [None, "x", [0], {"k": "v"}])
def test_what_has_something_in_it(value):
    checks.non_empty("name", value)


@pytest.mark.parametrize("value", ["", " \t", [], (), {}])
def test_what_has_nothing_in_it(value):
    assert refused(checks.non_empty, "name", value) == "name"


def test_lists_of_things():
    assert checks.non_empty_list("ids", ("1", "2")) == ["1", "2"]
    assert checks.non_empty_list("ids", iter("12")) == ["1", "2"]
    assert refused(checks.non_empty_list, "ids", []) == "ids"
    assert refused(checks.non_empty_list, "ids", "12") == "ids"
