"""Tags."""

from __future__ import annotations

from collections.abc import Sequence

from ..answers import Answer, JsonAndXml, Problem, RefusalError
from ..calls import Call
from ..tags import RELEASE_COUNTS, TAGS, Tag, tag_element, tag_tree
from .list_answers import paging_fields
from .lookup import DETAILS_MAX_AGE


def tag_list(call: Call, tags: Sequence[Tag]) -> Answer:
    page, elements = call.page_of("tag", tags, tag_tree), call.page_of("tag", tags, tag_element)
    xml = {"tags": {**paging_fields(page), "tag": list(elements.items)}}
    return Answer(content=JsonAndXml(json=page, xml=xml), max_age=DETAILS_MAX_AGE)


def requested_tags(call: Call) -> list[str]:
    """Return the ids of the requested tags."""
    wanted = [tag.strip().lower() for tag in call.arguments["tags"].split(",") if tag.strip()]
    if TAGS.keys().isdisjoint(wanted):
        raise RefusalError(404, Problem(2001, "None of the provided tag(s) exist."))
    return wanted


def all_tags(call: Call) -> Answer:
    """List all tags, the most used first."""
    return tag_list(call, sorted(TAGS.values(), key=lambda tag: -RELEASE_COUNTS[tag.id]))


HANDLERS = {"classic.tags.all": all_tags}
