"""The models of responses: attrs classes, a file per family.

A model does not depend on the format of the response. What can be asked for by id (artists, releases,
tracks) always has one; every other field may be missing and is then None, or an empty tuple. Ids are text, money
is `Decimal`, times are aware, and a kind that this version does not know stays the text it was.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .page import Page as Page
from .stream_log import EndReason as EndReason
from .stream_log import LogKind as LogKind
from .stream_log import PlayMode as PlayMode
from .stream_log import PlayType as PlayType
from .stream_log import StreamLog as StreamLog

if TYPE_CHECKING:
    from .all_models import *  # noqa: F403 - all_models.py lists what it offers
else:

    def __getattr__(name: str) -> Any:
        """Build the models at their first use: this takes a third of an import, and the shipper needs none."""
        return getattr(import_module(".all_models", __name__), name)
