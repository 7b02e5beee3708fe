"""The file of rejected lines after logrotate has moved it."""

import os
from pathlib import Path

import pytest

from sevendigital_async.cli.ship import reject_file
from sevendigital_async.cli.ship.reject_file import RejectFile


@pytest.fixture
def path(tmp_path):
    return tmp_path / "plays.rejected"


def open_files(directory):
    opened = [os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()]
    return [name for name in opened if name.startswith(str(directory.resolve()))]


def test_a_file_that_was_moved_is_replaced_at_the_next_line(path):
    with RejectFile(path) as file:
        file.reopen()  # nothing was written yet
        file.write(b"1")
        file.reopen()  # it is where it was
        file.write(b"2")
        path.rename(path.with_suffix(".old"))
        file.write(b"3")
        file.reopen()
        assert not path.exists()
        file.write(b"4")
        assert (file.lines, file.path) == (4, path)
    assert path.with_suffix(".old").read_bytes() == b"1\n2\n3\n"
    assert path.read_bytes() == b"4\n"


def test_another_file_in_its_place_is_not_written_to(path):
    with RejectFile(path) as file:
        file.write(b"1")
        path.unlink()
        path.write_bytes(b"theirs")
        file.reopen()
        file.write(b"2")
    assert path.read_bytes() == b"theirs"
    assert path.with_name("plays.rejected.1").read_bytes() == b"2\n"


def test_a_file_that_was_moved_is_forced_to_the_disk_and_closed_before_the_next_checkpoint(path, monkeypatch):
    with RejectFile(path) as file:
        file.write(b"1")
        path.rename(path.with_suffix(".old"))
        file.reopen()
        assert not file.is_synced
        assert len(open_files(path.parent)) == 1
        file.sync()
        assert file.is_synced
        assert open_files(path.parent) == []
        file.write(b"2")
        path.rename(path.with_suffix(".older"))
        file.reopen()
        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="no disk"):
            file.sync()
        assert not file.is_synced
        monkeypatch.undo()
    assert open_files(path.parent) == []


@pytest.mark.parametrize("what", ["fsync", "fsync_path"])
def test_what_could_not_be_forced_to_the_disk_is_forced_again(path, monkeypatch, what):
    with RejectFile(path) as file:
        file.write(b"1")
        monkeypatch.setattr(os if what == "fsync" else reject_file, what, fail)
        with pytest.raises(OSError, match="no disk"):
            file.sync()
        assert not file.is_synced
        monkeypatch.undo()
        file.sync()
        assert file.is_synced


def fail(_):
    raise OSError(5, "no disk")
