import asyncio
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
EXPECTED_OUTPUT = {"report_plays.py": b"100 of 100 delivered", "authorise_user.py": b"the locker holds"}


async def run_script(script: Path, sandbox, folder: Path) -> bytes:
    """Run a script against a sandbox, with warnings as errors, and return its output."""
    environment = {
        **os.environ,
        "SEVENDIGITAL_CONSUMER_KEY": sandbox.credentials.consumer_key,
        "SEVENDIGITAL_CONSUMER_SECRET": sandbox.credentials.consumer_secret,
        "SEVENDIGITAL_BASE_URL": sandbox.base_url,
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "error",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(script),
        cwd=folder,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b"")
    return output


def test_every_example_is_run():
    services = {"aiohttp_service.py", "django_service.py", "fastapi_service.py", "worker.py"}  # see test_services.py
    assert {script.name for script in EXAMPLES.glob("*.py")} == set(EXPECTED_OUTPUT) | services


@pytest.mark.parametrize("name", EXPECTED_OUTPUT)
async def test_examples_run_against_a_sandbox(name, sevendigital_sandbox, tmp_path):
    assert EXPECTED_OUTPUT[name] in await run_script(EXAMPLES / name, sevendigital_sandbox, tmp_path)
