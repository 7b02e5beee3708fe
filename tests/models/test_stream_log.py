from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.rows import each_row

from sevendigital_async import InvalidLogError, StreamLog
from sevendigital_async.models.stream_log import wire_time

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=255).filter(
    str.strip
)
MOMENTS = st.datetimes(
    datetime(2000, 1, 1),
    datetime(2100, 1, 1),
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-9, minutes=30))]),
)
LOGS = st.builds(
    StreamLog,
    TEXT,
    MOMENTS,
    user_id=st.none() | TEXT,
    client_id=st.none() | TEXT,
    duration_played=st.none() | st.integers(0, 2**31 - 1),
    country=st.none() | st.sampled_from(["GB", "de"]),
)


@given(LOGS)
def test_what_is_encoded_is_decoded(log):
    log.check(log.timestamp)
    assert StreamLog.decode(log.encode()) == log
    assert orjson.loads(log.encode()) == log.as_wire()
    assert None not in log.as_wire().values()


@given(MOMENTS)
def test_times_keep_their_instant_and_are_written_in_utc(moment):
    assert wire_time(moment).endswith("Z")
    assert datetime.fromisoformat(wire_time(moment)) == moment


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 5, 28, 14, 30, 45, tzinfo=UTC), "2026-05-28T14:30:45Z"),
        (datetime(2026, 5, 28, 14, 30, 45, 120_000, tzinfo=UTC), "2026-05-28T14:30:45.120Z"),
        (datetime(2026, 5, 28, 14, 30, 45, 7, tzinfo=UTC), "2026-05-28T14:30:45.000007Z"),
        (datetime(2026, 5, 28, 14, 30, tzinfo=timezone(timedelta(hours=2))), "2026-05-28T12:30:00Z"),
    ],
)
def test_times_are_as_precise_as_they_are_and_no_longer(moment, text):
    assert wire_time(moment) == text


def test_a_zero_duration_is_sent():
    log = StreamLog("1", datetime(2026, 1, 1, tzinfo=UTC), duration_played=0)
    assert orjson.loads(log.encode())["durationPlayed"] == 0


@each_row(
    ("line", "field"),
    [
        ("", None),
        ("{", None),
        ("[]", None),
        ('"x"', None),
        ("{}", "track_id"),
        ('{"trackId":"1"}', "timestamp"),
        ('{"trackId":"1","timestamp":"soon"}', "timestamp"),
        ('{"trackId":"1","timestamp":7}', "timestamp"),
        ('{"trackId":"1","timestamp":"2026-01-01T00:00:00Z","durationplayed":1}', "durationplayed"),
    ],
)
def test_lines_that_are_no_play_are_refused(line, field):
    with pytest.raises(InvalidLogError) as caught:
        StreamLog.decode(line)
    assert caught.value.field == field


def test_numeric_ids_and_seven_fractional_digits_are_understood():
    log = StreamLog.decode('{"trackId":123,"timestamp":"2026-05-28T14:30:45.1234567Z","userId":null}')
    assert log == StreamLog("123", datetime(2026, 5, 28, 14, 30, 45, 123_456, tzinfo=UTC))
