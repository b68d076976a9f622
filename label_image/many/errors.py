"""What ends the labelling of many photos; each message is a sentence."""


class ManyError(Exception):
    """A run that cannot go on."""


class JournalError(ManyError):
    """A journal that must not be gone on from, or cannot be written."""


class TableError(ManyError):
    """A table that cannot be written."""
