"""Every leaf of an answer arrives in a model: of those that the documents print, and of the live service's others."""

import re

import pytest
from support.leaves import unread_leaves
from support.live_answers import LIVE
from support.paths import SPEC
from support.printed_answers import printed_answers
from support.rows import each_row

PRINTED = printed_answers()

SAYS_WHAT_IT_HOLDS = re.compile(r"(chart|taggedResults|taggedItem|searchResult)(\.\[\])?\.type").search
"""The type of what is wrapped; the model says it by being what it is."""


@pytest.mark.skipif(not SPEC.is_dir(), reason="the vendor's documents are not beside this checkout")
def test_all_of_the_documents_answers_are_examined():
    assert len(PRINTED) >= 38
    assert len({operation for operation, *_ in PRINTED}) >= 25


@each_row(("operation", "content", "content_type"), PRINTED)
def test_every_leaf_that_the_documents_print_arrives(operation, content, content_type):
    lost = {path for path in unread_leaves(operation, content, content_type) if not SAYS_WHAT_IT_HOLDS(path)}
    assert not lost


@each_row(("operation", "content", "content_type"), LIVE)
def test_every_leaf_of_the_live_service_arrives(operation, content, content_type):
    assert not unread_leaves(operation, content, content_type)
