"""Artists."""

from __future__ import annotations

from ..answers import Answer
from ..calls import Call
from ..catalogue import CATALOGUE
from ..trees import artist_tree
from .lookup import DETAILS_AGE, currency, find


def details(call: Call) -> Answer:
    """Answer with one artist."""
    currency(call)
    return Answer(content={"artist": artist_tree(find(call, "artist", CATALOGUE.artists))}, max_age=DETAILS_AGE)


HANDLERS = {"classic.artists.details": details}
