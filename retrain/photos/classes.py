"""Classes as numbers: a class is its place in the list of their names."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from retrain.photos.dataset import Photo

Classes = npt.NDArray[np.intp]


def index_by_label(labels: Sequence[str]) -> dict[str, int]:
    """The place of each name."""
    return {label: index for index, label in enumerate(labels)}


def class_indices(photos: Iterable[Photo], labels: Sequence[str]) -> Classes:
    """The class of each photo (n,), as an index of `labels`, which have all of them."""
    index_of = index_by_label(labels)
    return np.array([index_of[photo.label] for photo in photos], np.intp)
