"""Which of n rows are meant: a mask, indices or a slice."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from retrain.core.errors import OptionError

Rows = slice | Sequence[int] | Sequence[bool] | npt.NDArray[np.bool_] | npt.NDArray[np.integer]


def chosen_rows(rows: Rows | bool, count: int) -> npt.NDArray[np.intp]:
    """The indices that are meant, of `count` rows. Raises OptionError for what is none of these, or out of range."""
    if isinstance(rows, slice):
        return np.arange(count)[rows]
    asked = np.asarray(rows)
    if asked.ndim == 1 and asked.dtype == np.bool_ and len(asked) == count:
        return np.flatnonzero(asked)
    if asked.ndim == 1 and (asked.dtype.kind in "iu" or not len(asked)):
        found = asked.astype(np.intp)
        if not len(found) or (found.min() >= -count and found.max() < count):
            return found % max(1, count)
    raise OptionError(
        f"`rows` takes a mask of {count} values, indices below {count}, or a slice; got "
        f"{type(rows).__name__} {asked.dtype} of the shape {asked.shape}."
    )
