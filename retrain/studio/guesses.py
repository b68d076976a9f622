"""What a head takes the photos without a label for, the most uncertain first.

Uncertain is a photo with a small margin: between the probabilities of the two most probable classes. Photos that look
nearly the same, as those of a burst do, are not asked about one after the other. Accuracy on photos kept aside after 40
and 80 labels, less that of labels in random order, in points over 20 splits (research/compare_labelling_orders.py):
cats +3.6 +- 1.2 and +2.6 +- 0.8, flowers +1.8 +- 1.5 and +2.2 +- 1.0; before, with 10 and 20, no order is measurably
better than a random one. The entropy (cats -4.9 and -6.4), farthest first, k-centre (cats +0.2 and -4.4, flowers -3.7
and -0.2), and a mix of that and the margin did worse. The splits share photos, so these errors are too small: that the
margin is better than chance is likely, and not proven.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from retrain.core.unit_rows import unit_rows
from retrain.studio.seeing import Seen
from retrain.training.head import Matrix
from retrain.training.trained import TrainedHead
from retrain.training.unknown import Similarities

APART = 10  # photos that are asked about one after the other, among which no two look nearly the same
NEARLY_THE_SAME = 0.6  # cosine of centred bottlenecks, as where copies are looked for
AHEAD = 100  # so many photos may be looked through for one that looks different enough
PLACED = 200  # so many are placed in this way, before the next training; the others have only their margin

Rows = npt.NDArray[np.intp]


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
        for place in in_order(margins, vectors)
    )


def in_order(margins: Similarities, vectors: Matrix) -> Rows:
    """The places of photos by ascending margin (n,); one that looks like the APART before it, by (n, dim), waits."""
    by_margin: Rows = np.argsort(margins, kind="stable")
    looked_at = np.asarray(vectors[by_margin[: PLACED + AHEAD]], np.float32)
    units = unit_rows(looked_at - looked_at.mean(axis=0) if len(looked_at) else looked_at)
    waiting = list(range(len(units)))
    order: list[int] = []
    while waiting and len(order) < PLACED:
        recent = units[order[-APART:]]
        different = (units[waiting[:AHEAD]] @ recent.T < NEARLY_THE_SAME).all(axis=1)
        order.append(waiting.pop(int(different.argmax())))  # the first of all, where none is different
    return by_margin[[*order, *waiting, *range(len(units), len(by_margin))]]
