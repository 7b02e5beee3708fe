"""Cuts the power at any system call of a worker, and looks what is left of its spool.

The system calls of a worker are recorded by strace and played back on a model of a disk: what was not forced to it may
be there or not, in any selection and any order, and a write may be there in part. From every such state, the spool must
open and have all that was promised.
"""

import asyncio
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from copy import deepcopy
from functools import cache
from itertools import pairwise
from pathlib import Path

from attrs import define, field, frozen

import sevendigital_async
from sevendigital_async.clock import SystemClock
from sevendigital_async.shipping.spools.base import SpoolContext
from sevendigital_async.shipping.spools.sqlite import SqliteSpool

from .crashes import Findings
from .power_cut_worker import RULES, SOURCE

WORKER = Path(__file__).with_name("power_cut_worker.py")
SECTOR = 512
BEGINNING = 40
"""Calls that a worker needs to open a spool, or a few more."""

CALLS = (
    *("open", "openat", "creat", "write", "pwrite64", "writev", "pwritev", "pwritev2", "truncate", "ftruncate"),
    *("fallocate", "fsync", "fdatasync", "unlink", "unlinkat", "rename", "renameat", "renameat2", "link", "linkat"),
)
LINE = re.compile(r"^(?P<thread>\d+) +(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+)(<(?P<opened>[^>]*)>)?")
UNFINISHED = re.compile(r"^(?P<thread>\d+) +(?P<begin>.*) <unfinished \.\.\.>$")
RESUMED = re.compile(r"^(?P<thread>\d+) +<\.\.\. \w+ resumed>(?P<end>.*)$")
TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
HANDLE = re.compile(r"^\d+<([^>]*)>")
ESCAPED = re.compile(r"(?:\\x[0-9a-f]{2})+")


@cache
def missing():
    """Say why system calls can't be recorded here; None if they can."""
    strace = shutil.which("strace")
    if strace is None:
        return "strace is not installed"
    tried = subprocess.run([strace, "-f", "-y", "-qq", "-o", "/dev/null", sys.executable, "-c", ""], check=False)
    return "strace may not trace processes here" if tried.returncode else None


# -- what was done --


@frozen
class Call:
    """A system call that changed a file, or forced one to the disk."""

    name: str
    path: str
    data: bytes = field(default=b"", repr=False)
    at: int = 0
    target: str = ""


def recorded(command, directory):
    """Run a command; returns the calls that concern files in a directory, in order."""
    with tempfile.NamedTemporaryFile() as trace:
        strace = ("strace", "-f", "-y", "-qq", "-xx", "-s", str(2**24), "-e", f"trace={','.join(CALLS)}")
        subprocess.run(
            [*strace, "-o", trace.name, *command], check=True,
            env={"PYTHONPATH": str(Path(sevendigital_async.__file__).parent.parent)},
        )  # fmt: skip
        lines = Path(trace.name).read_text().splitlines()
    return [call for line in whole(lines) if (call := parsed(line, str(directory))) is not None]


def whole(lines):
    """Put calls of several threads together that strace has written in two parts; each counts where it ended."""
    begun = {}
    for line in lines:
        if found := UNFINISHED.match(line):
            begun[found["thread"]] = found["begin"]
        elif found := RESUMED.match(line):
            yield f"{found['thread']} {begun.pop(found['thread'])}{found['end']}"
        else:
            yield line


@frozen
class Traced:
    """A system call as strace reports it: its arguments, and the file of its descriptor."""

    name: str
    arguments: str
    result: int

    @property
    def texts(self):
        return [unescaped(text) for text in TEXT.findall(self.arguments)]

    @property
    def paths(self):
        return [text.decode() for text in self.texts]

    @property
    def last(self):
        return int(self.arguments.rpartition(", ")[2])

    @property
    def file(self):
        handle = HANDLE.match(self.arguments)
        return ESCAPED.sub(lambda found: unescaped(found[0]).decode(), handle[1])

    @property
    def written(self):
        return self.texts[0][: self.result]


def opened_file(traced):
    assert "O_TRUNC" not in traced.arguments, "the model of a disk does not support files truncated by open"
    return Call("create", traced.paths[0]) if "O_CREAT" in traced.arguments else None


KNOWN = {
    "openat": opened_file,
    "open": opened_file,
    "pwrite64": lambda traced: Call("write", traced.file, traced.written, traced.last),
    "write": lambda traced: Call("append", traced.file, traced.written),
    "ftruncate": lambda traced: Call("truncate", traced.file, at=traced.last),
    "fsync": lambda traced: Call("sync", traced.file),
    "fdatasync": lambda traced: Call("sync", traced.file),
    "unlink": lambda traced: Call("unlink", traced.paths[0]),
    "rename": lambda traced: Call("rename", traced.paths[0], target=traced.paths[1]),
}
"""What is known of the calls, by name."""


def unescaped(text):
    return bytes.fromhex(text.replace("\\x", ""))


def parsed(line, directory):
    """Return the call that a line tells of; None if it failed, or has to do with other files."""
    found = LINE.match(line)
    if found is None or found["result"] == "-1":
        return None
    traced = Traced(found["name"], found["arguments"], int(found["result"]))
    if traced.name not in KNOWN:
        assert directory not in ESCAPED.sub(lambda part: unescaped(part[0]).decode(errors="replace"), line), line
        return None
    call = KNOWN[traced.name](traced)
    if call is None or not (call.path + "/").startswith(f"{directory}/") or call.path.endswith("-shm"):
        return None  # no state of the -shm file is ever used after the power was gone
    return call


# -- the disk --


@define(eq=False)
class File:
    """What is on the disk for sure, and what was done since."""

    safe: bytearray = field(factory=bytearray)
    pending: list[Call] = field(factory=list)

    def content(self, chosen):
        """Return what is there when those of the pending calls happened that ``chosen`` returns, as it returns them."""
        content = bytearray(self.safe)
        for call in self.pending:
            if call.name == "truncate":
                if chosen(call):
                    del content[call.at :]
                    content.extend(bytes(call.at - len(content)))
            else:
                for piece, at in chosen(call):
                    content.extend(bytes(max(0, at - len(content))))
                    content[at : at + len(piece)] = piece
        return content


def everything(call):
    return [(call.data, call.at)]


@define
class Disk:
    """Files by name, as processes see them and as they are on the disk; calls of the directory happen in order."""

    directory: str
    names: dict[str, File] = field(factory=dict)
    safe_names: dict[str, File] = field(factory=dict)
    pending: list[tuple[str, str, File]] = field(factory=list)
    events: list[str] = field(factory=list)

    def apply(self, call):
        name = self._name(call.path)
        if call.name == "append":
            self.events.append(call.data.decode())
        elif name != "events":
            getattr(self, f"_{call.name}")(call, name)

    def _name(self, path):
        return path.removeprefix(self.directory).removeprefix("/")

    def _create(self, _, name):
        if name not in self.names:
            self._step("", name, File())

    def _write(self, call, name):
        self.names[name].pending.append(call)

    _truncate = _write

    def _sync(self, _, name):
        if name:
            file = self.names[name]
            file.safe, file.pending = file.content(everything), []
        else:
            self.safe_names, self.pending = dict(self.names), []

    def _unlink(self, _, name):
        self._step(name, "", self.names[name])

    def _rename(self, call, name):
        self._step(name, self._name(call.target), self.names[name])

    def _step(self, source, target, file):
        step = (source, target, file)
        self.pending.append(step)
        renamed(self.names, step)

    def seen(self):
        """Return what a process sees, and what another one sees after ``kill -9``."""
        return {name: file.content(everything) for name, file in self.names.items()}

    def left(self, rng):
        """Return what may be left when the power is cut now."""
        names = dict(self.safe_names)
        for step in self.pending[: rng.choice((0, len(self.pending), rng.randint(0, len(self.pending))))]:
            renamed(names, step)
        return {name: file.content(loss(rng)) for name, file in names.items()}


def renamed(names, step):
    source, target, file = step
    if source:
        names.pop(source, None)
    if target:
        names[target] = file


def loss(rng):
    """Make a choice of what reaches a disk although it was not forced there."""
    share, torn = rng.choice((0.0, 0.1, 0.5, 0.9, 1.0)), rng.choice((0.0, 0.0, 0.2))

    def chosen(call):
        if rng.random() >= share:
            return []
        if call.name == "truncate" or rng.random() >= torn:
            return everything(call)
        cuts = sorted({0, len(call.data), *range(SECTOR - call.at % SECTOR, len(call.data), SECTOR)})
        pieces = [(call.data[start:end], call.at + start) for start, end in pairwise(cuts)]
        return [piece for piece in pieces if rng.random() < 0.5]

    return chosen


def placed(files, directory):
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (directory / name).write_bytes(content)


# -- lives and cuts --


@define
class PowerCuts:
    """A spool, workers that use it one after the other, and the power that may go at any moment."""

    directory: Path
    seed: int
    synchronous: str = "FULL"
    disk: Disk = None
    lives: int = 0
    states: int = 0
    rng: random.Random = None

    def __attrs_post_init__(self):
        self.rng = random.Random(self.seed)
        self.disk = Disk("")

    def live(self, steps):
        """Let a worker live on what the last one has left; returns what it did, which is not yet done to the disk."""
        self.lives += 1
        place = self.directory / f"life-{self.lives}"
        placed(self.disk.seen(), place)
        self.disk.directory = str(place)
        first = max((number for word, numbers in self.events_of(self.disk) for number in numbers), default=0) + 1000
        worker = (sys.executable, "-W", "error", str(WORKER), str(place / "plays.db"), str(place / "events"))
        arguments = (self.rng.getrandbits(32), first, steps, self.synchronous)
        return recorded([*worker, *map(str, arguments)], place)

    def kill_in_a_commit(self, calls):
        """Let a worker get to a commit that is written and not forced yet, and be killed there."""
        commits = [
            index
            for index, call in enumerate(calls)
            if call.name == "sync" and call.path.endswith("-wal") and len(calls[index - 1].data) >= SECTOR
        ]
        self.go_on(calls[: self.rng.choice(commits[len(commits) // 2 :])])

    def go_on(self, calls):
        for call in calls:
            self.disk.apply(call)

    async def cut(self, calls, states):
        """Cut the power at so many random moments of a life, many of them soon after its beginning."""
        moments = Counter(
            self.rng.randint(0, min(len(calls), self.rng.choice((BEGINNING, len(calls))))) for _ in range(states)
        )
        disk = deepcopy(self.disk)
        for moment in range(len(calls) + 1):
            for _ in range(moments[moment]):
                await self.check(disk, f"seed {self.seed}, life {self.lives}, call {moment} of {len(calls)}")
            if moment < len(calls):
                disk.apply(calls[moment])

    async def check(self, disk, where):
        """See that a spool opens after a power cut, and has what was promised."""
        self.states += 1
        with tempfile.TemporaryDirectory(dir=self.directory) as place:
            placed(disk.left(self.rng), Path(place))
            spool = SqliteSpool(Path(place) / "plays.db", synchronous=self.synchronous)
            try:
                await spool.open(SpoolContext(RULES, SystemClock(), lambda _: None))
                position = int(await spool.checkpoint(SOURCE) or 0)
                await spool.aclose()
                found = Findings.of(Path(place) / "plays.db")
                found.check_counts()
                if self.synchronous == "FULL":
                    check_promises(found, position, self.events_of(disk))
            except Exception as error:
                error.add_note(f"after a power cut: {where}")
                raise

    @staticmethod
    def events_of(disk):
        for event in disk.events:
            word, *numbers = event.split()
            yield word, [int(number) for number in numbers]


def check_promises(found, position, events):
    """Compare what is in a file with what its worker was promised, and with what it had sent."""
    accepted, sent, ended = set(), Counter(), {"delivered": set(), "dead_letters": set()}
    for word, numbers in events:
        if word == "put":
            accepted.update(numbers)
        elif word == "sent":
            sent.update(numbers)
        elif word == "back":
            sent.subtract(numbers)
        else:
            ended[word].update(numbers)
    places = found.waiting.keys() | found.dead_letters.keys() | found.delivered.keys()
    assert accepted <= places, f"lost: {sorted(accepted - places)[:5]}"
    assert position == max(places, default=0), "checkpoint and plays are kept in one step"
    assert ended["delivered"] <= found.delivered.keys()
    assert ended["dead_letters"] <= found.dead_letters.keys()
    for number, times in sent.items():
        doubts = len(found.doubts.get(number, ()))
        assert times <= doubts + (number in found.delivered) + (number in found.dead_letters), (
            f"{number} doubles silently"
        )


async def soak(seed, lives, states, directory):
    """Let workers live one after the other, some of them killed in a commit, and cut the power again and again."""
    cuts = PowerCuts(directory, seed, "NORMAL" if seed % 4 == 3 else "FULL")
    for _ in range(lives):
        calls = await asyncio.to_thread(cuts.live, cuts.rng.choice((3, 10, 25)))
        await cuts.cut(calls, states)
        if cuts.rng.random() < 0.7:
            cuts.kill_in_a_commit(calls)
        else:
            cuts.go_on(calls[: cuts.rng.randint(0, len(calls))])
    return cuts.states
