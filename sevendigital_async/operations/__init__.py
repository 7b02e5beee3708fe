"""What the API offers: one record per endpoint, a file per API."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .operation import (
    VERSION,
    Auth,
    Binding,
    Catalogue,
    Content,
    Count,
    Operation,
    Parameter,
    ParameterLocation,
    RateClass,
    Safety,
)

if TYPE_CHECKING:
    from .registry import CATALOGUE
else:

    def __getattr__(name: str) -> Any:
        """Load the records when the catalogue of them all is asked for: with their models they take long."""
        if name == "CATALOGUE":
            return import_module(".registry", __name__).CATALOGUE
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "CATALOGUE",
    "VERSION",
    "Auth",
    "Binding",
    "Catalogue",
    "Content",
    "Count",
    "Operation",
    "Parameter",
    "ParameterLocation",
    "RateClass",
    "Safety",
]
