"""Errors and remarks name fields, as in `image_dir`; a command shows them as options, as in --image_dir."""

import re

import click

FIELD = re.compile("`([a-z][a-z0-9_]*)`")


def with_dashes(sentence: str, program: click.Command) -> str:
    """A sentence with the fields that are options of a program, or of one of its commands, as options."""
    options = _options(program)
    return FIELD.sub(lambda field: f"--{field[1]}" if f"--{field[1]}" in options else field[0], sentence)


def _options(command: click.Command) -> set[str]:
    own = {option for parameter in command.params for option in parameter.opts}
    below = command.commands.values() if isinstance(command, click.Group) else ()
    return own.union(*map(_options, below))


def as_options(sentence: str) -> str:
    """A sentence as the program says it whose command is at work."""
    return with_dashes(sentence, click.get_current_context().find_root().command)
