"""The command that repeats a call: of `retrain train`, whose name may be left out."""

import os
import shlex
from collections.abc import Mapping

import click

NOT_REPEATED = ("resume", "as_json")  # they say how to begin, or what to print; not what to do


def words_of(command: click.Command, options: Mapping[str, object]) -> list[list[str]]:
    """The options of a command that are not at their defaults, in their order, each with its value behind it."""
    defaults = click.Context(command, resilient_parsing=True)
    default_of = {parameter.name: parameter.get_default(defaults) for parameter in command.params}
    repeated = {parameter.name for parameter in command.params if getattr(parameter, "multiple", False)}
    words: list[list[str]] = []
    for name, value in options.items():
        if name in NOT_REPEATED or value is None or value == () or _word(value) == _word(default_of[name]):
            continue
        if value is True:
            words.append([f"--{name}"])
        elif isinstance(value, Mapping):
            words += [[f"--{name}", f"{key}={part}"] for key, part in value.items()]
        elif isinstance(value, tuple) and name in repeated:
            words += [[f"--{name}", _word(part)] for part in value]
        elif value is not False:
            words.append([f"--{name}", _word(value)])
    return words


def command_of(command: click.Command, options: Mapping[str, object]) -> str:
    """`retrain` with these options on one line, ready for a shell."""
    return shlex.join(["retrain", *(word for words in words_of(command, options) for word in words)])


def command_in_lines(command: click.Command, options: Mapping[str, object]) -> str:
    """The same, with each option on a line of its own."""
    return " \\\n    ".join(["retrain", *map(shlex.join, words_of(command, options))])


def _word(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(_word(part) for part in value)
    # A path may hold bytes that are no text.
    return os.fsencode(value).decode(errors="backslashreplace") if isinstance(value, os.PathLike) else str(value)
