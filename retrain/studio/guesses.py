"""What a head takes the photos without a label for, the most uncertain first."""

from dataclasses import dataclass

import numpy as np

from retrain.studio.seeing import Seen
from retrain.training.trained import TrainedHead


@dataclass(frozen=True, slots=True)
class Guess:
    """What a head says of an unlabelled photo.

    `probability` is that of `label`, `margin` by how much it is more probable than the next class. `unknown`: the
    exports would say so, as the photo is unlike all that was trained on.
    """

    id: str
    label: str
    probability: float
    margin: float
    unknown: bool


def guesses(seen: Seen, trained: TrainedHead) -> tuple[Guess, ...]:
    """A guess for each photo that waits for a label and can be used, in the order in which to ask about them."""
    rows = np.array(seen.unlabelled, np.intp)
    vectors = seen.extraction.matrix[rows]
    probabilities = trained.head.probabilities(vectors)
    best = probabilities.argmax(axis=1)
    ranked = np.sort(probabilities, axis=1)
    margins = ranked[:, -1] - ranked[:, -2]
    unknown = np.zeros(len(rows), np.bool_)
    if trained.confidence is not None:
        familiar = trained.confidence.familiar
        unknown = familiar.similarity(vectors) < familiar.threshold
    id_of = {photo.file.path: photo.id for photo in seen.listing.photos}
    return tuple(
        Guess(
            id_of[seen.extraction.photos[rows[place]].path],
            trained.labels[best[place]],
            float(probabilities[place, best[place]]),
            float(margins[place]),
            bool(unknown[place]),
        )
        for place in np.argsort(margins, kind="stable")
    )
