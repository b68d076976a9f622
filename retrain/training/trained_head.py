"""The trained head that Python users hold: the value, and the ways to one that `fit_head` did not train."""

import os
from dataclasses import fields

from retrain.bottlenecks.bottlenecks import Bottlenecks
from retrain.core.errors import OptionError
from retrain.core.typed import require
from retrain.photos.division import Division, division_for
from retrain.training import trained
from retrain.training.as_exported import as_exported
from retrain.training.confidence import with_confidence
from retrain.training.given_head import given_fit
from retrain.training.saved_head import read_saved, write_saved
from retrain.training.train_head import measure_head


class TrainedHead(trained.TrainedHead):
    """The value with its ways in; what `fit_head` returns.

    Here, and not on the value, which those make who train heads: they would have to import each other.
    """

    @classmethod
    def made_of(cls, value: trained.TrainedHead) -> "TrainedHead":
        """The same as one of these."""
        return cls(**{field.name: getattr(value, field.name) for field in fields(value)})

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Keep it, with the bottlenecks that it came from, in a folder without pickle. Raises ExportError, StoreError.

        What folds that took turns said of each penalty is not kept. An export is for labelling, this is to go on.
        """
        write_saved(self, folder)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> "TrainedHead":
        """What `save` kept. Raises ExportError for a folder that holds none, DatasetError."""
        return cls.made_of(read_saved(folder)[0])

    @classmethod
    def of(cls, bottlenecks: Bottlenecks, division: Division, head: object) -> "TrainedHead":
        """A head that you have fitted to the training photos, measured on the test photos and calibrated here.

        `head` is a linear classifier of scikit-learn (LogisticRegression, LinearSVC, SGDClassifier and the
        like), an MLPClassifier, either of them behind StandardScaler, a pair (kernel, bias), or a `Head`. Its
        classes are the names of labels, or, as numbers, indices of `labels`, as in `classes`; where its answers
        show that its numbers mean others, it is refused. It is calibrated on the validation photos, which it
        must not have seen. Raises OptionError for a head without such weights, and for a division whose folds
        take turns: a head that is there has seen all of them, or nobody knows which.
        """
        require(bottlenecks, Bottlenecks, "bottlenecks", "TrainedHead.of", "extract(dataset)")
        require(division, Division, "division", "TrainedHead.of", "bottlenecks.split(SplitConfig(folds=0))")
        division = division_for(division, bottlenecks.photos)
        if division.folds is not None:
            raise OptionError(
                "A `head` that is fitted already cannot be judged by folds that take turns: divide by "
                "`bottlenecks.split(SplitConfig(folds=0))`, and fit it to the training side."
            )
        if not division.mask("testing").any():
            raise OptionError("The `division` has no test photos, by which a given head is measured.")
        fit = given_fit(head, bottlenecks.labels, bottlenecks.matrix, bottlenecks.classes)
        return cls.made_of(as_exported(with_confidence(measure_head(bottlenecks, division, fit))))
