"""The classic REST API, version 1.2: a file per tag."""

from . import artists, releases, service

OPERATIONS = (*artists.OPERATIONS, *releases.OPERATIONS, *service.OPERATIONS)
