"""The house rules that a compiler would not notice."""

import ast
import functools
import subprocess
import sys
from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from support.rows import each_row

import sevendigital_async

PACKAGE = Path(sevendigital_async.__file__).parent

GROUND = {
    "errors",
    "error_codes",
    "status_codes",
    "failpoints",
    "config",
    "countries",
    "quantity",
    "clock",
    "account_quota",
    "redis_connection",
    "redis_url",
    "private_files",
    "backoff",
    "observer_guard",
    "_version",
}
MAY_IMPORT = {
    "_version": set(),
    "clock": set(),
    "account_quota": {"clock"},
    "failpoints": set(),
    "errors": {"account_quota"},
    "error_codes": {"errors"},
    "status_codes": set(),
    "config": {"countries", "errors"},
    "countries": set(),
    "quantity": set(),
    "redis_connection": {"errors", "redis_url"},
    "redis_url": {"errors"},
    "private_files": {"errors"},
    "backoff": set(),
    "observer_guard": set(),
    "models": GROUND,
    "operations": GROUND | {"models"},
    "session": GROUND | {"models", "operations"},
    "resources": GROUND | {"models", "operations", "session"},
    "client": GROUND | {"models", "operations", "session", "resources"},
    "shipping": GROUND | {"models"},
    "otel": GROUND | {"models", "session", "shipping"},
    "sources": GROUND | {"models", "shipping"},
    "monitoring": GROUND | {"models", "shipping", "sources"},
    "sandbox": GROUND | {"models", "operations"},
    "__init__": GROUND | {"models", "client", "operations", "resources", "session", "shipping"},
    "__main__": {"cli"},
    "cli": GROUND
    | {"models", "operations", "resources", "client", "shipping", "sources", "monitoring", "sandbox", "__init__"},
}


def module_name(path: Path) -> str:
    parts = list(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@functools.cache
def imports_of(path: Path) -> set[str]:
    """Return the modules that a file imports, in full; relative imports resolved."""
    name = module_name(path)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found.update(f"{module}.{alias.name}" for alias in node.names)
    return found


SOURCES = {module_name(path): path for path in PACKAGE.rglob("*.py")}


def known(imported: str) -> str | None:
    """Return the module of ours that an import names, be it the module itself or something in it."""
    while imported and imported not in SOURCES:
        imported = imported.rpartition(".")[0]
    return imported or None


def layer(module: str) -> str:
    return module.split(".")[1] if "." in module else "__init__"


@each_row("module", sorted(SOURCES))
def test_arrows_point_down(module):
    ours = {known(imported) for imported in imports_of(SOURCES[module])} - {None}
    across = {layer(imported) for imported in ours if layer(imported) != layer(module)}
    assert across <= MAY_IMPORT[layer(module)]


def test_no_module_imports_itself_through_others():
    graph = {
        module: {known(imported) for imported in imports_of(path)} - {None, module, module.rpartition(".")[0]}
        for module, path in SOURCES.items()
        if path.name != "__init__.py"
    }
    packages = {module for module in SOURCES if module not in graph}
    TopologicalSorter({module: needed - packages for module, needed in graph.items()}).prepare()


def test_one_file_knows_the_http_client():
    users = {name for name, path in SOURCES.items() if any(i.startswith(("aiohttp", "yarl")) for i in imports_of(path))}
    allowed = {"sevendigital_async.session.transport", "sevendigital_async.client"}
    assert {name for name in users if layer(name) != "sandbox"} <= allowed
    client = ast.parse(SOURCES["sevendigital_async.client"].read_text())
    assert not [node for node in client.body if isinstance(node, ast.Import) and node.names[0].name == "aiohttp"]


@each_row("module", sorted(SOURCES))
def test_files_are_about_one_thing(module):
    assert len(SOURCES[module].read_text().splitlines()) <= 600
    assert not {"utils", "helpers", "manager", "common"} & set(module.split("."))


MAY_SHARE_NAMES = {"models", "operations", "resources", "sandbox"}
"""Packages whose classes have the API's names, and the sandbox, a separate program."""


def test_no_two_classes_have_one_name():
    places = defaultdict(list)
    for module, path in SOURCES.items():
        if layer(module) not in MAY_SHARE_NAMES:
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef):
                    places[node.name].append(module)
    assert {name: modules for name, modules in places.items() if len(modules) > 1} == {}


@pytest.mark.parametrize(("package", "most"), [("shipping/spools/sqlite", 16), ("cli", 31)])
def test_packages_have_few_files(package, most):
    assert len(list((PACKAGE / package).rglob("*.py"))) <= most


IMPORT_AND_WATCH = """
import sys, os, builtins, socket
import aiohttp, attrs, cachetools, cattrs, orjson, tenacity, defusedxml.ElementTree
seen = []
def audit(event, args):
    if event == "open" and not str(args[0]).endswith((".py", ".pyc", ".so")) and isinstance(args[0], str):
        seen.append((event, args[0]))
    elif event.startswith(("socket.connect", "socket.getaddrinfo", "subprocess", "os.putenv")):
        seen.append((event, args))
class Environment(dict):
    def __getitem__(self, key): seen.append(("env", key)); return super().__getitem__(key)
    def get(self, key, default=None): seen.append(("env", key)); return super().get(key, default)
sys.addaudithook(audit)
os.environ = Environment(os.environ)
import sevendigital_async
seen = [item for item in seen if "__pycache__" not in str(item[1]) and not str(item[1]).startswith("PYTHON")]
assert not seen, seen
assert not {"typer", "rich", "redis", "opentelemetry"} & set(sys.modules)
assert "sevendigital_async.cli" not in sys.modules
"""


def test_importing_reads_no_environment_network_or_file():
    subprocess.run([sys.executable, "-W", "error", "-c", IMPORT_AND_WATCH], check=True, cwd=PACKAGE.parent)


WHAT_A_SHIPPER_LOADS = """
import sys, sevendigital_async
client = sevendigital_async.SevenDigital("key", "secret")
sevendigital_async.StreamLogShipper(client)
libraries = {"authlib", "cachetools", "cattrs", "defusedxml", "tenacity"}
heavy = libraries | {"sevendigital_async.models.all_models", "sevendigital_async.resources"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
client.classic.releases
assert heavy & set(sys.modules) == {"sevendigital_async.models.all_models", "sevendigital_async.resources"}
"""


def test_models_and_namespaces_are_loaded_at_their_first_use():
    subprocess.run([sys.executable, "-W", "error", "-c", WHAT_A_SHIPPER_LOADS], check=True, cwd=PACKAGE.parent)


def test_the_face_of_the_package_is_what_it_lists():
    assert sorted(sevendigital_async.__all__) == sorted(set(sevendigital_async.__all__))
    assert all(hasattr(sevendigital_async, name) for name in sevendigital_async.__all__)
    public = {name for name in vars(sevendigital_async) if not name.startswith("_")} - {"TYPE_CHECKING"}
    submodules = {name.split(".")[1] for name in SOURCES if "." in name}
    assert public - submodules == set(sevendigital_async.__all__) - {"__version__"}
    errors = {name for name in vars(sevendigital_async.errors) if name.endswith("Error")}
    assert errors <= set(sevendigital_async.__all__)


def test_the_package_is_typed():
    assert (PACKAGE / "py.typed").exists()
