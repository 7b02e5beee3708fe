"""The fast encoding has the same result as the slow one for every play."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevendigital_async import InvalidLogError, PlayMode, StreamLog
from sevendigital_async.models.stream_log import Window, checked_and_encoded

NOW = datetime(2026, 5, 28, 14, 30, 45, 123_456, tzinfo=UTC)
WINDOW = Window.at(NOW)
MICROSECOND = timedelta(microseconds=1)

ODD_TEXTS = st.sampled_from(
    [
        *(
            "",
            " ",
            "  a",
            "a ",
            "\t",
            "\0",
            "a\0b",
            "\\",
            '"',
            '""',
            '"," ',
            "\ud800",
            "é",
            "\u3000",
            "\u00a0x",
            "\x7f",
        ),
        *("!", "~", "a" * 255, "a" * 256, "é" * 255, "é" * 256, "\n" * 200, 7, 7.5, True, b"a", [], {}, ("a",)),
    ]
)
TEXTS = ODD_TEXTS | st.text(max_size=300)
ZONES = st.sampled_from([None, UTC, timezone.utc, timezone(timedelta(0)), timezone(timedelta(hours=-9, minutes=30))])  # noqa: UP017 - the same one
AGES = st.sampled_from([timedelta(days=61), -timedelta(minutes=2)]).flatmap(
    lambda edge: st.integers(-2, 2).map(lambda number: edge + number * MICROSECOND)
) | st.timedeltas(timedelta(days=-1), timedelta(days=70))
MOMENTS = st.builds(
    lambda age, zone, whole: (
        ((NOW - age).replace(microsecond=whole) if whole is not None else NOW - age).astimezone(zone)
        if zone
        else (NOW - age).replace(tzinfo=None)
    ),
    AGES,
    ZONES,
    st.sampled_from([None, 0, 1, 120_000, 999_000]),
)
LOGS = st.builds(
    StreamLog,
    TEXTS | st.none(),
    MOMENTS | st.sampled_from([None, "2026-05-28T14:30:45Z", 7]),
    user_id=st.none() | TEXTS,
    client_id=st.none() | TEXTS,
    duration_played=st.none() | st.sampled_from([-1, 0, 2**31 - 1, 2**31, True, 1.0, "1"]) | st.integers(0, 500),
    country=st.none() | st.sampled_from(["GB", "de", "", "G", "GBR", "1A", "éa", "G ", 12, ["G", "B"], b"GB"]),
    release_id=st.none() | st.just("1"),
    play_mode=st.none() | st.sampled_from(["", PlayMode.ONLINE]),
)
USUAL = st.builds(
    StreamLog,
    st.integers(1, 10**8).map(str),
    st.timedeltas(timedelta(0), timedelta(days=60)).map(lambda age: NOW - age),
    user_id=st.none() | st.text("abc-123", min_size=1, max_size=60),
    client_id=st.none() | st.text("xyz 789", min_size=1, max_size=60),
    duration_played=st.none() | st.integers(0, 500),
    country=st.none() | st.sampled_from(["GB", "de"]),
)


def the_long_way(log):
    log.check(WINDOW.now)
    return log.encode(plain=True)


def outcome(way, *arguments):
    try:
        return way(*arguments)
    except InvalidLogError as error:
        return str(error), error.field


@given(LOGS | USUAL)
def test_it_takes_refuses_and_writes_what_the_long_way_does(log):
    assert outcome(checked_and_encoded, log, WINDOW) == outcome(the_long_way, log)


@pytest.mark.parametrize(
    "log",
    [
        StreamLog("1", NOW),
        StreamLog("1", NOW, "u", "c", 0, "GB"),
        StreamLog("1", NOW.replace(microsecond=120_000), "u", "c", 0, "GB"),
        StreamLog("1", NOW.replace(microsecond=0), country="GB"),
    ],
)
def test_usual_plays_are_not_checked_twice(log, monkeypatch):
    wanted = the_long_way(log)
    monkeypatch.setattr(StreamLog, "check", lambda *_: pytest.fail("the long way"))
    assert checked_and_encoded(log, WINDOW) == wanted
