"""The share of answers that are right, where labels can be compared with them."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from retrain.core.errors import OptionError

TEXT = "U"


def share_right(said: npt.NDArray[Any], labels: Iterable[Any], name: str) -> float:
    """How many of the answers (n,) are as the labels, which are called `name`. Raises OptionError.

    NumPy would take one label for all answers, and no text for equal to any number.
    """
    truth = label_array(labels, name)
    if truth.shape != said.shape:
        raise OptionError(f"`{name}` are of {len(truth)} photos, and there are {len(said)}.")
    if not len(said):
        raise OptionError("There are no photos to score.")
    if (truth.dtype.kind == TEXT) != (said.dtype.kind == TEXT):
        raise OptionError(f"`{name}` are {truth.dtype}, and the classes {said.dtype}: give them as they were learned.")
    return float((said == truth).mean())


def label_array(labels: Iterable[Any], name: str) -> npt.NDArray[Any]:
    """Labels as an array (n,) of texts or of numbers. Raises OptionError for both, for missing ones, and for others.

    NumPy would make a text of a number beside texts, and so one class of 1 and "1".
    """
    values = [] if isinstance(labels, str) else list(labels)
    found = np.array(values) if values else np.array(values, np.str_)
    if isinstance(labels, str) or found.ndim != 1 or found.dtype.kind not in "bifuU":
        raise OptionError(f"`{name}` takes a list with the label of each photo, all of them texts or all numbers.")
    if len({isinstance(one, str) for one in values}) > 1:
        raise OptionError(f"`{name}` has texts and numbers: give labels of one kind.")
    if found.dtype.kind == "f" and np.isnan(found).any():
        raise OptionError(f"`{name}` has {int(np.isnan(found).sum())} missing labels (NaN): leave these photos out.")
    return found
