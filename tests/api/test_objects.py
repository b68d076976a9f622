"""Data sets, bottlenecks and heads have the manners of ordinary Python objects."""

import errno
import os
import pickle
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from painting import paint
from PIL import Image

import retrain
from retrain import (
    Backbone,
    Bottlenecks,
    Dataset,
    ExportConfig,
    ExtractionConfig,
    HeadConfig,
    RetrainError,
    SplitConfig,
    TrainedHead,
    evaluate,
    export,
    extract,
    fit_head,
)
from retrain.core.errors import DatasetError, ExportError, OptionError, StoreError
from retrain.photos import handling
from retrain.training import saved_head

FAKE = Backbone.find("fake")


@pytest.fixture(scope="module")
def trained(bottlenecks: Bottlenecks) -> TrainedHead:
    return fit_head(bottlenecks, bottlenecks.split(SplitConfig(folds=0, testing_percentage=30)))


# Data sets


def test_a_data_set_is_made_of_lists(photos: Path, tmp_path: Path) -> None:
    found = Dataset.open(photos)
    assert Dataset.from_folder(photos) == found
    paths, labels = [file.path for file in found], [file.label for file in found]
    assert Dataset.from_lists(paths, labels).files == found.files
    image = Image.open(paths[0])
    mixed = [Path(paths[1]).read_bytes(), image, np.asarray(image), paths[30]]
    some = Dataset.from_lists(mixed, ["a", "a", "a", "b"], ["train", "val", None, "TEST"], source_dir=tmp_path)
    assert {file.split for file in some} == {"training", "validation", None, "testing"}
    assert len(list(tmp_path.iterdir())) == 2 and len(some) == 4, "the same pixels are written once"
    for wrong, why in (
        (lambda: Dataset.from_lists(paths, ["a"]), "`photos`, `labels` and `splits` are of 42, 1 and 42 photos"),
        (lambda: Dataset.from_lists(paths, [1] * 42), "`labels` are texts; got int 1"),
        (lambda: Dataset.from_lists(paths, labels, ["tset"] * 42), "`splits` holds 'tset'"),
    ):
        with pytest.raises(OptionError, match=why):
            wrong()
    with pytest.raises(DatasetError, match=r"nowhere.png cannot be read: No such file"):
        Dataset.from_lists(["nowhere.png"], ["a"])
    with pytest.raises(DatasetError, match="photo 1 is an array of float64"):
        Dataset.from_lists([paths[0], np.zeros((3, 3))], ["a", "b"])  # type: ignore[list-item]


def test_a_folder_that_photos_in_memory_cannot_be_written_to_is_named(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    image = Image.open(next(photos.rglob("*.png")))
    for place, why in ((tmp_path / "file", "File exists"), (Path("/proc/nope"), "No such file or directory")):
        with pytest.raises(DatasetError, match=f"^{place} cannot be written to: {why}: choose another `source_dir`.$"):
            Dataset.from_lists([image] * 2, ["a", "b"], source_dir=place)

    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(handling, "write_in_one_step", full)
    with pytest.raises(DatasetError, match=f"^{tmp_path} cannot be written to: No space left on device: choose"):
        Dataset.unlabelled(image, source_dir=tmp_path)


def test_a_data_set_is_made_of_a_table(photos: Path) -> None:
    found = Dataset.open(photos)
    columns = {"file": [file.path for file in found], "kind": [file.label for file in found], "side": ["train"] * 42}
    for frame in (columns, pa.table(columns), SimpleFrame(columns)):
        some = Dataset.from_frame(frame, "file", "kind", "side")
        assert [file.split for file in some] == ["training"] * 42 and some.labels == found.labels
    names = {**columns, "file": [f"{file.label}/{Path(file.path).name}" for file in found]}
    assert Dataset.from_frame(names, "file", "kind", folder=photos).files == found.files
    with pytest.raises(OptionError, match="The frame has no column path; it has file, kind, side"):
        Dataset.from_frame(columns)


class SimpleFrame:
    """As pandas and Polars have it: `columns`, and a column by its name with `tolist`."""

    def __init__(self, values: dict[str, list[str]]) -> None:
        self._values, self.columns = values, list(values)

    def __getitem__(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(tolist=lambda: self._values[name])


def test_photos_are_chosen_and_renamed(photos: Path) -> None:
    found = Dataset.open(photos)
    red = found.where("red")
    assert (len(red), red.labels, red[0].label) == (14, ("red",), "red")
    assert len(found.where(["red", "blue"])) == 28 == len(found.where(lambda file: file.label != "green"))
    assert found[np.array([file.label == "red" for file in found])] == red == found[-14:]
    assert found.where(["blue", "green"]) + red != found and (found.where(["blue", "green"]) + red).files == found.files
    assert (found + found).files == found.files
    warm = found.relabel({"red": "warm", "green": "cold", "blue": "cold"})
    assert warm.counts() == {"cold": 28, "warm": 14} and len(warm) == 42
    assert found.relabel(lambda file: file.label.upper()).labels == ("BLUE", "GREEN", "RED")
    few = found.sample(4, seed=1, per_class=True)
    assert few.counts() == {"blue": 4, "green": 4, "red": 4} and few == found.sample(4, seed=1, per_class=True)
    assert len(found.sample(5)) == 5 and found.sample(5) != found.sample(5, seed=1)
    assert "<td>blue</td><td>14</td>" in found._repr_html_()
    assert len(extract(few, FAKE, ExtractionConfig(photos.parent / "kept"))) == 12
    for wrong, why in (
        (lambda: found.where("pink"), "There is no class pink; there are blue, green, red"),
        (lambda: found.relabel({"pink": "x"}), "There is no class pink to relabel"),
        (lambda: found.sample(0), "`count` 0 must be at least 1"),
        (lambda: found[[99]], "`rows` takes a mask of 42 values, indices below 42, or a slice"),
        (lambda: found[np.ones(3, bool)], "`rows` takes a mask of 42 values"),
    ):
        with pytest.raises(OptionError, match=why):
            wrong()


def test_photos_without_classes_have_bottlenecks_and_train_nothing(bottlenecks: Bottlenecks, photos: Path) -> None:
    kept = ExtractionConfig(photos.parent / "kept")
    found = extract(Dataset.unlabelled(bottlenecks.paths[:5]), FAKE, kept)
    np.testing.assert_array_equal(found.X, bottlenecks.X[:5])
    with pytest.raises(DatasetError, match="holds no class"):
        fit_head(found, found.split())


# Bottlenecks


def test_bottlenecks_are_arrays_and_masks(bottlenecks: Bottlenecks) -> None:
    assert len(bottlenecks) == 42 == len(bottlenecks.paths) == len(bottlenecks.sha256s) == len(list(bottlenecks))
    assert bottlenecks.X is bottlenecks.matrix and len(bottlenecks.fingerprint) == 64
    assert list(bottlenecks.y) == [photo.label for photo in bottlenecks.photos]
    some = bottlenecks[bottlenecks.y != "green"]
    assert (some.labels, len(some), len(some.dataset)) == (("blue", "red"), 28, 28)
    np.testing.assert_array_equal(some.X, bottlenecks.X[bottlenecks.y != "green"])
    assert evaluate(fit_head(some, some.split())).n == 28
    assert [photo.path for photo, _ in bottlenecks[[3, -1]]] == [bottlenecks.paths[3], bottlenecks.paths[-1]]
    again = bottlenecks[bottlenecks.y == "green"] + some
    assert again.labels == ("green", "blue", "red") and again.paths == bottlenecks.paths
    np.testing.assert_array_equal(again.X, bottlenecks.X)
    assert len(again + bottlenecks) == 42
    assert fit_head(again, bottlenecks.split()).test.n == 42


def test_bottlenecks_travel_as_a_table(bottlenecks: Bottlenecks, tmp_path: Path) -> None:
    bottlenecks.to_parquet(tmp_path / "b.parquet")
    table = pq.read_table(tmp_path / "b.parquet")
    assert table.column_names == ["path", "sha256", "label", "split", "view", "bottleneck"]
    assert table["path"].to_pylist() == list(bottlenecks.paths) and set(table["view"].to_pylist()) == {"original"}
    np.testing.assert_array_equal(np.stack(table["bottleneck"].to_numpy()), bottlenecks.X)
    back = Bottlenecks.read(tmp_path / "b.parquet")
    assert len(back.dataset) == len((back + bottlenecks).dataset) == len(bottlenecks)
    assert (back.photos, back.labels, back.fingerprint) == (
        bottlenecks.photos, bottlenecks.labels, bottlenecks.fingerprint)  # fmt: skip
    division = bottlenecks.split()
    mine, its = fit_head(bottlenecks, division), fit_head(back, division)
    assert mine.test == its.test and (mine.head.kernel == its.head.kernel).all()
    export(its, ExportConfig(tmp_path / "model", ["tflite"]))
    bottlenecks[:3].to_parquet(tmp_path / "b.parquet")  # in the place of the earlier one
    assert len(Bottlenecks.read(tmp_path / "b.parquet")) == 3
    pq.write_table(table.replace_schema_metadata(None), tmp_path / "foreign.parquet")
    (tmp_path / "mine.txt").write_text("mine")
    for name in ("mine.txt", "foreign.parquet", ""):
        with pytest.raises(StoreError, match="is not a table of bottlenecks, and would be replaced"):
            bottlenecks.to_parquet(tmp_path / name)
    assert (tmp_path / "mine.txt").read_text() == "mine"
    with pytest.raises(DatasetError, match="was not written by `to_parquet` of bottlenecks"):
        Bottlenecks.read(tmp_path / "foreign.parquet")
    (tmp_path / "damaged.parquet").write_bytes((tmp_path / "b.parquet").read_bytes()[:-40])
    with pytest.raises(DatasetError, match="is not a readable Parquet file"):
        Bottlenecks.read(tmp_path / "damaged.parquet")


# Heads


def test_a_head_predicts_photos_and_bottlenecks(trained: TrainedHead, bottlenecks: Bottlenecks, tmp_path: Path) -> None:
    expected = trained.head.probabilities(bottlenecks.X)
    np.testing.assert_array_equal(trained.predict_proba(bottlenecks), expected)
    np.testing.assert_array_equal(trained.predict_proba(bottlenecks.X), expected)
    np.testing.assert_allclose(trained.predict_proba(list(bottlenecks.paths)), expected, atol=1e-6)
    assert trained.predict(Image.open(paint(tmp_path / "a.png", "red"))).tolist() == ["red"]
    share = trained.score(bottlenecks)
    assert share == trained.score(list(bottlenecks.paths), list(bottlenecks.y)) > 0.9
    with pytest.raises(OptionError, match="`labels` are needed to score photos"):
        trained.score(list(bottlenecks.paths))
    with pytest.raises(OptionError, match="A bottleneck has 3 numbers; these have 2"):
        trained.predict(np.zeros((4, 2), np.float32))


@pytest.mark.parametrize("config", [HeadConfig(), HeadConfig(hidden_units=(4,), epochs=2)], ids=["linear", "hidden"])
@pytest.mark.parametrize("folds", [0, 5])
def test_a_head_is_saved_and_loaded(config: HeadConfig, folds: int, bottlenecks: Bottlenecks, tmp_path: Path) -> None:
    trained = fit_head(bottlenecks, bottlenecks.split(SplitConfig(folds=folds)), config)
    (tmp_path / "head").mkdir()
    (tmp_path / "head/.DS_Store").touch()  # which is nobody's
    trained.save(tmp_path / "head")
    trained.save(tmp_path / "head")  # again, in its place
    with pytest.raises(ExportError, match="holds other files, and no saved head to replace"):
        trained.save(bottlenecks.config.local_dir)
    back = TrainedHead.load(tmp_path / "head")
    assert (back.test, back.validation, back.division, back.asked) == (
        trained.test, trained.validation, trained.division, trained.asked)  # fmt: skip
    np.testing.assert_array_equal(back.predict_proba(bottlenecks), trained.predict_proba(bottlenecks))
    for one, name in ((trained, "one"), (back, "two")):
        export(one, ExportConfig(tmp_path / name, ["tflite"]))
    assert (tmp_path / "one/model.json").read_bytes() == (tmp_path / "two/model.json").read_bytes()
    assert not any(b"pickle" in path.read_bytes() for path in (tmp_path / "head").iterdir())
    (tmp_path / "head/head.json").write_text("{}")
    with pytest.raises(ExportError, match="cannot be read"):
        TrainedHead.load(tmp_path / "head")
    with pytest.raises(ExportError, match="is no saved head"):
        TrainedHead.load(tmp_path / "nowhere")


def test_a_save_that_was_killed_is_refused_and_made_again(
    trained: TrainedHead, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Bottlenecks, "to_parquet", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        trained.save(tmp_path / "head")
    with pytest.raises(ExportError, match="it was stopped while it was saved: save it again"):
        TrainedHead.load(tmp_path / "head")
    trained.save(tmp_path / "head")
    assert TrainedHead.load(tmp_path / "head").test == trained.test


@pytest.mark.parametrize("step", ["savez", "to_parquet", "replace", "write_in_one_step"])
def test_a_save_that_fails_leaves_the_head_of_before(
    step: str, trained: TrainedHead, bottlenecks: Bottlenecks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At whichever step the disk is full, or the process is gone."""
    trained.save(tmp_path / "head")
    (tmp_path / "head/notes.txt").write_text("mine")
    other = fit_head(bottlenecks, trained.division, HeadConfig(l2=1.0))

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    where = {"savez": np, "to_parquet": Bottlenecks, "replace": os, "write_in_one_step": saved_head}[step]
    with monkeypatch.context() as patched, pytest.raises(RetrainError, match="No space left"):
        patched.setattr(where, step, full)
        other.save(tmp_path / "head")
    assert TrainedHead.load(tmp_path / "head").test == trained.test
    other.save(tmp_path / "head")
    assert TrainedHead.load(tmp_path / "head").fit.description == other.fit.description
    assert (tmp_path / "head/notes.txt").read_text() == "mine"
    assert len(list((tmp_path / "head").iterdir())) == 4  # nothing is left of the one before


def test_an_export_gets_further_formats(bottlenecks: Bottlenecks, tmp_path: Path) -> None:
    listed = Dataset.from_lists(bottlenecks.paths, bottlenecks.y)
    found = extract(listed, FAKE, bottlenecks.config)
    written = export(fit_head(found, found.split()), ExportConfig(tmp_path / "model"))
    assert written.path == tmp_path / "model" and written.formats == ("saved_model", "tflite")
    more = written.add("tflite_float16")
    assert more.formats == ("saved_model", "tflite", "tflite_float16") and more.parity["tflite_float16"]["photos"] > 0
    assert repr(more) == f"<Exported {tmp_path / 'model'}: saved_model, tflite, tflite_float16>"
    with pytest.raises(OptionError, match="`formats` tfljs is not known; choose from"):
        written.add("tfljs")


def test_what_travels_is_pickled(trained: TrainedHead, bottlenecks: Bottlenecks) -> None:
    for value in (bottlenecks.dataset, bottlenecks, trained, trained.division, trained.test, FAKE, HeadConfig()):
        back = pickle.loads(pickle.dumps(value))
        assert repr(back) == repr(value) and len(repr(value)) < 600
    again = pickle.loads(pickle.dumps(trained))
    np.testing.assert_array_equal(again.predict_proba(bottlenecks), trained.predict_proba(bottlenecks))


def test_notebooks_show_tables(trained: TrainedHead, bottlenecks: Bottlenecks) -> None:
    for value in (trained, trained.test, bottlenecks, bottlenecks.dataset):
        shown = value._repr_html_()
        assert all(f"<td>{label}</td>" in shown for label in ("blue", "green", "red")) and "<table>" in shown


def test_frames_are_made_by_pandas(bottlenecks: Bottlenecks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=dict))  # type: ignore[arg-type]
    frame = bottlenecks.to_frame()
    assert list(frame) == ["path", "sha256", "label", "split", "bottleneck"] and frame["label"] == list(bottlenecks.y)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(RetrainError, match="to_frame makes a DataFrame by pandas, which is missing"):
        bottlenecks.to_frame()


def test_the_version_is_that_of_the_distribution() -> None:
    from importlib.metadata import version

    assert retrain.__version__ == version("retrain-photos")
