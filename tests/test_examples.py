import asyncio
import os
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda script: script.name)
async def test_examples_run_as_they_stand(script, sevendigital_sandbox):
    credentials = sevendigital_sandbox.credentials
    environment = {
        **os.environ,
        "SEVENDIGITAL_CONSUMER_KEY": credentials.consumer_key,
        "SEVENDIGITAL_CONSUMER_SECRET": credentials.consumer_secret,
        "SEVENDIGITAL_BASE_URL": sevendigital_sandbox.base_url,
        "PYTHONPATH": str(script.parents[1]),
        "PYTHONWARNINGS": "error",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert b"100 of 100 delivered" in out
    assert len(sevendigital_sandbox.received()) == 100
