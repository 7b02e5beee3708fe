"""What the API offers: one record per endpoint, a file per API."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .operation import (
    VERSION_PATH,
    AcceptedCount,
    Auth,
    Binding,
    Content,
    Operation,
    OperationRegistry,
    Parameter,
    ParameterLocation,
    RateClass,
    Safety,
)

if TYPE_CHECKING:
    from .registry import REGISTRY
else:

    def __getattr__(name: str) -> Any:
        """Load all records when the registry is first used: with their models they take long to import."""
        if name == "REGISTRY":
            return import_module(".registry", __name__).REGISTRY
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "REGISTRY",
    "VERSION_PATH",
    "AcceptedCount",
    "Auth",
    "Binding",
    "Content",
    "Operation",
    "OperationRegistry",
    "Parameter",
    "ParameterLocation",
    "RateClass",
    "Safety",
]
