"""Errors and remarks name fields, as in `image_dir`; a command shows them as its options, as in --image_dir.

Where a command takes a field as an argument it is shown by the name that its help has for it, as in DATA.
"""

import re
from collections.abc import Sequence

import click

FIELD = re.compile("`([a-z][a-z0-9_]*)`")
# Errors about photos name one of these, whatever a command calls what it takes photos of.
OF_PHOTOS = ("image_dir", "data")


def with_dashes(sentence: str, program: click.Command, command: click.Command | None = None) -> str:
    """A sentence with the fields that are options of a program, or of one of its commands, as options.

    Those that the `command` at work takes as arguments have the names of these.
    """
    options, arguments = _options(program), {} if command is None else _arguments(command)

    def shown(field: re.Match[str]) -> str:
        return arguments.get(field[1]) or (f"--{field[1]}" if f"--{field[1]}" in options else field[0])

    return FIELD.sub(shown, sentence)


def at_work(program: click.Command, words: Sequence[str]) -> click.Command:
    """The command of a program, or of a group in it, that the first words of a call name."""
    for word in words:
        if not isinstance(program, click.Group) or word not in program.commands:
            break
        program = program.commands[word]
    return program


def _arguments(command: click.Command) -> dict[str, str]:
    own = {option for parameter in command.params for option in parameter.opts}
    named = {
        str(one.name): (one.metavar or str(one.name).upper()).strip("[]…")
        for one in command.params
        if isinstance(one, click.Argument)
    }
    of_photos = next((named[name] for name in OF_PHOTOS if name in named), None)
    if of_photos is None and "--keep_photos" in own:
        of_photos = "--keep_photos"
    if of_photos is not None:
        named |= {name: of_photos for name in OF_PHOTOS if f"--{name}" not in own}
    return named


def _options(command: click.Command) -> set[str]:
    own = {option for parameter in command.params for option in parameter.opts}
    below = command.commands.values() if isinstance(command, click.Group) else ()
    return own.union(*map(_options, below))


def as_options(sentence: str) -> str:
    """A sentence as the program says it whose command is at work."""
    context = click.get_current_context()
    return with_dashes(sentence, context.find_root().command, context.command)
