"""Tests that need the mock cluster of Kafka to balance a group: now and then it does not answer for a minute."""

import os

import pytest

long = pytest.mark.skipif("LONG_TESTS" not in os.environ, reason="part of the long form: nox -s soak -- kafka")
