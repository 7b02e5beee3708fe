"""Watches a shipper that runs for months: health over HTTP, metrics for Prometheus, and messages to systemd."""

from .health import HealthMonitor
from .systemd import ServiceNotifier
from .worker import WorkerMonitor

__all__ = ["HealthMonitor", "ServiceNotifier", "WorkerMonitor"]
