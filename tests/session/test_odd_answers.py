"""Answers in which an optional value is of another type: the rest of them is read as before."""

import logging
from copy import deepcopy

import attrs
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support.leaves import ENVELOPE, without
from support.live_answers import LIVE
from support.printed_answers import printed_answers

from sevendigital_async import DecodeError
from sevendigital_async.models import Page
from sevendigital_async.operations import REGISTRY, Safety
from sevendigital_async.session.decode import decode
from sevendigital_async.session.document import parse

TREES = [
    (REGISTRY.find(operation), parse(content, content_type))
    for operation, content, content_type in [*LIVE, *printed_answers()]
]
SCALARS = st.sampled_from(["free", "", 5, 1.5, True, None])
ODD = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["x", "id", "key"]), inner, max_size=2),
    max_leaves=4,
)


def members(tree, place=()):
    """Yield the places of an answer's members, at all depths."""
    for step, inner in tree.items() if isinstance(tree, dict) else enumerate(tree):
        here = (*place, step)
        if isinstance(step, str) and here[0] not in ENVELOPE:
            yield here
        if isinstance(inner, dict | list):
            yield from members(inner, here)


def replaced(tree, place, value):
    copy = deepcopy(tree)
    inner = copy
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    return copy


def flat(thing, place=()):
    """Yield the leaves of what was decoded, each with its place."""
    if attrs.has(type(thing)):
        parts = ((field.name, getattr(thing, field.name)) for field in attrs.fields(type(thing)))
    elif isinstance(thing, tuple | dict):
        parts = thing.items() if isinstance(thing, dict) else enumerate(thing)
    else:
        if thing is not None:
            yield place, thing
        return
    for name, inner in parts:
        yield from flat(inner, (*place, name))


@pytest.fixture(autouse=True, scope="module")
def quiet():
    """A line for each odd value would fill the report of a failure."""
    logging.getLogger("sevendigital_async").setLevel(logging.ERROR)
    yield
    logging.getLogger("sevendigital_async").setLevel(logging.NOTSET)


@given(st.data())
def test_an_odd_optional_value_leaves_the_rest_as_it_is(data):
    operation, document = data.draw(st.sampled_from(TREES))
    place = data.draw(st.sampled_from(list(members(document.tree))))
    is_own_id = len(place) == 2 and place[-1].endswith(("id", "Id"))
    assume(not (is_own_id and operation.safety is Safety.UNSAFE))

    def read(tree):
        return decode(operation, attrs.evolve(document, tree=tree))

    whole = read(document.tree)
    try:
        lacking = read(without(document.tree, place))
    except DecodeError:
        assume(False)  # noqa: FBT003 - it is required
    if isinstance(whole, Page):
        assume(len(lacking) == len(whole))
    others = dict(flat(whole)).items() & dict(flat(lacking)).items()
    odd = read(replaced(document.tree, place, data.draw(ODD)))
    assert others <= dict(flat(odd)).items()
