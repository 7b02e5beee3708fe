"""A local 7digital server: real HTTP, checked signatures, enforced limits, a log of all plays, faults on demand."""

from .accounts import DEMO_KEY, DEMO_SECRET
from .faults import Chance, Faults
from .request_log import ReceivedLog
from .server import Sandbox

__all__ = ["DEMO_KEY", "DEMO_SECRET", "Chance", "Faults", "ReceivedLog", "Sandbox"]
