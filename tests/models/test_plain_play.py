"""The fast encoding has the same result as the slow one for every play."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevendigital_async import InvalidLogError, PlayMode, StreamLog
from sevendigital_async.models.encoding import encode_logs
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
ORDINARY = st.builds(
    StreamLog,
    st.integers(1, 10**8).map(str),
    MOMENTS.filter(lambda moment: moment.tzinfo is UTC and WINDOW.oldest < moment <= WINDOW.newest),
    user_id=st.sampled_from([None, "u", "},{", "000Z", "a ", "~", "null"]),
    client_id=st.none() | st.text("xyz},{", min_size=1, max_size=60),
    duration_played=st.none() | st.integers(0, 500),
    country=st.sampled_from([None, "GB", "US"]),
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


@given(st.lists(LOGS | USUAL | ORDINARY, min_size=1, max_size=4) | st.lists(ORDINARY, min_size=1))
def test_together_they_are_written_as_one_by_one_or_not_at_all(logs):
    bodies = encode_logs(logs, WINDOW)
    assert bodies is None or bodies == [the_long_way(log) for log in logs]


@given(st.lists(ORDINARY.filter(lambda log: "},{" not in (log.user_id or "") + (log.client_id or "")), min_size=1))
def test_ordinary_plays_are_written_together(logs):
    assert encode_logs(logs, WINDOW) is not None


@pytest.mark.parametrize(
    "odd",
    [
        *(
            {name: text}
            for name in ("track_id", "user_id", "client_id")
            for text in ("", " a", "\u3000", '"', "\\", "\n", "\ud800")
        ),
        *({name: "a" * 256} for name in ("track_id", "user_id", "client_id")),
        *({name: None} for name in ("track_id", "timestamp")),
        *(
            {"timestamp": moment}
            for moment in (NOW - timedelta(days=61), NOW + timedelta(minutes=3), NOW.replace(tzinfo=None))
        ),
        *({"duration_played": number} for number in (-1, 2**31, True, 1.0, "1")),
        {"country": "ZZ"},
        {"timestamp": NOW.astimezone(timezone(timedelta(hours=1)))},
        *({name: "1"} for name in ("release_id", "format_id", "play_mode", "end_reason", "play_type", "user_agent")),
    ],
)
def test_plays_with_one_that_is_not_ordinary_are_not_written_together(odd):
    fields = {
        "track_id": "1",
        "timestamp": NOW,
        "user_id": "u",
        "client_id": "c",
        "duration_played": 0,
        "country": "GB",
    }
    ordinary = StreamLog(**fields)
    assert encode_logs([ordinary, ordinary], WINDOW)
    assert encode_logs([ordinary, StreamLog(**fields | odd), ordinary], WINDOW) is None
