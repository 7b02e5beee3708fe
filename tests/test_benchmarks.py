import json
import subprocess
import sys
from operator import attrgetter
from pathlib import Path

import pytest
from support.rows import each_row

ROOT = Path(__file__).parents[1]
JOBS = {"call", "sign", "decode", "ship", "file", "durable", "preview", "growth", "health", "start"}
COMPARED = {"python", "cores", "sevendigital_async", "aiohttp", "authlib", "orjson"}


def benchmarks(*arguments):
    command = [sys.executable, "-m", "benchmarks", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=500)


def every_job_prints_its_table_and_writes_its_results(run, results):
    assert results.keys() == JOBS
    for result in results.values():
        assert result["title"] in run.stdout
        assert all(str(next(iter(row.values()))) in run.stdout for row in result["rows"])


def results_name_what_was_compared_and_hold_every_measurement(_, results):
    for result in results.values():
        assert result["scale"] == "smallest"
        assert result["environment"].keys() >= COMPARED
        assert all(isinstance(target["met"], bool) for target in result["targets"])
        assert all(result["samples"].values())


def the_shipper_and_the_bare_loop_are_sides_of_one_run(_, results):
    sides = {row["side"] for row in results["ship"]["rows"]}
    assert {"shipper, put_many", "shipper, put", "bare loop, 16 in flight", "bare loop, one at a time"} <= sides
    assert results["ship"]["samples"].keys() == sides


def the_command_and_twenty_lines_ship_the_same_file(_, results):
    rows = {row["side"]: row for row in results["file"]["rows"]}
    ours = {f"{side}, {spool}" for side in ("sevendigital ship", "ship_from") for spool in ("memory", "file spool")}
    assert {"twenty lines", *ours} <= rows.keys()
    assert all(row["CPU s"] > 0 for row in rows.values())
    assert any("peak memory" in target["what"] for target in results["file"]["targets"])


def durable_puts_are_measured_by_the_number_of_producers(_, results):
    rows = {(row["side"], row["producers"]): row for row in results["durable"]["rows"]}
    assert {("shipper, put", producers) for producers in (1, 16, 256)} <= rows.keys()
    assert all(row["puts/s"] > 0 and row["p50 ms"] <= row["p99 ms"] for row in rows.values())


def the_preview_lane_keeps_the_limit(_, results):
    ours = [row for row in results["preview"]["rows"] if row["side"] == "shipper"]
    assert ours
    assert all(row["requests"] > 0 and row["over the limit"] == 0 for row in ours)


CHECKS = (
    every_job_prints_its_table_and_writes_its_results,
    results_name_what_was_compared_and_hold_every_measurement,
    the_shipper_and_the_bare_loop_are_sides_of_one_run,
    the_command_and_twenty_lines_ship_the_same_file,
    durable_puts_are_measured_by_the_number_of_producers,
    the_preview_lane_keeps_the_limit,
)


@pytest.mark.timeout(600)
def test_a_run_of_all_jobs(tmp_path):
    run = benchmarks("--smallest", "--results", tmp_path)
    assert run.returncode == 0, run.stderr
    results = {path.stem: json.loads(path.read_bytes()) for path in tmp_path.glob("*.json")}

    @each_row("check", CHECKS, ids=attrgetter("__name__"))
    def hold(check):
        check(run, results)

    hold()  # one test, because each process that had a part of them would run all jobs


def test_an_unknown_job_is_a_usage_error():
    run = benchmarks("shipp")
    assert run.returncode == 2
    assert "no such job: shipp" in run.stderr
