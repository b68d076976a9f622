"""What `label_image` raises on purpose, besides the PhotoError of a photo."""


class ModelError(Exception):
    """An export that cannot be used; the message is a sentence."""


class ForeignFileError(ValueError):
    """A file, or a part of one, that is not what its reader takes; the message is a phrase that continues its name."""
