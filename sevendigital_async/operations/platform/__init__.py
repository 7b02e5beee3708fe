"""The streaming platform API: a file per tag."""

from . import (
    catalogue,
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
    users,
)

OPERATIONS = (
    *catalogue.OPERATIONS,
    *content_delivery.OPERATIONS,
    *downloads.OPERATIONS,
    *logging.OPERATIONS,
    *offline_devices.OPERATIONS,
    *playlist_groups.OPERATIONS,
    *playlists.OPERATIONS,
    *radio.OPERATIONS,
    *sales.OPERATIONS,
    *streaming.OPERATIONS,
    *subscriptions.OPERATIONS,
    *users.OPERATIONS,
)
