"""The public face changes only on purpose, and has a name for everything that its signatures mention."""

import importlib
import pkgutil
import re

import attrs
import pytest
from support.paths import ROOT

import sevendigital_async
from sevendigital_async.shipping import LaneChanges, LaneRules
from tools.public_face import FILE, MODULES, names_of, text

INTERNAL = {
    # Reached through a client; nobody makes one.
    *("Classic", "Platform", "Media", "OAuth", "Session", "CallOptions", "PlayLogTransport"),
    *("BasketModel", "UserModel"),
    # In sevendigital_async.operations, for those who describe operations of their own.
    *("Auth", "Binding", "Content", "AcceptedCount", "Count", "RateClass", "Safety"),
    # For those who write spools, transports, tracers or sources; their modules are in the reference.
    *("BatchSpan", "CallSpan", "Clock", "EncodedLog", "Encoder", "Event", "LastRequest", "LeaseSettler", "SendPermit"),
    *("IngestionMetric", "Instrument", "Opener", "Progress", "Window"),
    # Type variables, aliases and the names of typing.
    *("MetricValue", "Hook", "Literal", "Self", "T_co"),
}


@pytest.fixture(scope="module", autouse=True)
def _extras():
    for extra in ("opentelemetry", "prometheus_client", "aiokafka"):
        pytest.importorskip(extra)


def test_a_change_of_the_public_face_is_visible():
    assert text() == FILE.read_text(), "if the change is meant, run python -m tools.public_face"


def test_what_signatures_mention_is_exported():
    exported = {name for module in MODULES for name in names_of(importlib.import_module(module))}
    ours = set()
    for module in pkgutil.walk_packages(sevendigital_async.__path__, "sevendigital_async."):
        if ".cli" not in module.name and "__main__" not in module.name:
            names = vars(importlib.import_module(module.name)).items()
            ours |= {name for name, value in names if name[0].isupper() and not name.isupper() and is_ours(value)}
    mentioned = set(re.findall(r"\b[A-Z]\w+", text()))
    assert mentioned & ours - exported - INTERNAL == set()


def is_ours(value):
    return not isinstance(value, type) or value.__module__.startswith("sevendigital_async")


def test_every_rule_of_a_lane_can_be_changed():
    assert {rule.name for rule in attrs.fields(LaneRules)} == LaneChanges.__annotations__.keys()


def test_the_package_says_that_it_has_types():
    assert (ROOT / "sevendigital_async" / "py.typed").exists()
