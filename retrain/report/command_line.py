"""The command that repeats a run."""

import os
import shlex
from dataclasses import fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retrain.pipeline import Options

NOT_REPEATED = ("resume",)  # it says how to begin, not what to do


def command_of(options: "Options") -> str:
    """`retrain` with every option that is not at its default, each on a line of its own, ready for a shell."""
    lines = ["retrain"]
    for field in fields(options):
        value = getattr(options, field.name)
        if value == field.default or field.name in NOT_REPEATED:
            continue
        lines.append(f"--{field.name}" if value is True else f"--{field.name} {shlex.quote(_word(value))}")
    return " \\\n    ".join(lines)


def _word(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(_word(part) for part in value)
    # A path may hold bytes that are no text.
    return os.fsencode(value).decode(errors="backslashreplace") if isinstance(value, os.PathLike) else str(value)
