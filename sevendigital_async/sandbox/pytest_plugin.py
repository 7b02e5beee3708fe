"""A running sandbox as a pytest fixture.

Switch it on in a ``conftest.py``::

    pytest_plugins = ["sevendigital_async.sandbox.pytest_plugin"]
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from .server import Sandbox


@pytest_asyncio.fixture
async def sevendigital_sandbox() -> AsyncIterator[Sandbox]:
    """A new sandbox for each test."""
    async with Sandbox() as sandbox:
        yield sandbox
