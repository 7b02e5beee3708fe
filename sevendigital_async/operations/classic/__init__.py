"""The classic REST API, version 1.2: a file per tag."""

from . import (
    artists,
    basket,
    catalogue,
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
    users,
)

OPERATIONS = (
    *releases.OPERATIONS,
    *artists.OPERATIONS,
    *tracks.OPERATIONS,
    *tags.OPERATIONS,
    *basket.OPERATIONS,
    *user.OPERATIONS,
    *users.OPERATIONS,
    *territories.OPERATIONS,
    *translations.OPERATIONS,
    *ip_lookup.OPERATIONS,
    *editorial.OPERATIONS,
    *catalogue.OPERATIONS,
    *payment.OPERATIONS,
    *service.OPERATIONS,
)
