"""A spool for the commands, filled once by the function ``fill`` of the test module."""

import asyncio

import pytest
from support.cli_process import copy_spool


@pytest.fixture(scope="module")
def filled(request, tmp_path_factory):
    directory = tmp_path_factory.mktemp("filled")
    asyncio.run(request.module.fill(str(directory / "x.db")))
    return directory


@pytest.fixture
def spool(filled, tmp_path, monkeypatch):
    """The current directory has a copy of the filled spool, ``x.db``."""
    monkeypatch.chdir(tmp_path)
    copy_spool(filled, tmp_path)
