"""Refuses an option that takes one value and is given more than once; the parser would use the last one silently."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import typer


def refuse_repeated_options(command: Any) -> None:
    """Make a command refuse repeated options.

    A plain flag such as ``--json`` may be repeated, because that changes nothing; of a pair such as
    ``--in-doubt/--certain`` the second could contradict the first.
    """
    make_parser = command.make_parser

    def make_strict_parser(context: Any) -> Any:
        parser = make_parser(context)
        parse = parser.parse_args

        def parse_args(args: list[str]) -> tuple[Any, Any, Any]:
            values, rest, order = parse(args)
            if not context.resilient_parsing:  # a shell that completes a line
                _check(order, context)
            return values, rest, order

        parser.parse_args = parse_args
        return parser

    command.make_parser = make_strict_parser


def _check(given: Iterable[Any], context: Any) -> None:
    for parameter, times in Counter(given).items():
        if times > 1 and _takes_one_value(parameter):
            names = "/".join((parameter.opts[-1], *parameter.secondary_opts))
            raise typer.BadParameter(f"{names} is given more than once", ctx=context)


def _takes_one_value(parameter: Any) -> bool:
    if parameter.param_type_name != "option" or parameter.multiple:
        return False
    return not parameter.is_flag or bool(parameter.secondary_opts)
