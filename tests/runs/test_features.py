"""`retrain features`: the bottlenecks of a data set as a Parquet file."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from calling import call
from extracting import Counter, class_folders, photo_bytes, write
from small_disks import small_disk as small_disk

from retrain.backbones.backbone_config import BackboneConfig
from retrain.backbones.engines.base import Engine, Vectors
from retrain.bottlenecks import bottlenecks_file
from retrain.bottlenecks.bottlenecks import Bottlenecks as Table
from retrain.bottlenecks.extraction import extract
from retrain.bottlenecks.extraction_config import ExtractionConfig
from retrain.cli.main import main
from retrain.core.errors import DatasetError, ExportError, OptionError, StoreError
from retrain.core.progress import Silent
from retrain.photos.augmentation import Augmentation
from retrain.photos.opening import list_photos
from retrain.photos.views import ViewsConfig
from retrain.runs.embedding import EmbeddingConfig, embed
from retrain.runs.features import Features, FeaturesConfig, run_features


def run(
    folder: Path,
    *sources: Path,
    views: ViewsConfig = ViewsConfig(),
    name: str = "fake",
    start: Callable[..., Engine] | None = None,
) -> tuple[Features, pa.Table]:
    photos = EmbeddingConfig(sources, BackboneConfig(name), ExtractionConfig(folder / "store"), views)
    config = FeaturesConfig(photos, folder / "f.parquet")
    written = run_features(config, start=start)
    return written, pq.read_table(config.output)


def test_the_table_holds_what_an_extraction_finds(tmp_path: Path) -> None:
    cats = class_folders(tmp_path / "cats", 6)
    write(cats / "b" / "copy.jpg", photo_bytes(0))
    write(cats / "a" / "broken.jpg", b"no photo")
    written, table = run(tmp_path, cats)
    backbone = BackboneConfig("fake").find()
    found = extract(list_photos(cats), backbone, tmp_path / "store")
    assert table["path"].to_pylist() == [photo.path for photo in found.photos]
    assert table["label"].to_pylist() == [photo.label for photo in found.photos]
    assert table["sha256"].to_pylist() == [photo.sha256 for photo in found.photos]
    assert np.array_equal(np.stack(table["bottleneck"].to_numpy()), found.matrix)
    assert set(table["split"].to_pylist()) == {None} and set(table["view"].to_pylist()) == {"original"}
    assert written.summary()["photos"] == {"used": 7, "skipped": 1}
    again = Table.read(written.output)
    assert np.array_equal(again.matrix, found.matrix) and again.labels == ("a", "b")


def test_sides_views_and_joined_networks(tmp_path: Path) -> None:
    for side in ("train", "test"):
        class_folders(tmp_path / "cats" / side, 4)
    views = ViewsConfig(Augmentation(flip_left_right=True), 2)
    _, table = run(tmp_path, tmp_path / "cats", views=views, name="fake+fake")
    assert table.num_rows == 16 and table["bottleneck"].type.list_size == 6
    assert table["split"].to_pylist() == 2 * ["testing", "testing", "training", "training"] * 2
    assert len(set(table["view"].to_pylist())) == 2


def test_photos_without_classes_have_none(tmp_path: Path) -> None:
    for number in range(3):
        write(tmp_path / "heap" / f"{number}.jpg", photo_bytes(number))
    written, table = run(tmp_path, tmp_path / "heap")
    assert table["label"].to_pylist() == [None] * 3 and written.labels == ()
    assert [photo.label for photo in Table.read(written.output).photos] == [""] * 3


def test_added_photos_without_classes_are_said_to_have_none(tmp_path: Path) -> None:
    cats = class_folders(tmp_path / "cats", 4)
    write(tmp_path / "heap" / "1.jpg", photo_bytes(8))
    write(tmp_path / "heap" / "logs" / "a.txt", b"no photo")
    options = ("--architecture=fake", f"--bottleneck_dir={tmp_path / 'b'}", f"--output={tmp_path / 'f.parquet'}")
    for sources in ((cats, tmp_path / "heap"), (tmp_path / "heap", cats)):
        said = call(main, "features", *sources, *options)
        both = " ".join((said.out + said.err).split())
        assert said.code == 0 and "class ." not in both and "class ;" not in both
    said = call(main, "features", cats, tmp_path / "heap", *options)
    assert f"Added from {tmp_path / 'heap'}: 2 photos without a class." in " ".join((said.out + said.err).split())
    assert Table.read(tmp_path / "f.parquet").dataset.reading.endswith("; added: photos without a class")


def test_it_is_written_in_batches_and_each_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bottlenecks_file, "BATCH_BYTES", 2 * 4 * 3)
    told: list[int] = []
    monkeypatch.setattr(Silent, "writing", lambda self, rows: told.append)
    _, table = run(tmp_path, class_folders(tmp_path / "cats", 5))
    assert told == [2, 4, 5] and table.num_rows == 5
    assert pq.ParquetFile(tmp_path / "f.parquet").num_row_groups == 3


def test_an_earlier_file_is_kept_unless_it_is_the_same(tmp_path: Path) -> None:
    cats = class_folders(tmp_path / "cats", 4)
    assert run(tmp_path, cats)[0].kept is None
    before = (tmp_path / "f.parquet").read_bytes()
    assert run(tmp_path, cats)[0].kept is None
    write(cats / "b" / "new.jpg", photo_bytes(9))
    assert run(tmp_path, cats)[0].kept == tmp_path / "f.parquet.1"
    assert (tmp_path / "f.parquet.1").read_bytes() == before
    assert not list(tmp_path.glob(".retrain-*"))


def test_another_spelling_of_the_folder_makes_the_same_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cats = class_folders(tmp_path / "cats", 4)
    _, table = run(tmp_path, cats)
    monkeypatch.chdir(cats)
    written, again = run(tmp_path, Path("../cats"))
    assert again.equals(table) and written.kept == tmp_path / "f.parquet.1"  # the metadata name the source


def test_a_run_that_was_stopped_leaves_no_file_and_goes_on(tmp_path: Path) -> None:
    cats = class_folders(tmp_path / "cats", 40)
    stopping, counter = itertools.count(), Counter()

    def breaks(vectors: Vectors) -> Vectors:
        if next(stopping) == 2:
            raise KeyboardInterrupt
        return vectors

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, cats, start=Counter(breaks).start)
    assert not (tmp_path / "f.parquet").exists()
    _, table = run(tmp_path, cats, start=counter.start)
    assert table.num_rows == 40 and counter.photos < 40


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=r"no photos|no class"):
        run(tmp_path, tmp_path / "empty")
    write(tmp_path / "texts" / "1.jpg", b"1")
    with pytest.raises(DatasetError, match=r"None of the files in .*texts can be used"):
        run(tmp_path, tmp_path / "texts")
    (tmp_path / "file").touch()
    with pytest.raises(ExportError, match="`output`"):
        FeaturesConfig(EmbeddingConfig((tmp_path / "texts",)), tmp_path / "file" / "f.parquet")
    with pytest.raises(OptionError, match="`output`"):
        FeaturesConfig(EmbeddingConfig((tmp_path,)), Path("/dev/null"))


@pytest.mark.parametrize(("name", "kind"), [("c.csv", "csv"), ("c.JSONL", "jsonl"), ("c.npy", "npy")])
def test_a_name_of_another_kind_of_file_is_refused_before_any_work(name: str, kind: str, tmp_path: Path) -> None:
    cats = class_folders(tmp_path / "cats", 4)
    options = ("--architecture=fake", f"--bottleneck_dir={tmp_path / 'b'}", "--output", tmp_path / name)
    said = call(main, "features", cats, *options)
    words = f"--output {tmp_path / name} has the name of a .{kind} file, and will be one of Parquet: call it c.parquet."
    assert said.code == 2 and f"Error: {words}" in " ".join(said.err.split())
    assert [path.name for path in tmp_path.iterdir()] == ["cats"]


@pytest.mark.parametrize("name", ["f.PARQUET", "f"])
def test_a_name_without_a_kind_and_capitals_will_do(name: str, tmp_path: Path) -> None:
    assert FeaturesConfig(EmbeddingConfig((tmp_path / "photos",)), tmp_path / name).output.name == name


@pytest.mark.parametrize("name", ["photos/a/f.parquet", "photos/f.parquet", "flat/f.parquet"])
def test_the_file_does_not_come_among_the_photos(name: str, tmp_path: Path) -> None:
    """The next run would read it: as a photo, or in the place of the folder."""
    class_folders(tmp_path / "photos")
    write(tmp_path / "flat" / "1.jpg", photo_bytes(1))
    with pytest.raises(OptionError, match=r"`output` .*f\.parquet lies in the folder of photos .*: choose a path"):
        FeaturesConfig(EmbeddingConfig((tmp_path / "photos", tmp_path / "flat")), tmp_path / name)


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cats = class_folders(tmp_path / "cats", 4)
    options = ("--architecture=fake", "--bottleneck_dir=b", "--output=f.parquet")
    said = call(main, "features", cats, *options, "--json")
    assert said.code == 0, said.err
    summary = json.loads(said.out)
    assert (summary["rows"], summary["dim"], summary["labels"]) == (4, 3, ["a", "b"])
    assert "4 rows of 3 numbers, classes: 2, in f.parquet" in said.err
    write(cats / "b" / "new.jpg", photo_bytes(9))
    assert "before is now f.parquet.1" in call(main, "features", cats, *options).out
    assert call(main, "features", cats, "--architecture=fake").code == 2


FULL = (
    "cannot be written: the disk that holds it is full (No space left on device): free some space there and do it "
    "again, or choose another place."
)


def test_a_full_disk_is_a_sentence_that_names_the_output_and_leaves_nothing(tmp_path: Path, small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(bytes(506 * 1024))
    photos = EmbeddingConfig(
        [class_folders(tmp_path / "cats", 60)], BackboneConfig("fake"), ExtractionConfig(tmp_path / "store")
    )
    target = small_disk / "f.parquet"
    with pytest.raises(ExportError) as refused:
        run_features(FeaturesConfig(photos, target))
    assert str(refused.value) == f"`output` {target} {FULL}"
    with pytest.raises(StoreError) as refused_too:
        embed(photos).to_parquet(target)
    assert str(refused_too.value) == f"{target} {FULL}"
    assert [path.name for path in small_disk.iterdir()] == ["filler"]
