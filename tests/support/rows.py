"""Tables of small cases that are one test: pytest and xdist take several milliseconds for every test."""

import functools
import inspect
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from typing import Any

import pytest

FAILURES = (Exception, pytest.fail.Exception, pytest.skip.Exception)
LONGEST_NAME = 100


def each_row(names: str | tuple[str, ...], rows: Iterable[Any], *, ids: Any = None) -> Callable:
    """Like ``pytest.mark.parametrize``, but the rows are one test, which fails with every row that fails.

    For tests whose fixtures keep nothing from one row to the next.

    Args:
        names: Parameters of the test, as for ``parametrize``.
        rows: Their values, as for ``parametrize``; without marks.
        ids: Names of the rows in failures, as for ``parametrize``.
    """
    parameters = names if isinstance(names, tuple) else tuple(name.strip() for name in names.split(","))
    table = [_named(row, parameters, ids, index) for index, row in enumerate(rows)]

    def decorate(test: Callable) -> Callable:
        if inspect.iscoroutinefunction(test):

            async def check(**fixtures):
                with _at_end(len(table)) as failures:
                    for name, values in table:
                        with _collecting(failures, name):
                            await test(**fixtures, **values)
        else:

            def check(**fixtures):
                with _at_end(len(table)) as failures:
                    for name, values in table:
                        with _collecting(failures, name):
                            test(**fixtures, **values)

        functools.update_wrapper(check, test)
        signature = inspect.signature(test)
        others = [parameter for name, parameter in signature.parameters.items() if name not in parameters]
        check.__signature__ = signature.replace(parameters=others)
        return check

    return decorate


def _named(row, parameters, ids, index):
    """Return the name of a row and its values by parameter."""
    name = ids[index] if isinstance(ids, (list, tuple)) else None
    if isinstance(row, type(pytest.param())):
        if row.marks:
            raise ValueError(f"a row with marks is a test of its own: {row}")
        row, name = row.values, row.id or name
    elif len(parameters) == 1:
        row = (row,)
    values = dict(zip(parameters, row, strict=True))
    if name is None:
        texts = [str(ids(value)) if callable(ids) else repr(value)[:LONGEST_NAME] for value in row]
        name = ", ".join(texts)
    return name, values


@contextmanager
def _at_end(number):
    failures = []
    yield failures
    if not number:
        pytest.skip("the table has no rows")
    if failures:
        raise BaseExceptionGroup(f"{len(failures)} of {number} rows failed", failures)


@contextmanager
def _collecting(failures, name):
    try:
        yield
    except FAILURES as error:
        if "pytest-timeout" in str(error):
            raise
        error.add_note(f"in the row: {name}")
        failures.append(error)
