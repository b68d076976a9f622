"""The errors that `label_image` raises on purpose; `retrain.core.errors` has the others, on the same root."""

import re

_NAMED = re.compile(r"`([a-z][a-z0-9_]*)`|(?<![\w-])--([a-z][a-z0-9_]*)")


class RetrainError(Exception):
    """Base of every error that a user of this project can cause; the message is a sentence that says what to do."""

    exit_code = 1

    @property
    def field(self) -> str | None:
        """The field of a config, or the argument, that the sentence names first; None where it names none."""
        found = _NAMED.search(str(self))
        return None if found is None else found[1] or found[2]

    @property
    def option(self) -> str | None:
        """The same as an option of the command line."""
        return None if self.field is None else f"--{self.field}"


class PhotoError(RetrainError):
    """One photo cannot be read or decoded; the message is the reason, without the path."""


class PreprocessingError(RetrainError):
    """A preprocessing string that the grammar of `label_image.preprocessing` does not know."""


class ModelError(RetrainError):
    """An export that cannot be used; the message is a sentence."""


class DownloadError(RetrainError):
    """A file could not be downloaded, or its checksum is not the expected one."""


class ClusterError(RetrainError):
    """A cluster of Ray cannot be reached, or its machines cannot do what they are asked for."""


class ForeignFileError(ValueError):
    """A file, or a part of one, that is not what its reader takes; the message is a phrase that continues its name."""


class StorageError(RetrainError):
    """An object storage, or an address of one, that cannot be used; the message is a sentence."""


class CredentialsError(StorageError):
    """An object storage that lacks credentials, or refuses them; the message says what to set."""


def first_line(error: BaseException) -> str:
    """What a library's error says in its first line that is not empty; the name of its type if it says nothing."""
    return next(filter(None, map(str.strip, str(error).splitlines())), type(error).__name__)
