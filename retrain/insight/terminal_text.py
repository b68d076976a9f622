"""Escapes text from outside (names of classes and photos, messages) for a terminal drawn by rich."""

from rich import markup

from label_image.terminal import shown


def escape(text: str) -> str:
    """A text that rich prints as it is, but for characters that steer a terminal: these by their numbers."""
    return markup.escape(shown(text))
