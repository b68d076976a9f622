"""Escapes text from outside (names of classes and photos, messages) for a terminal drawn by rich."""

import re

from rich import markup
from rich.console import Console

from label_image.terminal import row_starts, shown


def escape(text: str) -> str:
    """A text that rich prints as it is, but for characters that steer a terminal: these by their numbers."""
    return markup.escape(shown(text))


def print_line(console: Console, line: str) -> None:
    """Print a line with markup. A terminal gets it in rows of its width that end between words, never in one.

    A file or a pipe gets it whole, for those who search in it.
    """
    text = console.render_str(line, highlight=False)
    for row in text.divide(row_starts(text.plain, console.width)) if console.is_terminal else [text]:
        row.rstrip()
        console.print(row, highlight=False, soft_wrap=True)


def with_options(sentence: str) -> str:
    """A remark that names fields, as in `paranoid`, as it is said where they are options, as in --paranoid."""
    return re.sub(r"`(\w+)`", r"--\1", sentence)
