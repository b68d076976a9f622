"""Vectors as directions, so that products of them are cosines."""

import numpy as np
import numpy.typing as npt


def unit_rows(vectors: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Rows of length 1 in float32; one of nothing but zeros stays as it is."""
    rows = np.asarray(vectors, np.float32)  # squares of float16 may be infinite
    units: npt.NDArray[np.float32] = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return units
