import pytest
from hypothesis import settings
from support.redis_server import PROGRAM, RedisServer

pytest_plugins = ["sevendigital_async.sandbox.pytest_plugin"]

# Machines differ: what matters is what is found, not how long it took.
settings.register_profile("default", deadline=None)
settings.load_profile("default")


@pytest.fixture(scope="session")
def _redis_of_the_session():
    if PROGRAM is None:
        pytest.skip("redis-server is not installed: what needs a Redis is not tested here")
    server = RedisServer()
    yield server
    server.close()


@pytest.fixture
def redis_server(_redis_of_the_session):
    """A Redis with nothing in it."""
    _redis_of_the_session.ask("FLUSHALL")
    return _redis_of_the_session
