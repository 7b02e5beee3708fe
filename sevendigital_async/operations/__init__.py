"""What the API offers: one record per endpoint, a file per API."""

from . import classic, media, oauth, platform
from .operation import VERSION, Argument, Auth, Binding, Catalogue, Content, Count, Operation, Place, RateClass, Safety

CATALOGUE = Catalogue((*classic.OPERATIONS, *platform.OPERATIONS, *media.OPERATIONS, *oauth.OPERATIONS))

__all__ = [
    "CATALOGUE",
    "VERSION",
    "Argument",
    "Auth",
    "Binding",
    "Catalogue",
    "Content",
    "Count",
    "Operation",
    "Place",
    "RateClass",
    "Safety",
    "classic",
    "media",
    "oauth",
    "platform",
]
