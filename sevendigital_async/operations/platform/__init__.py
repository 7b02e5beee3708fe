"""The streaming platform API: a file per tag."""

from . import logging

OPERATIONS = (*logging.OPERATIONS,)
