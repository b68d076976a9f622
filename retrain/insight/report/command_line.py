"""The command that repeats a run."""

import os
import shlex
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retrain.runs.train import Options

NOT_REPEATED = ("resume",)  # it says how to begin, not what to do


def command_of(options: "Options") -> str:
    """`retrain` with every option that is not at its default, each on a line of its own, ready for a shell."""
    lines = ["retrain"]
    for field in fields(options):
        value = getattr(options, field.name)
        if value == field.default or field.name in NOT_REPEATED:
            continue
        lines += [f"--{field.name}{word}" for word in _words(value)]
    return " \\\n    ".join(lines)


def _words(value: object) -> list[str]:
    """What follows an option, which is given once for each; after a flag, nothing."""
    if value is True:
        return [""]
    values = [f"{name}={part}" for name, part in value.items()] if isinstance(value, Mapping) else [value]
    return [f" {shlex.quote(_word(part))}" for part in values]


def _word(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(_word(part) for part in value)
    # A path may hold bytes that are no text.
    return os.fsencode(value).decode(errors="backslashreplace") if isinstance(value, os.PathLike) else str(value)
