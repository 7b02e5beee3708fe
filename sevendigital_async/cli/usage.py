"""What is wrong with the arguments of a command, in one sentence of our own.

The classes of the option parser's errors are not public, so they are recognised by their names and their messages.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

MAX_QUOTED_LENGTH = 60


def suggestion(given: str, known: Iterable[str]) -> str:
    """Return ``; did you mean ...?`` with the name that is most like the given one; nothing if none is."""
    by_folded: dict[str, str] = {}
    for name in known:
        by_folded.setdefault(_folded(name), name)
    close = get_close_matches(_folded(given), by_folded, n=1)
    return f"; did you mean {by_folded[close[0]]}?" if close else ""


def quoted(text: object) -> str:
    """Return what was typed, in quotes and not too long."""
    whole = str(text)
    return repr(whole if len(whole) <= MAX_QUOTED_LENGTH else f"{whole[:MAX_QUOTED_LENGTH]}...")


def usage_problem(error: Any) -> str:
    """Return what is wrong with the arguments, from an error of the option parser."""
    describe = _PROBLEM_BY_CLASS.get(type(error).__name__, _problem_by_message)
    return describe(error)


def _folded(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _no_such_option(error: Any) -> str:
    name = error.option_name
    parameters = error.ctx.command.get_params(error.ctx) if error.ctx else ()
    known = [each for one in parameters for each in (*one.opts, *one.secondary_opts) if each.startswith("--")]
    hint = suggestion(name, known)
    if not hint and "KEY=VALUE" in {one.metavar for one in parameters}:
        hint = "; arguments of the operation are written key=value"
    return f"there is no option {name}{hint}"


def _missing(error: Any) -> str:
    parameter = error.param
    name = parameter.opts[0] if parameter.param_type_name == "option" else parameter.metavar or parameter.name
    return f"{name} is missing"


def _invalid(error: Any) -> str:
    """Describe a value that an option or an argument does not take."""
    if error.param is None:
        return str(error.message)
    reason = _validation_reason(error) or str(error.message).removeprefix("Value error, ").rstrip(".")
    return f"{_value_source(error)}: {reason}"


def _value_source(error: Any) -> str:
    """Return where a value comes from: an option, an argument, or a variable of the environment."""
    parameter = error.param
    came_from = error.ctx.get_parameter_source(parameter.name) if error.ctx else None
    if getattr(came_from, "name", "") == "ENVIRONMENT":
        return str(parameter.envvar)
    return str(parameter.opts[-1] if parameter.param_type_name == "option" else parameter.metavar or parameter.name)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,}"


def _validation_reason(error: Any) -> str | None:
    """Return what is wrong with a value, from the validation that the option parser leaves to pydantic."""
    validation = error.__cause__
    if not hasattr(validation, "errors"):
        return None
    [first, *_] = validation.errors()
    kind, limits, given = first["type"], first.get("ctx", {}), quoted(first["input"])
    if kind in _TYPE_NAMES:
        return f"{given} is not {_TYPE_NAMES[kind]}"
    for name, rule in _LIMIT_TEXTS.items():
        if name in limits:
            return f"must be {rule.format(_number(limits[name]))}, not {first['input']}"
    choices = getattr(getattr(error.param, "type_descriptor", None), "choices", None)
    if choices:
        values = [str(getattr(choice, "value", choice)) for choice in choices]
        return f"{given} is not one of {', '.join(values)}{suggestion(str(first['input']), values)}"
    return None


_TYPE_NAMES: Mapping[str, str] = {
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number of a sensible size",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a finite number",
}

_LIMIT_TEXTS: Mapping[str, str] = {
    "ge": "{} or more",
    "gt": "more than {}",
    "le": "{} or less",
    "lt": "less than {}",
}


def _no_such_command(error: Any, name: str) -> str:
    known = error.ctx.command.list_commands(error.ctx) if error.ctx else ()
    return f"there is no command {name}{suggestion(name, known)}"


_PROBLEM_BY_PATTERN: tuple[tuple[re.Pattern[str], Callable[[Any, str], str]], ...] = (
    (re.compile(r"No such command '(.*?)'\.", re.DOTALL), _no_such_command),
    (
        re.compile(r"unexpected extra arguments?(?:\(s\))? \((.*)\)", re.DOTALL),
        lambda _, given: f"too many arguments: {given}",
    ),
    (re.compile(r"Option '(.*?)' requires"), lambda _, name: f"{name} needs a value"),
    (re.compile(r"Option '(.*?)' does not take a value"), lambda _, name: f"{name} takes no value"),
    (re.compile(r"(Missing command)"), lambda _error, _text: "a command is missing"),
)


def _problem_by_message(error: Any) -> str:
    for pattern, describe in _PROBLEM_BY_PATTERN:
        if found := pattern.search(error.message):
            return describe(error, found[1])
    return str(error.format_message())


_PROBLEM_BY_CLASS: Mapping[str, Callable[[Any], str]] = {
    "NoSuchOption": _no_such_option,
    "MissingParameter": _missing,
    "BadParameter": _invalid,
}
