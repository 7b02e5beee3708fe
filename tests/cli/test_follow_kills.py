"""A worker that follows a rotating log is killed; the long form of this is ``nox -s soak -- follow``."""

from support.cli_process import open_sandbox
from support.following import follow_through_kills


async def test_every_line_arrives_through_rotations_and_kills(tmp_path):
    async with open_sandbox() as sandbox:
        outcome = await follow_through_kills(tmp_path, sandbox, lines=3_000, rotations=9, kills=3, life=0.3, pause=0.03)
    assert outcome.written == 3_000
    assert not outcome.missing
    assert not outcome.silent_doubles
    assert not outcome.rejected
