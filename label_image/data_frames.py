"""pandas, where a user has it: no dependency, and imported by who asks for a DataFrame alone."""

from importlib import import_module
from typing import Any

from label_image.errors import RetrainError


def pandas() -> Any:
    """The module. Raises RetrainError, which says what to install."""
    try:
        return import_module("pandas")
    except ImportError:
        raise RetrainError("to_frame makes a DataFrame by pandas, which is missing: install it.") from None
