"""What ends the labelling of many photos; each message is a sentence."""

from collections.abc import Iterable


class ManyError(Exception):
    """A run that cannot go on."""


def no_photo_in(images: Iterable[str]) -> ManyError:
    """What a run says that has found nothing to do."""
    return ManyError(f"There is no photo in {', '.join(images)}.")


class JournalError(ManyError):
    """A journal that must not be gone on from, or cannot be written."""


class TableError(ManyError):
    """A table that cannot be written."""
