"""Detect which optional packages are installed."""

from importlib.util import find_spec


def present(*packages: str) -> bool:
    """Return whether all of ``packages`` can be imported."""
    return all(_found(package) for package in packages)


def _found(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:
        return False
