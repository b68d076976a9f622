"""Whatever a head is asked about, as bottlenecks: photos in any form, or vectors that are there already."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from label_image.any_photo import AnyPhoto
from retrain.backbones.embedding import embed
from retrain.bottlenecks.bottlenecks import Bottlenecks
from retrain.core.errors import OptionError

Seen = Bottlenecks | npt.NDArray[np.floating] | AnyPhoto | Iterable[AnyPhoto]


def vectors_of(own: Bottlenecks, photos: Seen) -> npt.NDArray[np.float32]:
    """The bottlenecks (n, dim) of photos, by the backbone of `own` in float32. Raises OptionError and PhotoError."""
    if isinstance(photos, Bottlenecks):
        require_same_backbone(photos, own)
        return np.asarray(photos.matrix, np.float32)
    if isinstance(photos, np.ndarray) and photos.dtype.kind == "f" and photos.ndim == 2:
        dim = own.matrix.shape[1]
        if photos.shape[1] != dim:
            raise OptionError(f"A bottleneck has {dim} numbers; these have {photos.shape[1]}.")
        if not np.isfinite(photos).all():
            raise OptionError("These bottlenecks hold numbers that are not finite: no class can be told from them.")
        return np.asarray(photos, np.float32)
    return embed(own.backbone.in_float32(), photos, own.config.engine)


def require_same_backbone(others: Bottlenecks, own: Bottlenecks) -> None:
    """Raise OptionError for bottlenecks of which the head of `own` says nothing."""
    if others.fingerprint != own.fingerprint:
        raise OptionError("These bottlenecks are not those of the head's backbone: extract them with it.")
