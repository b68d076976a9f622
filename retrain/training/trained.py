"""A head that was trained: what it is worth, and how sure it is of its answers."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from retrain.bottlenecks.bottlenecks import Bottlenecks
from retrain.bottlenecks.seen import Seen, vectors_of
from retrain.core.errors import OptionError
from retrain.photos.division import Division
from retrain.training.calibration import Calibration
from retrain.training.cross_validation import OutOfFold
from retrain.training.fitting.sample import Matrix
from retrain.training.head import Fit, Head
from retrain.training.metrics import Metrics
from retrain.training.paired import Change
from retrain.training.recipe import Description, HeadConfig
from retrain.training.scoring import share_right
from retrain.training.unknown import Familiar


@dataclass(frozen=True)
class Confidence:
    """The temperature that went into a head, and what is familiar to it.

    `ece_before` is the calibration error on the test photos before the temperature; None where they were measured
    without it. `refused` is how many of the test photos are called unknown, where folds took turns by a threshold that
    the other folds chose; None where they took turns for mini-batches.
    """

    calibration: Calibration
    familiar: Familiar
    ece_before: float | None
    refused: int | None


@dataclass(frozen=True)
class Float32Change:
    """What float32 changes: how many answers (`changed`), and of how many it is `right` no more, or now."""

    changed: int
    right: Change

    def plain(self) -> dict[str, object]:
        """As the manifest has it; `accuracy` is by how much it is higher in float32."""
        low, high = self.right.turned.interval
        return {
            "photos": self.right.photos,
            "answers_changed": self.changed,
            "accuracy": self.right.turned.share,
            "interval": [low, high],
        }

    def __str__(self) -> str:
        """For people, in one line."""
        better = self.right.turned
        low, high = better.interval
        return (
            f"as exports compute it, in float32, {self.changed} of {better.photos} answers change: accuracy "
            f"{100 * better.share:+.1f} points (95 % interval {100 * low:+.1f} to {100 * high:+.1f})"
        )


@dataclass(frozen=True, eq=False)
class TrainedHead:
    """A head with all that it came from, and how good it is; made by `fit_head`.

    `fit.head` is the head to export; where photos are few, the linear head of L-BFGS is refitted to training
    and validation photos together, after its L2 strength was chosen. `validated_head` is the one that has not
    seen the validation photos, the same where nothing is refitted, and None where the data set is
    cross-validated, as each photo then has a head of its own. `validation` and the `validation_probabilities`
    (n, classes) of `validation_rows` are always answers of heads that have not seen the photos; `test` is that
    of `fit.head`, from the `test_probabilities` of `test_rows`. Rows are those of the bottlenecks. `confidence` is
    there once the head is calibrated.

    Where folds took turns for a head that is fitted to convergence, `out_of_fold` has their answers: then nothing is
    validated, `test` is calibrated from the beginning, and `test_probabilities` are means over the deals of the folds.
    `float32_change` then says what the precision of exports changes, where that of the bottlenecks is another one.
    """

    bottlenecks: Bottlenecks
    division: Division
    fit: Fit
    validation: Metrics
    test: Metrics
    test_rows: npt.NDArray[np.intp]
    test_probabilities: Matrix
    validated_head: Head | None = None
    validation_rows: npt.NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp))
    validation_probabilities: Matrix = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    confidence: Confidence | None = None
    out_of_fold: OutOfFold | None = None
    float32_change: Float32Change | None = None
    asked: HeadConfig | None = None  # None for a head that was given
    tta: bool = False

    def __repr__(self) -> str:
        return f"<TrainedHead {self.description}, test: {self.test}>"

    def _repr_html_(self) -> str:
        return self.test._repr_html_()

    def predict_proba(self, photos: Seen) -> Matrix:
        """Probabilities (n, classes), the columns in the order of `labels`, of photos or of their bottlenecks.

        Photos are paths, bytes of files, images of Pillow or arrays of uint8, seen in float32 as exports see them.
        Raises PhotoError for the first that cannot be read, OptionError for bottlenecks of another backbone.
        """
        return self.head.probabilities(vectors_of(self.bottlenecks, photos))

    def predict(self, photos: Seen) -> npt.NDArray[np.str_]:
        """The most probable label of each photo (n,); see `predict_proba`."""
        found: npt.NDArray[np.str_] = np.array(self.labels, np.str_)[self.predict_proba(photos).argmax(axis=1)]
        return found

    def score(self, photos: Seen, labels: Iterable[str] | None = None) -> float:
        """The share of photos whose most probable label is theirs; bottlenecks know their labels.

        Nothing is left out: on photos that the head has seen it is too high (`evaluate` leaves them out).
        Raises OptionError without `labels`, or where there are not as many as photos.
        """
        if labels is None and isinstance(photos, Bottlenecks) and all(photos.labels):
            labels = photos.y
        if labels is None:
            raise OptionError("`labels` are needed to score photos: give the class of each.")
        return share_right(self.predict(photos), labels, "labels")

    @property
    def head(self) -> Head:
        """The head that is exported: `head.probabilities` maps (n, dim) to (n, classes)."""
        return self.fit.head

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the probabilities."""
        return self.bottlenecks.labels

    @property
    def description(self) -> Description:
        """How it was trained, as model.json says it under `head`."""
        return self.fit.description
