"""What is of another type than the one that is meant gets a sentence, and every error says of which field it is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from painting import paint

from label_image.errors import ModelError, PhotoError
from label_image.model import load_model
from retrain import (
    Augmentation,
    Backbone,
    Bottlenecks,
    Dataset,
    Division,
    ExportConfig,
    Exported,
    ExtractionConfig,
    HeadConfig,
    PhotoClassifier,
    RetrainError,
    SplitConfig,
    TrainedHead,
    ViewsConfig,
    evaluate,
    export,
    extract,
    fit_head,
)
from retrain.core.errors import DatasetError, OptionError

ANY: Any = object()


@pytest.mark.parametrize(
    ("call", "sentence", "field"),
    [
        (lambda _: extract("small", ANY),
         "extract takes a Dataset as `dataset`; got str 'small': Dataset.open('small')", "dataset"),
        (lambda its: extract(its.dataset, "fake"), "extract takes a Backbone as `backbone`; got str 'fake'",
         "backbone"),
        (lambda its: its.split(3), "split takes a SplitConfig as `config`; got int 3", "config"),
        (lambda its: fit_head(its.matrix, ANY), "fit_head takes a Bottlenecks as `bottlenecks`; got ndarray: extract",
         "bottlenecks"),
        (lambda its: fit_head(its, [1]), "fit_head takes a Division as `division`; got list", "division"),
        (lambda its: fit_head(its, its.split(), {"l2": 1}), "fit_head takes a HeadConfig as `config`; got dict",
         "config"),
        (lambda its: evaluate(its), "evaluate takes a TrainedHead as `trained`; got Bottlenecks: fit_head", "trained"),
        (lambda its: export(its), "export takes a TrainedHead as `trained`; got Bottlenecks", "trained"),
        (lambda its: export(fit_head(its, its.split()), "out"),
         "export takes a ExportConfig as `config`; got str 'out': ExportConfig('out')", "config"),
        (lambda _: Dataset.open(3), "`image_dir` is a path or an address; Dataset.open got int", "image_dir"),
        (lambda _: Backbone.find(None), "`architecture` is a name, such as efficientnet_lite0; got NoneType",
         "architecture"),
        (lambda _: HeadConfig(l2="x"), "`l2` takes a number or None; got str 'x'.", "l2"),
        (lambda _: HeadConfig(hidden_units=8), "`hidden_units` takes a list, each a whole number; got int 8.",
         "hidden_units"),
        (lambda _: HeadConfig(epochs=True), "`epochs` takes a whole number or None; got bool True.", "epochs"),
        (lambda _: SplitConfig(folds="5"), "`folds` takes a whole number or None; got str '5'.", "folds"),
        (lambda _: SplitConfig(seed=0.5), "`seed` takes a whole number; got float 0.5.", "seed"),
        (lambda _: ExtractionConfig(paranoid="no"), "`paranoid` takes True or False; got str 'no'.", "paranoid"),
        (lambda _: ExtractionConfig(7), "`bottleneck_dir` takes a path or text; got int 7.", "bottleneck_dir"),
        (lambda _: ExportConfig(final_tensor_name=None), "`final_tensor_name` takes text; got NoneType.",
         "final_tensor_name"),
        (lambda _: ViewsConfig("flip"), "`augmentation` takes a Augmentation; got str 'flip'.", "augmentation"),
        (lambda _: Augmentation(random_crop=None), "`random_crop` takes a whole number; got NoneType.", "random_crop"),
        (lambda its: its.dataset.sample(2.0), "`count` takes a whole number; got float 2.0.", "count"),
        (lambda its: its.dataset.sample("2"), "`count` takes a whole number; got str '2'.", "count"),
        (lambda its: its.nearest(its.X[:1], count=2.5), "`count` takes a whole number; got float 2.5.", "count"),
        (lambda its: its.nearest(its.X[:1], count=True), "`count` takes a whole number; got bool True.", "count"),
        (lambda its: its.nearest([[1, 2], [1]]), "`vectors` are no matrix: pass (m, dim) numbers", "vectors"),
        (lambda its: TrainedHead.of("x", its.split(), ANY), "TrainedHead.of takes a Bottlenecks as `bottlenecks`",
         "bottlenecks"),
        (lambda its: TrainedHead.of(its, "x", ANY), "TrainedHead.of takes a Division as `division`; got str 'x'",
         "division"),
        (lambda its: its + "text", "+ takes a Bottlenecks as `other`; got str 'text': extract(…)", "other"),
        (lambda its: its.dataset + "text", "+ takes a Dataset as `other`; got str 'text': Dataset.open(…)", "other"),
        (lambda its: Dataset.open(its.dataset.source, max_images_per_class="3"),
         "`max_images_per_class` takes a whole number; got str '3'.", "max_images_per_class"),
        (lambda its: Dataset.open(its.dataset.source, max_images_per_class=1.5),
         "`max_images_per_class` takes a whole number; got float 1.5.", "max_images_per_class"),
        (lambda its: Dataset.open(its.dataset.source, add_images=None),
         "`add_images` takes a list of paths; got NoneType.", "add_images"),
        (lambda its: Dataset.from_lists(its.paths, None),
         "`labels` takes a list with the class of each photo; got NoneType.", "labels"),
        (lambda its: Division.of_sides(its.photos, None),
         "`sides` takes a list with the side of each photo; got NoneType.", "sides"),
        (lambda _: Backbone.names(3), "`pattern` takes text; got int 3.", "pattern"),
        (lambda _: ExportConfig(None), "`output_dir` takes a path; got NoneType.", "output_dir"),
        (lambda _: ExportConfig(3), "`output_dir` takes a path; got int 3.", "output_dir"),
        (lambda _: ExportConfig("x", 3), "`formats` takes a list of names; got int 3.",
         "formats"),
        (lambda its: fit_head(its, its.split()).save(None), "`folder` takes a path; got NoneType.", "folder"),
        (lambda _: TrainedHead.load(None), "`folder` takes a path; got NoneType.", "folder"),
        (lambda its: PhotoClassifier("fake", bottleneck_dir=None).fit(its.paths, its.y),
         "`bottleneck_dir` takes a path; got NoneType.", "bottleneck_dir"),
        (lambda _: Exported(Path("x"), (), {}).add(None),
         "`formats` takes a list of names; got NoneType.", "formats"),
        (lambda its: fit_head(its, its.split()).head.probabilities(its.X[:, :2]),
         "`bottlenecks` are of the shape (42, 2), and the head takes (n, 3): pass those of its own backbone.",
         "bottlenecks"),
        (lambda its: its.dataset[True], "indices below 42, or a slice; got bool", "rows"),
        (lambda its: its[True], "`rows` takes a mask of 42 values, indices below 42, or a slice; got bool", "rows"),
    ],
)  # fmt: skip
def test_another_type_gets_a_sentence(
    call: Callable[[Bottlenecks], object], sentence: str, field: str, bottlenecks: Bottlenecks
) -> None:
    with pytest.raises(OptionError) as caught:
        call(bottlenecks)
    assert sentence in str(caught.value).replace('"', "'")
    assert (caught.value.field, caught.value.option) == (field, f"--{field}")


def test_what_is_no_photo_gets_a_sentence(bottlenecks: Bottlenecks) -> None:
    for nothing in (None, 3, [None]):
        with pytest.raises(PhotoError, match=r"photo 0 is (NoneType|int), not a path, the bytes of a file"):
            bottlenecks.backbone.embed(nothing)  # type: ignore[arg-type]
        with pytest.raises(DatasetError, match=r"photo 0 is (NoneType|int), not a path"):
            Dataset.unlabelled(nothing)  # type: ignore[arg-type]


def test_a_text_is_one_place_and_one_format(tmp_path: Path) -> None:
    photos, more = tmp_path / "photos", tmp_path / "more"
    for name in ("red", "blue"):
        paint(photos / name / "0.png", name, 0)
        paint(more / name / "1.png", name, 1)
    for one in (str(more), more):
        assert len(Dataset.open(photos, add_images=one)) == 4
    assert ExportConfig("x", "tflite").formats == ("tflite",)  # type: ignore[arg-type]


def test_what_is_no_path_is_no_model() -> None:
    with pytest.raises(ModelError, match=r"^load_model takes the path of an export; got NoneType\.$"):
        load_model(None)  # type: ignore[arg-type]


def test_numbers_of_numpy_and_paths_are_taken(tmp_path: Path) -> None:
    import numpy as np

    assert SplitConfig(seed=np.int64(3), testing_percentage=np.float32(20)).seed == 3
    assert HeadConfig(l2=1, hidden_units=[]).l2 == 1
    assert ExtractionConfig(tmp_path).bottleneck_dir == ExtractionConfig(str(tmp_path)).bottleneck_dir
    assert Dataset.__name__ and ExportConfig(tmp_path).output_dir == tmp_path


def test_every_error_is_of_one_root_and_may_name_no_field() -> None:
    from retrain.core import errors

    own = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert own and all(issubclass(error, RetrainError) for error in own)
    assert PhotoError("is no photo").field is None and PhotoError("is no photo").option is None
    assert RetrainError("--threshold 2 must be less.").option == "--threshold"


def test_numbers_of_numpy_count_and_choose(bottlenecks: Bottlenecks) -> None:
    import numpy as np

    found = bottlenecks.dataset
    assert found[np.int64(3)] == found[3] and len(found.sample(np.int64(2))) == 2
    assert bottlenecks.nearest(bottlenecks.X[:1], count=np.int64(3)).rows.shape == (1, 3)
