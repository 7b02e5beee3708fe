"""Messages to systemd, as datagrams to the socket that it names in the environment."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping
from typing import Self

from attrs import frozen

logger = logging.getLogger("sevendigital_async.monitoring")

READY = "READY=1"
STOPPING = "STOPPING=1"
WATCHDOG = "WATCHDOG=1"


@frozen
class ServiceNotifier:
    """Notifies the service manager; see ``sd_notify(3)``.

    Attributes:
        address: Address of its socket, which may be abstract (``@...``); None if the process is not a service.
        watchdog: Seconds within which the service manager expects a message; None if it expects none.
    """

    address: str | None = None
    watchdog: float | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read ``NOTIFY_SOCKET``, ``WATCHDOG_USEC`` and ``WATCHDOG_PID``; values that are not valid are ignored."""
        address = environment.get("NOTIFY_SOCKET", "")
        if not address.startswith(("/", "@")):
            return cls()
        microseconds = environment.get("WATCHDOG_USEC", "")
        is_ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        watchdog = int(microseconds) / 1e6 if is_ours and microseconds.isdecimal() else 0.0
        return cls(address, watchdog or None)

    def notify(self, *messages: str) -> bool:
        """Send messages such as ``READY=1``; returns whether the service manager has them. Never blocks or raises."""
        if self.address is None:
            return False
        address = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection:
                connection.settimeout(0)
                connection.sendto("\n".join(messages).encode(), address)
        except OSError as error:
            logger.warning("the service manager could not be notified of %s: %s", messages[0], error)
            return False
        return True
