"""A classifier of photos by the conventions of scikit-learn, in three lines from a folder to a prediction.

    classifier = PhotoClassifier().fit("photos")
    classifier.predict(["new/1.jpg", "new/2.jpg"])

It goes into pipelines, searches and cross-validations, but needs no scikit-learn: the protocol is implemented here, and
what scikit-learn's newer releases ask for (`__sklearn_tags__`) is imported when they ask. A bottleneck that the store
has is not computed again, so that a search costs little more than its heads.
"""

import inspect
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from label_image.any_photo import AnyPhoto, as_photos
from label_image.errors import PhotoError
from retrain.backbones.embedding import Backbone, kept_engine
from retrain.backbones.registry import DEFAULT_ARCHITECTURE
from retrain.bottlenecks.bottlenecks import Bottlenecks, extract_with_fallback
from retrain.bottlenecks.extraction_config import ExtractionConfig
from retrain.core.defaults import AUTO, BOTTLENECK_DIR, SEED
from retrain.core.errors import ExportError, OptionError
from retrain.core.typed import check_kind
from retrain.photos.opening import Dataset
from retrain.photos.split import SplitConfig
from retrain.training.fit_head import fit_head
from retrain.training.metrics import Metrics
from retrain.training.recipe import HeadConfig
from retrain.training.saved_head import read_saved, write_saved
from retrain.training.scoring import label_array, share_right
from retrain.training.trained_head import TrainedHead

ABOUT = "classifier"  # what head.json says of one
Photos = AnyPhoto | Iterable[AnyPhoto]
Labels = npt.NDArray[Any]


class PhotoClassifier:
    """Photos in, labels out: a frozen backbone with a head that is fitted to convergence, calibrated and measured.

    The parameters have the names, defaults and meanings of the command line's options. What `fit` finds ends in an
    underscore: `classes_`, `trained_` (the `TrainedHead`, for `export`), `metrics_` on photos that were not seen,
    `backbone_`.
    """

    _estimator_type = "classifier"  # as scikit-learn asked before 1.6

    def __init__(
        self,
        architecture: str = DEFAULT_ARCHITECTURE,
        *,
        weights: str | None = None,
        image_size: int | None = None,
        l2: float | None = None,
        class_weight: str | None = None,
        label_smoothing: float = 0.0,
        hidden_units: Sequence[int] = (),
        dropout: float | None = None,
        epochs: int | None = None,
        folds: int | None = None,
        seed: int = SEED,
        precision: str = AUTO,
        bottleneck_dir: str | os.PathLike[str] = BOTTLENECK_DIR,
    ) -> None:
        self.architecture = architecture
        self.weights = weights
        self.image_size = image_size
        self.l2 = l2
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.hidden_units = hidden_units
        self.dropout = dropout
        self.epochs = epochs
        self.folds = folds
        self.seed = seed
        self.precision = precision
        self.bottleneck_dir = bottleneck_dir

    def fit(self, X: Photos | Dataset, y: Iterable[Any] | None = None) -> "PhotoClassifier":
        """Learn from photos and the label of each; or from a folder of class folders, or a `Dataset`, alone.

        Photos are paths, bytes of files, images of Pillow or arrays of uint8. Raises PhotoError for the first of them
        that cannot be read; in a folder such ones are left out.
        """
        self.backbone_ = Backbone.find(
            self.architecture, weights=self.weights, image_size=self.image_size, seed=self.seed
        )
        found, classes = self._labelled(X, y)
        return self._fitted(found, classes)

    def fit_more(self, X: Photos | Dataset, y: Iterable[Any] | None = None) -> "PhotoClassifier":
        """Learn from these photos and from all before, which may be of other classes; as after `load`.

        A photo that comes again has the label that it has now.
        """
        known = self._trained()
        found, classes = self._labelled(X, y)
        again = set(found.sha256s)
        kept = known.bottlenecks[[sha256 not in again for sha256 in known.bottlenecks.sha256s]]
        classes = {**classes, **{str(one): one for one in self.classes_.tolist()}}
        label_array(classes.values(), "y")
        return self._fitted(kept + found, classes)

    def predict_proba(self, X: Photos) -> npt.NDArray[np.float32]:
        """Probabilities (n, classes), the columns in the order of `classes_`. Raises PhotoError."""
        trained = self._trained()
        vectors = self._extracted(Dataset.unlabelled(X, source_dir=self._source_dir))
        columns = [trained.labels.index(str(one)) for one in self.classes_.tolist()]
        return trained.head.probabilities(np.asarray(vectors.matrix, np.float32))[:, columns]

    def predict(self, X: Photos) -> Labels:
        """The most probable label of each photo (n,). Raises PhotoError."""
        said = self.predict_proba(X).argmax(axis=1)
        found: Labels = self.classes_[said]
        return found

    def score(self, X: Photos, y: Iterable[Any]) -> float:
        """The share of photos whose most probable label is theirs."""
        return share_right(self.predict(X), y, "y")

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Keep it in a folder, without pickle; see `TrainedHead.save`. Raises ExportError, StoreError."""
        trained = self._trained()
        parameters = {name: os.fspath(one) if isinstance(one, os.PathLike) else one
                      for name, one in self.get_params().items()}  # fmt: skip
        write_saved(trained, folder, {ABOUT: {"parameters": parameters, "classes": self.classes_.tolist()}})

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> "PhotoClassifier":
        """What `save` kept: it predicts, and `fit_more` goes on. Raises ExportError."""
        head, said = read_saved(folder)
        trained = TrainedHead.made_of(head)
        try:
            about = said[ABOUT]
            found = cls(**{**about["parameters"], "hidden_units": tuple(about["parameters"]["hidden_units"])})
            classes = np.array(about["classes"])
        except (ValueError, KeyError, TypeError):
            raise ExportError(f"{folder} holds no saved PhotoClassifier: pass the folder of its `save`.") from None
        value = trained.bottlenecks.backbone
        found.backbone_ = Backbone(**vars(value))
        return found._taken(trained, classes)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by their names, as scikit-learn clones and searches by them."""
        return {name: getattr(self, name) for name in _parameters(type(self))}

    def set_params(self, **params: Any) -> "PhotoClassifier":
        """Other values of some parameters. Raises OptionError for a name that is none."""
        for name, value in params.items():
            if name not in _parameters(type(self)):
                raise OptionError(f"PhotoClassifier has no parameter {name}: {', '.join(_parameters(type(self)))}.")
            setattr(self, name, value)
        return self

    @property
    def metrics_(self) -> Metrics:
        """How good it is on photos that its heads had not seen."""
        return self._trained().test

    def __repr__(self) -> str:
        plain = {name: one.default for name, one in inspect.signature(type(self)).parameters.items()}
        changed = [f"{name}={one!r}" for name, one in self.get_params().items() if one != plain[name]]
        return f"PhotoClassifier({', '.join(changed)})"

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "trained_")

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=False),
            classifier_tags=ClassifierTags(),
            input_tags=InputTags(two_d_array=False, string=True),
            no_validation=True,
        )

    @property
    def _source_dir(self) -> Path:
        """Where photos in memory are written: beside their bottlenecks."""
        return self._extraction.local_dir.with_name("sources") / "in_memory"

    @property
    def _extraction(self) -> ExtractionConfig:
        check_kind(self.bottleneck_dir, str | os.PathLike, "bottleneck_dir", "a path")
        return ExtractionConfig(Path(self.bottleneck_dir), precision=self.precision)

    def _trained(self) -> TrainedHead:
        if not hasattr(self, "trained_"):
            raise OptionError("This PhotoClassifier is not fitted yet: call `fit` with photos and their labels.")
        return self.trained_

    def _labelled(self, photos: Photos | Dataset, y: Iterable[Any] | None) -> tuple[Bottlenecks, dict[str, Any]]:
        """The bottlenecks of labelled photos, and the labels by their texts."""
        if isinstance(photos, Dataset) or (y is None and isinstance(photos, str | os.PathLike)):
            if y is not None:
                raise OptionError("A Dataset has the classes of its photos: leave `y` out, or give them by `relabel`.")
            source = self._extraction.bottleneck_dir
            opened = photos if isinstance(photos, Dataset) else Dataset.open(photos, bottleneck_dir=source)
            found = self._extracted(opened, strict=False)
            return found, {name: name for name in found.labels}
        if y is None:
            raise OptionError("`y` is missing: fit takes the label of each photo, or a folder of class folders.")
        listed, labels = as_photos(photos), label_array(y, "y").tolist()
        if len(listed) != len(labels):
            raise OptionError(f"`y` has the labels of {len(labels)} photos, and there are {len(listed)}.")
        texts = [str(one) for one in labels]
        opened = Dataset.from_lists(listed, texts, source_dir=self._source_dir)
        return self._extracted(opened), dict(zip(texts, labels, strict=True))

    def _extracted(self, photos: Dataset, strict: bool = True) -> Bottlenecks:
        config = self._extraction
        backbone = config.computed_and_kept(self.backbone_)
        found = extract_with_fallback(
            photos, backbone, config, start=lambda one: kept_engine(one, config.engine), any_classes=True
        )
        if strict and found.skipped:
            raise PhotoError(f"{found.skipped[0].path} {found.skipped[0].reason}")
        return found

    def _fitted(self, found: Bottlenecks, classes: dict[str, Any]) -> "PhotoClassifier":
        one_fit = not self.hidden_units and self.epochs is None
        split = SplitConfig(seed=self.seed, folds=self.folds if one_fit or self.folds else 0)
        head = HeadConfig(
            l2=self.l2,
            label_smoothing=self.label_smoothing,
            class_weight=self.class_weight,
            hidden_units=self.hidden_units,  # type: ignore[arg-type]  # a list, or what gets a sentence
            dropout=self.dropout,
            epochs=self.epochs,
        )
        trained = fit_head(found, found.split(split), head)
        return self._taken(trained, np.unique([classes[name] for name in found.labels]))

    def _taken(self, trained: TrainedHead, classes: Labels) -> "PhotoClassifier":
        self.trained_ = trained
        self.classes_ = classes
        return self


def _parameters(kind: type[PhotoClassifier]) -> tuple[str, ...]:
    return tuple(inspect.signature(kind).parameters)
