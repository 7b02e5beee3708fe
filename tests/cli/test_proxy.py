"""The command passes through the proxies that the environment names."""

import pytest
from support.cli_process import open_sandbox, plays, sevendigital, write_plays
from support.proxy import forward_proxy


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "SEVENDIGITAL_PROXY"])
async def test_call_and_ship_use_a_proxy(tmp_path, variable):
    write_plays(tmp_path / "plays.jsonl", plays(3))
    async with open_sandbox() as sandbox, forward_proxy() as proxy:
        env = {variable: f"http://{proxy.address}", "NO_PROXY": ""}
        options = {"cwd": tmp_path, "base_url": sandbox.base_url, "env": env}
        called = await sevendigital("call", "classic.releases.search", "q=a", **options)
        shipped = await sevendigital("ship", "plays.jsonl", "--kind", "preview", "--json", **options)
        assert (called.code, shipped.code) == (0, 0)
        assert shipped.summary["delivered"] == 3
        assert any("/release/search" in line for line in proxy.asked)
        assert any("/logging/preview" in line for line in proxy.asked)
