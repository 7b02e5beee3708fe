"""The readers that are made per model, held against cattrs, which reads the same trees by other means."""

import copy
import inspect
import pickle

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sevendigital_async.models import Label, Release, Track, all_models, readers
from sevendigital_async.models.converter import MisfitError, converter, is_compilable, structure
from sevendigital_async.models.wire import wire_names

MODELS = [
    model
    for model in vars(all_models).values()
    if inspect.isclass(model)
    and attrs.has(model)
    and is_compilable(model)
    and model not in {all_models.Page, all_models.StreamLog}
]

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(
        ["", " ", "7", "-0.0", "9.99", "N/A", "true", "False", "album", "EP", "2001-05-17", "2001-05-17T00:00:00+01:00"]
    ),
    st.text(max_size=4),
)


def trees(model, depth=2):
    """Make objects that use the model's own names, each with a value that may or may not fit."""
    values = SCALARS
    if depth:
        parts = [part for part in MODELS if any(part.__name__ in str(field.type) for field in attrs.fields(model))]
        inner = st.one_of(*(trees(part, depth - 1) for part in parts)) if parts else st.just({})
        values = st.one_of(SCALARS, inner, st.lists(inner, max_size=2))
    names = {step for field in attrs.fields(model) for name in wire_names(field) for step in (name, *name.split("."))}
    return st.dictionaries(st.sampled_from(sorted(names)), values, max_size=8)


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=10)
@given(data=st.data())
def test_readers_and_cattrs_agree(model, data):
    tree = data.draw(trees(model))
    tree |= {"id": "1"} if data.draw(st.booleans()) else {}
    before = copy.deepcopy(tree)
    try:
        read = structure(tree, model)
    except MisfitError:
        with pytest.raises(Exception):  # noqa: B017 - cattrs has groups of them
            converter.structure(tree, model)
    else:
        assert read == converter.structure(tree, model)
        assert repr(read) == repr(converter.structure(tree, model))
    assert tree == before


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=6)
@given(data=st.data())
def test_a_shape_that_comes_often_is_read_as_before(model, data):
    tree = data.draw(trees(model))
    tree |= {"id": "1"} if data.draw(st.booleans()) else {}
    outcomes = []
    for _ in range(readers.COMPILE_THRESHOLD + 2):
        try:
            outcomes.append(repr(structure(copy.deepcopy(tree), model)))
        except MisfitError as error:
            outcomes.append(str(error.misfit))
    assert len(set(outcomes)) == 1


def test_objects_of_one_length_and_other_shapes():
    by_shape = [{"id": 1, "title": "a"}, {"title": "b", "id": 2}, {"id": 3, "year": 4}, {"id": 5, "label": "c"}]
    by_shape += [{"releaseId": 6, "title": "d"}, {"id": 7, "unknown": 8}, {"id": 9}]
    expected = [Release(id="1", title="a"), Release(id="2", title="b"), Release(id="3", year=4)]
    expected += [Release(id="5", label=Label(name="c")), Release(id="6", title="d"), Release(id="7"), Release(id="9")]
    for _ in range(2 * readers.COMPILE_THRESHOLD):
        assert [structure(tree, Release) for tree in by_shape] == expected


def test_shapes_without_end_are_read_without_readers_of_their_own():
    for number in [*range(2 * readers.MAX_COUNTED_SHAPES), *(n // readers.COMPILE_THRESHOLD for n in range(1000))]:
        assert structure({"id": 1, f"unknown{number}": 2}, Label) == Label(id="1")
    large = {f"unknown{number}": 2 for number in range(2 * readers.MAX_KEYS)}
    for _ in range(2 * readers.COMPILE_THRESHOLD):
        assert structure({"id": 1, **large}, Label) == Label(id="1")


def test_what_is_read_is_as_frozen_as_what_is_made():
    read = structure({"id": 1, "label": "Tide", "artist": {"id": 2}}, Release)
    for value in (read, read.label, read.artist):
        assert type(value) in {all_models.Release, all_models.Label, all_models.Artist}
        assert not hasattr(value, "__dict__")
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            value.id = "3"
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            del value.id
    assert pickle.loads(pickle.dumps(read)) == read == copy.deepcopy(read)
    assert hash(read) == hash(attrs.evolve(read))


def test_bare_texts_that_repeat_are_read_once():
    first, second = (structure({"id": n, "label": "Tide"}, Release) for n in range(2))
    assert first.label is second.label
    assert first.label == Label(name="Tide")


def test_zero_has_no_sign():
    assert str(structure({"id": 1, "popularity": -0.0}, Track).popularity) == "0.0"
