"""Shows Click's errors well on a terminal of any width."""

import io

import click

from label_image.terminal import complain


def show_error(error: click.ClickException) -> None:
    """Print the usage and the sentence of an error as Click does, in rows that end between words."""
    text = io.StringIO()
    error.show(text)
    complain(text.getvalue())
