"""Automation: `nox -l` lists the sessions, `nox` runs the checks that a change must pass."""

import os
import tarfile
import zipfile
from pathlib import Path

import nox

nox.needs_version = ">=2024.10.9"
nox.options.sessions = ["tests", "lint", "types", "docs", "package"]
nox.options.error_on_missing_interpreters = False

LUA_SCRIPT = "sevendigital_async/shipping/spools/redis/lua/lease.lua"
PAGE = tuple(
    f"sevendigital_async/sandbox/static/{name}"
    for name in ("page.html", "page.css", "page.js", "charts.js", "faults.js")
)


@nox.session(python=["3.11", "3.12", "3.13", "3.14"])
def tests(session: nox.Session) -> None:
    """Run the test suite and check its branch coverage."""
    session.install("-e", ".[dev]")
    session.run("pytest", "-n", "auto", "--cov", *session.posargs)


@nox.session(python="3.11")
def floors(session: nox.Session) -> None:
    """Run the test suite with the oldest releases that pyproject.toml allows."""
    project = nox.project.load_toml("pyproject.toml")["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["cli"], *extras["otel"], *extras["prometheus"], *extras["redis"]]
    session.install("-e", ".[dev]")
    wanted.append("opentelemetry-sdk>=1.30")  # must match the release of opentelemetry-api
    session.install(*(requirement.replace(">=", "==") for requirement in wanted))
    session.run("pytest", "-n", "auto", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting."""
    session.install("ruff>=0.9")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of the package, and of programs that use it, strictly and with two type checkers."""
    session.install("-e", ".[dev]", "basedpyright>=1.20")
    session.run("mypy")
    session.run("mypy", "--strict", "tests/typing", "examples")
    session.run("basedpyright", "--project", "tests/typing", "--pythonpath", session.virtualenv.bin + "/python")
    session.run("python", "-m", "tools.type_completeness")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site in site/, with every warning an error, and check that it loads nothing from elsewhere."""
    session.install("-e", ".[docs]")
    session.env.update(NO_MKDOCS_2_WARNING="1", PYTHONPATH=".")
    session.run("mkdocs", "build", "--site-dir", "site", *session.posargs)
    session.run("python", "-m", "tools.site", "site")


@nox.session
def package(session: nox.Session) -> None:
    """Build the wheel and the sdist, check their contents, and run the wheel in a new environment."""
    session.install("build", "twine>=6", "check-wheel-contents")
    dist = Path(session.create_tmp()) / "dist"
    for old in dist.glob("*"):
        old.unlink()
    session.run("python", "-m", "build", "--outdir", str(dist), silent=True)
    [wheel], [sdist] = dist.glob("*.whl"), dist.glob("*.tar.gz")
    session.run("twine", "check", "--strict", str(wheel), str(sdist))
    session.run("check-wheel-contents", str(wheel))
    with zipfile.ZipFile(wheel) as archive:
        for wanted in ("sevendigital_async/py.typed", LUA_SCRIPT, *PAGE):
            _expect(session, "the wheel", archive.namelist(), wanted)
    with tarfile.open(sdist) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
        for wanted in (
            "sevendigital_async/py.typed",
            LUA_SCRIPT,
            *PAGE,
            "tests/session/test_core.py",
            "CHANGELOG.md",
            "README.md",
            "LICENSE",
        ):
            _expect(session, "the sdist", names, wanted)
    session.install(f"{wheel}[cli]")
    with session.chdir(session.create_tmp()):
        session.run("python", "-W", "error", "-c", "import sevendigital_async; print(sevendigital_async.__version__)")
        session.run("python", "-c", "from sevendigital_async.shipping.spools.redis.scripts import LEASE; LEASE.text")
        session.run("sevendigital", "--version")
        session.run("sevendigital", "demo", "--plays", "1000")


@nox.session
def bench(session: nox.Session) -> None:
    """Run the benchmarks; `-- --quick` takes a few minutes."""
    session.install("-e", ".[bench]")
    # The generator needs an older typer than our command line.
    generator = Path(session.create_tmp()) / "generator"
    session.run("python", "-m", "venv", str(generator))
    session.run(str(generator / "bin" / "pip"), "install", "openapi-python-client>=0.26", external=True)
    session.env["PATH"] = os.pathsep.join((session.env.get("PATH") or os.environ["PATH"], str(generator / "bin")))
    session.run("python", "-m", "benchmarks", *session.posargs)


LONG_FORMS = {
    "odd_inputs": ("tests/cli/commands/test_odd_inputs.py", "-k", "line"),
    "redis_states": ("tests/shipping/spools/redis/test_redis_chunks.py", "-k", "any_order"),
    "properties": ("tests", "-m", "hypothesis", "-n", "auto"),
    "states": ("tests/shipping/spools/sqlite/test_sqlite_spool.py", "-k", "runTest"),
}
"""Tests of the suite that have a long form."""


@nox.session
def soak(session: nox.Session) -> None:
    """Run the soak tests (kills, power cuts, long backlogs), two hours; `-- kills` runs one part.

    Needs redis-server and strace.
    """
    session.install("-e", ".[dev]")
    parts = (
        "kills",
        "random_shipping",
        "follow",
        "rotations",
        "kafka",
        "power_cuts",
        "many_workers",
        "backlog",
        "every_point",
        "properties",
        "states",
        "redis_states",
        "odd_inputs",
    )
    for part in session.posargs or parts:
        if part in LONG_FORMS:
            session.run("pytest", "--timeout", "3000", *LONG_FORMS[part], env={"LONG_TESTS": "1"})
            continue
        command = ("pytest", "--timeout", "300") if part == "every_point" else ("python",)
        session.run(*command, f"tests/soak/{part}.py")


def _expect(session: nox.Session, where: str, names: list[str], wanted: str) -> None:
    if wanted not in names:
        session.error(f"{where} does not contain {wanted}")
