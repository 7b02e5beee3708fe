"""The methods people call, a file per tag."""

from .classic import Classic
from .pages import Pages
from .platform import Platform

__all__ = ["Classic", "Pages", "Platform"]
