"""All records together; whoever needs only one of them imports its file, and with it far fewer models."""

from . import media, oauth
from .classic import (
    artists,
    basket,
    editorial,
    ip_lookup,
    payment,
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
from .operation import Catalogue
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

CATALOGUE = Catalogue(
    tuple(operation for part in (*_CLASSIC, *_PLATFORM, media, oauth) for operation in part.OPERATIONS)
)
