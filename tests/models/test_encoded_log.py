"""Lines that are in the wire form already are taken as they are, and only those."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.rows import each_row

from sevendigital_async import InvalidLogError, StreamLog
from sevendigital_async.models.encoded_log import encoded_log
from sevendigital_async.models.stream_log import Window, checked_and_encoded

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
WINDOW = Window.at(NOW)

TEXTS = st.text(min_size=1, max_size=30)
TIMES = st.datetimes(NOW.replace(tzinfo=None) - timedelta(days=65), NOW.replace(tzinfo=None) + timedelta(hours=1)).map(
    lambda moment: moment.replace(tzinfo=UTC)
)
LOGS = st.builds(
    StreamLog,
    track_id=TEXTS,
    timestamp=st.one_of(
        TIMES, TIMES.map(lambda m: m.replace(microsecond=0)), TIMES.map(lambda m: m.replace(microsecond=5000))
    ),
    user_id=st.none() | TEXTS,
    client_id=st.none() | TEXTS,
    duration_played=st.none() | st.integers(-1, 10),
    country=st.none() | st.sampled_from(["GB", "gb", "D1", "é1", "GBR"]),
    release_id=st.none() | st.none() | TEXTS,
)


@given(LOGS)
def test_a_line_is_taken_only_if_it_is_a_play_and_encodes_to_itself(log):
    try:
        line = orjson.dumps(log.as_wire())
    except (orjson.JSONEncodeError, UnicodeEncodeError):
        return
    taken = encoded_log(line, WINDOW)
    if taken is not None:
        decoded = StreamLog.decode(line)
        assert checked_and_encoded(decoded, WINDOW) == line == taken.encode()
        assert taken.decode() == decoded
        assert (taken.timestamp, taken.user_id, taken.country) == (log.timestamp, log.user_id, log.country)


@given(LOGS)
def test_what_a_plain_play_encodes_to_is_taken(log):
    try:
        line = checked_and_encoded(log, WINDOW)
    except InvalidLogError:
        return
    is_plain = b"\\" not in line and b"\x7f" not in line
    texts = [text for text in (log.track_id, log.user_id, log.client_id) if text is not None]
    if is_plain and not any(text[0].isspace() or "\x7f" < text[0] < "\xa1" for text in texts):
        assert encoded_log(line, WINDOW) is not None


STAMP = "2026-04-30T20:15:00Z"


def line(**changes):
    return orjson.dumps({"trackId": "1", "timestamp": STAMP} | changes)


@each_row(
    "data",
    [
        b"",
        b"[]",
        b"1",
        b"{}",
        b"nonsense",
        b'{"trackId":"1"}',
        b'{"trackId": "1","timestamp":"2026-04-30T20:15:00Z"}',
        b'{"timestamp":"2026-04-30T20:15:00Z","trackId":"1"}',
        b'{"trackId":"1","trackId":"1","timestamp":"2026-04-30T20:15:00Z"}',
        b'{"trackId":"1","timestamp":"2026-04-30T20:15:00Z"}\r',
        line(trackId=1),
        line(trackId=""),
        line(trackId=" 1"),
        line(durationPlayed=True),
        line(durationPlayed=1.0),
        line(durationPlayed=2**31),
        line(durationPlayed=None),
        line(country="GBR"),
        line(country="G1"),
        line(releaseId="1"),
        line(colour="red"),
        line(kind="preview"),
        line(userId="x" * 300),
        line(userId="\xa0"),
        line(userId="\u2003x"),
        line(userId="x" * 256),
        line(userId='"'),
        *(
            line(timestamp=stamp)
            for stamp in (
                *("2026-04-30 20:15:00Z", "2026-04-30T20:15:00z", "2026-04-30T20:15:00+00:00", "2026-04-30T20:15:00"),
                *("2026-04-30T20:15Z", "20260430T201500Z", "2026-W18-4T20:15:00Z", "2026-04-30T24:00:00Z"),
                *(
                    "2026-04-30T20:15:00.000Z",
                    "2026-04-30T20:15:00.120000Z",
                    "2026-04-30T20:15:00.12Z",
                    "",
                    "Z",
                    5,
                    None,
                ),
                *("2026-04-31T20:15:00Z", "2026-01-30T20:15:00Z", "2026-05-01T12:03:00Z", "2026-04-30T20:15:00,123Z"),
            )
        ),
    ],
)
def test_any_other_line_takes_the_long_way(data):
    assert encoded_log(data, WINDOW) is None


@pytest.mark.parametrize("stamp", [STAMP, "2026-04-30T20:15:00.120Z", "2026-04-30T20:15:00.120001Z"])
def test_the_three_forms_of_a_timestamp(stamp):
    taken = encoded_log(line(timestamp=stamp), WINDOW)
    assert taken.timestamp == datetime.fromisoformat(stamp)
    assert "1" not in repr(taken.user_id)


def test_the_time_is_checked_again_when_it_is_put():
    taken = encoded_log(line(), WINDOW)
    assert taken.checked_body(WINDOW) == line()
    with pytest.raises(InvalidLogError, match="days old"):
        taken.checked_body(Window.at(NOW + timedelta(days=61)))
    with pytest.raises(InvalidLogError, match="in the future"):
        taken.checked_body(Window.at(NOW - timedelta(days=2)))
