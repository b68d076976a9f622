"""What a model says of many photos, as arrays and as a table."""

import html
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from label_image.column_names import distinct
from label_image.data_frames import pandas

SHOWN = 10  # rows in a notebook


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a model says of n photos, in their order.

    `probabilities` is (n, classes), its columns are `classes`. `unknown` (n,) says which photos are like nothing that
    was trained on: their `similarity` is below the threshold. Both are None for a model that cannot tell.
    """

    photos: tuple[str, ...]
    classes: tuple[str, ...]
    probabilities: npt.NDArray[np.float32]
    similarity: npt.NDArray[np.float32] | None = None
    unknown: npt.NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.photos)

    def __repr__(self) -> str:
        return f"<Predictions of {len(self)} photos by {len(self.classes)} classes>"

    @cached_property
    def labels(self) -> npt.NDArray[np.str_]:
        """The most probable label of each photo (n,), also of those that are unknown."""
        found: npt.NDArray[np.str_] = np.array(self.classes)[self.probabilities.argmax(axis=1)]
        return found

    @property
    def probability(self) -> npt.NDArray[np.float32]:
        """The probability of that label, (n,)."""
        best: npt.NDArray[np.float32] = self.probabilities.max(axis=1, initial=0)
        return best

    def columns(self) -> dict[str, Any]:
        """One list for each column: photo, label, probability, unknown and similarity, then one for each class."""
        found: dict[str, Any] = {"photo": list(self.photos), "label": self.labels, "probability": self.probability}
        if self.unknown is not None:
            found |= {"unknown": self.unknown, "similarity": self.similarity}
        return found | {f"p({name})": self.probabilities[:, place] for place, name in enumerate(distinct(self.classes))}

    def to_frame(self) -> Any:
        """A DataFrame of pandas with a row for each photo. Raises RetrainError where pandas is not installed."""
        return pandas().DataFrame(self.columns())

    def _repr_html_(self) -> str:
        rows = zip(self.photos[:SHOWN], self.labels, self.probability, strict=False)
        cells = "".join(f"<tr><td>{html.escape(photo)}</td><td>{html.escape(str(label))}</td><td>{p:.3f}</td></tr>"
                        for photo, label, p in rows)  # fmt: skip
        more = f"<p>… {len(self) - SHOWN} more</p>" if len(self) > SHOWN else ""
        return f"<table><tr><th>photo</th><th>label</th><th>probability</th></tr>{cells}</table>{more}"
