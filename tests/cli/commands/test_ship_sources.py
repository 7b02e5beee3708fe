"""``sevendigital ship`` of files in several formats, of kinds that records give, of growing files and of a topic."""

import asyncio
import csv
import gzip
import io
import signal

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.cli_process import as_counted, lines_in, open_sandbox, plays, received, running, sevendigital, until
from support.kafka_cluster import open_cluster

from sevendigital_async import LogKind, StreamLog

BOTH = ("--kind", "catalogue", "--json")


def as_lines(logs, **more):
    return b"".join(orjson.dumps({**log.as_wire(), **more}) + b"\n" for log in logs)


def as_csv(logs, **more):
    text = io.StringIO()
    rows = [{**log.as_wire(), **more} for log in logs]
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


async def ship(tmp_path, sandbox, *arguments, **options):
    return await sevendigital("ship", *arguments, cwd=tmp_path, base_url=sandbox.base_url, **options)


async def test_files_of_all_formats_in_one_run_and_nothing_in_the_next(tmp_path):
    logs = plays(900)
    (tmp_path / "a.log").write_bytes(as_lines(logs[:300]) + b"nonsense\n")
    (tmp_path / "b.log").write_bytes(gzip.compress(as_csv(logs[300:600])))
    pq.write_table(pa.Table.from_pylist([log.as_wire() for log in logs[600:]]), tmp_path / "c.parquet")
    async with open_sandbox() as sandbox:
        arguments = ("*.log", "c.parquet", "--spool", "x.db", *BOTH)
        first = await ship(tmp_path, sandbox, *arguments)
        again = await ship(tmp_path, sandbox, *arguments)
        assert received(sandbox) == as_counted(logs)
    assert (first.code, again.code) == (3, 0)
    assert [(each["name"], each["put"], each["lines"], each["rejected"]) for each in first.summary["sources"]] == [
        ("a.log", 300, 301, 1),
        ("b.log", 300, 301, 0),  # with its header
        ("c.parquet", 300, 300, 0),
    ]
    assert first.summary["put"] == first.summary["delivered"] == 900
    assert "a.log:301: not valid JSON" in first.err
    assert (tmp_path / "plays.rejected").read_bytes() == b"nonsense\n"
    assert again.summary["put"] == again.summary["rejected"] == 0


async def test_records_give_their_kinds_and_columns_are_mapped(tmp_path):
    logs = plays(60)
    wire = [log.as_wire() for log in logs]
    kinds = [kind.value for kind in LogKind]
    lines = ["track,played_at,type,clientId,durationPlayed,country,note"]
    lines += [
        f"{play['trackId']},{play['timestamp']},{kinds[index % 3]},{play['clientId']},{play['durationPlayed']},GB,x"
        for index, play in enumerate(wire)
    ]
    (tmp_path / "plays.csv").write_text("\n".join([*lines, "1,2026,radio,,,,"]) + "\n")
    mapping = ("--map", "trackId=track,timestamp=played_at", "--map", "kind=type")
    async with open_sandbox() as sandbox:
        ended = await ship(tmp_path, sandbox, "plays.csv", *mapping, "--json")
        for number, kind in enumerate(LogKind):
            assert received(sandbox, kind) == as_counted(logs[number::3])
        shown = await ship(tmp_path, sandbox, "plays.csv", *mapping, "--from-line", "1")
    assert ended.code == shown.code == 3
    assert "plays.csv:62: kind must be one of" in ended.err
    for counts in ended.summary["kinds"].values():
        assert (counts["put"], counts["delivered"]) == (20, 20)
        ends = counts["delivered"] + counts["waiting"] + counts["buried"] + counts["held"]
        assert counts["put"] + counts["from_earlier_runs"] == ends
    assert (ended.summary["kind"], ended.summary["put"], ended.summary["delivered"]) == (None, 60, 60)
    table = {line.split("  ")[0]: line.split() for line in shown.out.splitlines()}
    assert shown.out.splitlines()[0].split() == ["preview", "catalogue", "subscriber", "all", "plays"]
    assert table["put"][1:] == ["20", "20", "20", "60"]
    assert table["delivered"][1:] == ["20", "20", "20", "60"]


async def test_a_kind_of_a_record_comes_before_the_option(tmp_path):
    one, other = plays(2)
    (tmp_path / "plays.jsonl").write_bytes(as_lines([one], kind="preview") + as_lines([other]))
    async with open_sandbox() as sandbox:
        ended = await ship(tmp_path, sandbox, "plays.jsonl", *BOTH)
        assert received(sandbox, LogKind.PREVIEW) == as_counted([one])
        assert received(sandbox, LogKind.CATALOGUE) == as_counted([other])
    assert ended.code == 0
    assert {kind: counts["delivered"] for kind, counts in ended.summary["kinds"].items()} == {
        "preview": 1,
        "catalogue": 1,
    }


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'[{"trackId": "1"}]\n', "looks like a JSON array"),
        ("trackId\n".encode("utf-16"), "UTF-16"),
        (bytes(range(1, 256)) + b"\0", "binary"),
        (as_csv(plays(3), speed="1"), "--map"),
        (gzip.compress(as_lines(plays(1)))[:30], "gzip data is cut short or damaged"),
        (as_lines(plays(3)), "--kind"),
    ],
    ids=["a JSON array", "UTF-16", "binary", "unknown columns", "gzip that is cut short", "no kind"],
)
@pytest.mark.parametrize("is_piped", [False, True])
async def test_what_is_not_a_file_of_plays_ends_in_one_message_before_anything_is_made(
    tmp_path, content, words, is_piped
):
    (tmp_path / "good.jsonl").write_bytes(as_lines(plays(5), kind="preview"))
    (tmp_path / "plays").write_bytes(content)
    files = ("-",) if is_piped else ("good.jsonl", "plays", "--spool", "x.db")
    kind = () if words == "--kind" else ("--kind", "preview")
    async with open_sandbox() as sandbox:
        ended = await ship(tmp_path, sandbox, *files, *kind, stdin=content if is_piped else b"")
        assert not sandbox.received()
    [message] = ended.err.splitlines()
    assert ended.code == 1
    assert words in message
    assert message.startswith(f"sevendigital: {'stdin' if is_piped else 'plays'}")
    assert {path.name for path in tmp_path.iterdir()} == {"good.jsonl", "plays"}


async def test_the_format_that_is_given_is_the_one_that_is_read(tmp_path):
    (tmp_path / "plays").write_bytes(as_csv(plays(3)))
    async with open_sandbox() as sandbox:
        wrong = await ship(tmp_path, sandbox, "plays", "--kind", "preview", "--format", "json-lines")
        right = await ship(tmp_path, sandbox, "plays", "--kind", "preview", "--format", "csv")
        assert received(sandbox) == as_counted(plays_of(tmp_path / "plays"))
    assert (wrong.code, right.code) == (1, 0)
    assert "looks like CSV, not JSON lines; pass --format csv" in wrong.err


def plays_of(path):
    rows = csv.DictReader(io.StringIO(path.read_text()))
    return [StreamLog.decode(orjson.dumps({**row, "durationPlayed": int(row["durationPlayed"])})) for row in rows]


async def test_a_file_that_is_damaged_in_its_middle_is_shipped_up_to_there(tmp_path):
    logs = plays(5_000)
    (tmp_path / "plays.gz").write_bytes(gzip.compress(as_lines(logs))[:-2_000])
    async with open_sandbox() as sandbox:
        ended = await ship(tmp_path, sandbox, "plays.gz", *BOTH)
        arrived = received(sandbox)
        assert 1_000 < arrived.total() == ended.summary["put"] < 5_000
        assert arrived == as_counted(logs[: arrived.total()])
        (tmp_path / "plays.gz").write_bytes(gzip.compress(as_lines(logs)))
        again = await ship(tmp_path, sandbox, "plays.gz", *BOTH)
        assert received(sandbox) == as_counted(logs)
    assert (ended.code, again.code) == (4, 0)
    assert "plays.gz: the gzip data is cut short or damaged" in ended.err
    assert ended.summary["continue_at"] == arrived.total() + 1


async def test_of_several_files_those_that_were_not_read_to_their_ends_are_named(tmp_path):
    logs = plays(3)
    whole = as_lines(logs)
    (tmp_path / "a.jsonl").write_bytes(as_lines(logs[:1]))
    (tmp_path / "b.jsonl").write_bytes(whole[: len(whole) - 30])
    async with open_sandbox() as sandbox:
        ended = await ship(tmp_path, sandbox, "a.jsonl", "b.jsonl", "--spool", "x.db", *BOTH[:2])
    assert ended.code == 4
    assert "b.jsonl: line 3, the last one, has no line feed and is not a play" in ended.out
    assert "a.jsonl: line" not in ended.out
    assert ended.err.splitlines()[-1] == "sevendigital: files not read to their ends: 1"


async def test_pipes_have_no_checkpoint(tmp_path):
    logs = plays(20)
    async with open_sandbox() as sandbox:
        for part in (logs[:10], logs[10:]):
            ended = await ship(tmp_path, sandbox, "-", *BOTH, stdin=as_lines(part))
            assert (ended.code, ended.summary["put"]) == (0, 10)
        (tmp_path / "same.jsonl").write_bytes(as_lines(logs[:10]))
        with (tmp_path / "same.jsonl").open("rb") as file:
            async with running("ship", "-", *BOTH, cwd=tmp_path, base_url=sandbox.base_url, stdin=file) as command:
                ended = await command.end()
        assert (ended.code, ended.summary["put"]) == (0, 10)
        assert received(sandbox).total() == 30


async def test_what_is_left_of_mixed_plays_keeps_their_kinds(tmp_path, unused_tcp_port):
    logs = plays(40)
    (tmp_path / "plays.jsonl").write_bytes(as_lines(logs[:20], kind="preview") + as_lines(logs[20:], kind="catalogue"))
    left = await sevendigital(
        *("ship", "plays.jsonl", "--spool", "memory", "--patience", "0.3", "--drain", "0", "--linger", "0"),
        cwd=tmp_path,
        base_url=f"http://127.0.0.1:{unused_tcp_port}",
    )
    assert left.code == 4
    async with open_sandbox() as sandbox:
        ended = await ship(tmp_path, sandbox, "plays.jsonl.unsent", "--spool", "memory")
        assert received(sandbox, LogKind.PREVIEW) == as_counted(logs[:20])
        assert received(sandbox, LogKind.CATALOGUE) == as_counted(logs[20:])
    assert ended.code == 0


@pytest.mark.parametrize("options", [(), ("--kind", "preview")])
async def test_buried_plays_of_a_run_without_a_spool_keep_their_kinds(tmp_path, options):
    logs = plays(3)
    mixed = as_lines(logs, kind="preview") + as_lines(logs, kind="catalogue")
    (tmp_path / "plays.jsonl").write_bytes(mixed)
    async with open_sandbox(f"poison:{logs[1].track_id}") as sandbox:
        ended = await ship(tmp_path, sandbox, "plays.jsonl", "--spool", "memory", *options)
    assert (ended.code, ended.err.splitlines()[-1]) == (3, "sevendigital: plays buried: 2")
    async with open_sandbox() as sandbox:
        ended = await ship(tmp_path, sandbox, "plays.jsonl.rejected", "--spool", "memory", *options)
        assert received(sandbox, LogKind.PREVIEW) == received(sandbox, LogKind.CATALOGUE) == as_counted(logs[1:2])
    assert ended.code == 0


async def test_a_growing_file_is_shipped_until_a_signal_and_resumed(tmp_path):
    logs = plays(40)
    file = tmp_path / "plays.jsonl"
    file.write_bytes(as_lines(logs[:10]))
    follow = ("ship", "--follow", "plays.jsonl", "--linger", "0.1", "--poll", "0.1", *BOTH)
    async with open_sandbox() as sandbox:
        async with running(*follow, cwd=tmp_path, base_url=sandbox.base_url) as command:
            await until(lambda: received(sandbox) == as_counted(logs[:10]))
            whole = as_lines(logs[10:20])
            with file.open("ab") as growing:
                growing.write(b"nonsense\n" + whole[:-30])
            await until(lambda: received(sandbox) == as_counted(logs[:19]))
            with file.open("ab") as growing:
                growing.write(whole[-30:])
            await until(lambda: received(sandbox) == as_counted(logs[:20]))
            command.process.send_signal(signal.SIGTERM)
            first = await command.end()
        file.rename(tmp_path / "plays.jsonl.1")
        with (tmp_path / "plays.jsonl.1").open("ab") as rotated:
            rotated.write(as_lines(logs[20:30]))
        file.write_bytes(as_lines(logs[30:]))
        async with running(*follow, cwd=tmp_path, base_url=sandbox.base_url) as command:
            await until(lambda: received(sandbox).total() >= 40)
            command.process.send_signal(signal.SIGINT)
            second = await command.end()
        assert received(sandbox) == as_counted(logs)
    assert first.code == 3
    assert "plays.jsonl:11: not valid JSON" in first.err
    assert (tmp_path / "plays.jsonl.rejected").read_bytes() == b"nonsense\n"
    assert (first.summary["put"], first.summary["delivered"], first.summary["lag"]["size"]) == (20, 20, 0)
    assert (second.code, second.summary["put"]) == (0, 20)


@pytest.fixture
def cluster():
    with open_cluster(brokers=1) as cluster:
        cluster.create("plays", 1)
        yield cluster


async def test_a_topic_is_shipped_and_bad_messages_go_to_another(tmp_path, cluster):
    logs = plays(30)
    for data in (*(log.encode() for log in logs), b"nonsense"):
        cluster.produce("plays", data, partition=0)
    cluster.producer.flush(50)
    async with open_sandbox() as sandbox:
        async with running(
            *("ship", cluster.url("plays"), "--dead-letter-topic", "bad", "--linger", "0.1", *BOTH),
            cwd=tmp_path,
            base_url=sandbox.base_url,
        ) as command:
            await until(lambda: len(sandbox.received()) >= len(logs))
            command.process.send_signal(signal.SIGTERM)
            ended = await command.end()
        assert received(sandbox) == as_counted(logs)
    [bad] = await asyncio.to_thread(cluster.read, "bad", 1)
    assert bad.value() == b"nonsense"
    assert "plays:0:30: not valid JSON" in ended.err
    assert (ended.code, ended.summary["input"], ended.summary["put"]) == (3, "plays", 30)
    assert lines_in(tmp_path / "plays.rejected") == []
    assert (tmp_path / "plays.spool").exists()
