"""The methods people call, a file per tag."""

from .classic import Classic
from .platform import Platform
from .resource import Pages

__all__ = ["Classic", "Pages", "Platform"]
