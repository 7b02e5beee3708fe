"""``python -m support.kafka_worker ship ...`` is the command, with what the mock cluster needs, and a log.

Each event of the source is a line of standard error: its name, a space, the message.
"""

import logging
import sys

import pytest

from sevendigital_async.cli import main
from support.kafka_cluster import followers_sync_first


class Events(logging.Handler):
    def emit(self, record):
        sys.stderr.write(f"{getattr(record, 'event', '-')} {record.getMessage()}\n")
        sys.stderr.flush()


if __name__ == "__main__":
    logger = logging.getLogger("sevendigital_async.sources")
    logger.setLevel(logging.INFO)
    logger.addHandler(Events())
    with pytest.MonkeyPatch.context() as patch:
        followers_sync_first(patch)
        sys.exit(main())
