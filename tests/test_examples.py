import asyncio
import os
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
SAID = {"report_plays.py": b"100 of 100 delivered", "authorise_user.py": b"the locker holds"}


def test_every_example_is_run():
    assert {script.name for script in EXAMPLES.glob("*.py")} == set(SAID)


@pytest.mark.parametrize("name", SAID)
async def test_examples_run_as_they_stand(name, sevendigital_sandbox):
    script = EXAMPLES / name
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
    assert SAID[name] in out
