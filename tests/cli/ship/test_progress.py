"""Percentages that are right after a resume, the time that remains, a line for each source, and lag."""

import pytest

from sevendigital_async.cli.ship.progress import Estimate, ProgressMeter, RateMeter, format_duration
from sevendigital_async.cli.ship.report import RunCounts
from sevendigital_async.sources import Lag, StreamCounts, StreamProgress


def counts(put=0, delivered=0, waiting=0, left=0):
    return RunCounts(put, left, delivered, waiting, 0, 0, 0)


class Files:
    def __init__(self, *progress):
        self._progress = list(progress)

    def progress(self):
        return self._progress


def test_a_resumed_run_begins_at_its_percentage():
    at_start = [StreamProgress("a", start=600, read=600, total=1000)]
    assert Estimate.from_counts(at_start, 0, 0, 0) == Estimate(600, 1000, None)
    half = [StreamProgress("a", start=600, read=800, total=1000)]
    estimate = Estimate.from_counts(half, read=20, done=10, waiting=10)
    assert estimate == Estimate(700, 1000, 30)
    assert estimate.seconds_left(10) == 3
    assert estimate.seconds_left(0) is None
    done = [StreamProgress("a", 600, 1000, 1000, is_finished=True)]
    assert Estimate.from_counts(done, 40, 40, 0) == Estimate(1000, 1000, 0)


def test_a_pipe_has_no_percentage():
    assert Estimate.from_counts([StreamProgress("stdin", 0, 500, None)], 10, 5, 5) == Estimate(250, None, None)


def test_the_first_line_is_about_the_run():
    now = [0.0]
    streams = {"a": StreamCounts("a", put=100, rejected=1)}
    meter = ProgressMeter("a", Files(StreamProgress("a", 500, 600, 1000)), streams, lambda: now[0])
    meter.bars(counts())
    now[0] = 10.0
    [bar] = meter.bars(counts(put=100, delivered=50, waiting=50))
    assert bar.name == "a"
    assert (round(bar.done), bar.total) == (550, 1000)
    # 50 that wait and about 404 that were not read, five a second
    assert bar.text == "55 %, 50 delivered, 50 waiting, 1 rejected, 5/s, 91 s left"


def test_each_of_several_sources_has_a_line():
    progress = [StreamProgress("a", 0, 10, 10, is_finished=True), StreamProgress("b", 0, 5, 20)]
    streams = {"x/a": StreamCounts("a", put=7), "x/b": StreamCounts("b", put=3, rejected=1)}
    bars = ProgressMeter("a, b", Files(*progress), streams).bars(counts(put=10))
    assert [(bar.name, bar.done, bar.total, bar.text) for bar in bars[1:]] == [
        ("a", 10, 10, "7 put"),
        ("b", 5, 20, "3 put, 1 rejected"),
    ]


def test_of_very_many_sources_those_have_a_line_that_are_being_read():
    progress = [StreamProgress(str(number), 0, 1, 1, number < 20) for number in range(100)]
    streams = {str(number): StreamCounts(str(number)) for number in range(21)}
    bars = ProgressMeter("*", Files(*progress), streams).bars(counts())
    assert [bar.name for bar in bars] == ["*", "20"]


def test_files_that_grow_have_lag():
    class Following:
        def lag(self):
            return Lag(files=2, size=12345, seconds=3.21)

    streams = {str(number): StreamCounts(f"log-{number}", put=1) for number in range(2)}
    whole, *files = ProgressMeter("log", Following(), streams).bars(counts(put=2))
    assert whole.text.endswith("12,345 bytes and 3.2 s behind, 2 files open")
    assert whole.total is None
    assert [bar.name for bar in files] == ["log-0", "log-1"]


def test_a_rate_is_that_of_the_last_seconds():
    meter = RateMeter(window=10.0)
    assert meter.rate == 0
    for second in range(20):
        meter.add(1000 if second < 5 else 1000 + second, float(second))
    assert meter.rate == pytest.approx(1)
    assert meter.seconds == 10


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3, "3 s"), (90, "90 s"), (600, "10 min"), (3600, "1 h"), (12_000, "3 h 20 min"), (190_000, "2 d 4 h")],
)
def test_durations_are_short(seconds, text):
    assert format_duration(seconds) == text
