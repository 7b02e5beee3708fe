"""All operation records together; import one record's file instead where one is enough: it loads fewer models."""

from __future__ import annotations

from types import ModuleType

from . import media, oauth
from .classic import (
    artists,
    basket,
    cards,
    editorial,
    ip_lookup,
    payment,
    purchases,
    releases,
    service,
    tags,
    territories,
    tracks,
    translations,
    user,
)
from .classic import catalogue as classic_catalogue
from .classic import users as classic_users
from .operation import Operation, OperationRegistry
from .platform import catalogue as platform_catalogue
from .platform import (
    content_delivery,
    downloads,
    logging,
    offline_devices,
    playlist_groups,
    playlists,
    radio,
    sales,
    streaming,
    subscriptions,
)
from .platform import users as platform_users

_CLASSIC = (
    releases,
    artists,
    tracks,
    tags,
    basket,
    user,
    purchases,
    cards,
    classic_users,
    territories,
    translations,
    ip_lookup,
    editorial,
    classic_catalogue,
    payment,
    service,
)
_PLATFORM = (
    platform_catalogue,
    content_delivery,
    downloads,
    logging,
    offline_devices,
    playlist_groups,
    playlists,
    radio,
    sales,
    streaming,
    subscriptions,
    platform_users,
)


def records_in(module: ModuleType) -> list[Operation]:
    """Return the operations that a module has records of, in the order in which it defines them."""
    return [record for record in vars(module).values() if isinstance(record, Operation) and record.registered]


REGISTRY = OperationRegistry(
    record for module in (*_CLASSIC, *_PLATFORM, media, oauth) for record in records_in(module)
)
