"""Photos of tables, archives and Parquet have names that do not depend on where a run is, nor on what else there is."""

import os
import shutil
import zipfile
from pathlib import Path

import pytest
from painting import paint, paint_classes
from photo_layouts import LAYOUTS, Given

from retrain.core.errors import DatasetError
from retrain.photos.opening import Dataset, open_dataset
from retrain.photos.photo_names import name_in

PHOTOS = [Given(shade, ("gato", "cão")[shade % 2]) for shade in range(6)]


@pytest.fixture(autouse=True)
def pets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two class folders and a table of their photos, in the working folder."""
    monkeypatch.chdir(tmp_path)
    folder = paint_classes(Path("pets"), {"red": "red", "blue": "blue"}, range(3))
    rows = [f"{label}/{number}.png,{label}" for label in ("red", "blue") for number in range(3)]
    (folder / "table.csv").write_text("\n".join(["path,label", *rows]))
    return folder


def opened(source: object, *added: str, fixes: Path | None = None, kept: str = "tf_files") -> Dataset:
    return open_dataset(str(source), add_images=added, bottleneck_dir=f"{kept}/b", fixes=fixes, absolute=False)


def zipped(folder: str, to: str) -> str:
    with zipfile.ZipFile(to, "w") as archive:
        for path in sorted(Path(folder).rglob("*.png")):
            archive.write(path)
    return to


def names_of(source: object, *added: str, kept: str = "tf_files") -> list[str]:
    listing = opened(source, *added, kept=kept)
    return [name_in(str(source), file.path, listing.roots) for file in listing.files]


def removing(*names: str) -> Path:
    Path("fixes.csv").write_text("\n".join(["file,action", *(f"{name},remove" for name in names)]))
    return Path("fixes.csv")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_names_do_not_depend_on_where_sources_are_kept(
    layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "photos"))
    source = LAYOUTS[layout].write(tmp_path / "photos", PHOTOS)
    names = names_of(source)
    assert names == names_of(source, kept="elsewhere")
    assert layout == "dataset.parquet" or not any(os.path.isabs(name) for name in names)
    one = names[0]
    left = opened(source, fixes=removing(one), kept="elsewhere")
    assert one not in [name_in(source, file.path, left.roots) for file in left.files] and len(left.files) == 5


@pytest.mark.parametrize(
    "written", ["red/1.png", "./red/1.png", r"red\1.png", "pets/red/1.png", "{here}/pets/red/1.png"]
)
@pytest.mark.parametrize("table", ["pets/table.csv", "./pets/table.csv", "{here}/pets/table.csv"])
def test_a_photo_of_a_table_is_known_from_its_folder(written: str, table: str) -> None:
    table = table.format(here=os.getcwd())
    assert "red/1.png" in names_of(table)
    left = opened(table, fixes=removing(written.format(here=os.getcwd())))
    assert len(left.files) == 5 and not any(file.path.endswith("red/1.png") for file in left.files)


def test_a_table_in_the_working_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("pets")
    assert names_of("table.csv")[-1] == "red/2.png"
    assert len(opened("table.csv", fixes=removing("red/1.png", "./red/2.png")).files) == 4


def test_decisions_outlive_another_photo_in_an_archive() -> None:
    before = opened(zipped("pets", "pets.zip"))
    assert names_of("pets.zip")[-1] == "pets/red/2.png"
    old = next(file.path for file in before.files if file.path.endswith("red/1.png"))
    assert len(opened("pets.zip", fixes=removing("pets/red/0.png", old)).files) == 4
    paint(Path("pets/red/9.png"), "red", 9, format="png")
    left = opened(zipped("pets", "pets.zip"), fixes=removing("pets/red/0.png"))
    assert len(left.files) == 6 and left.files[0].path != before.files[0].path


def test_an_added_archive_has_its_own_names(monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree("pets", "more/pets")
    for path in Path("more").rglob("*.png"):
        paint(path, "grey", int(path.stem), format="png")
    with monkeypatch.context() as inside:
        inside.chdir("more")
        zipped("pets", "../more.zip")
    names = names_of(zipped("pets", "pets.zip"), "more.zip")
    assert {"pets/red/0.png", "more.zip/pets/red/0.png"} < set(names) and len(set(names)) == 12
    left = opened("pets.zip", os.path.abspath("more.zip"), fixes=removing("pets/red/0.png", "more.zip/pets/red/1.png"))
    assert [file.part for file in left.files if file.label == "red"].count(0) == 2
    assert len(left.files) == 10


def test_a_photo_of_an_added_table_has_its_path() -> None:
    names = names_of(paint_classes(Path("more"), {"red": "grey", "grey": "grey"}, range(3, 6)), "pets/table.csv")
    assert {"red/3.png", "pets/red/2.png"} < set(names)
    assert len(opened("more", "pets/table.csv", fixes=removing("red/3.png", "red/2.png", "pets/red/1.png")).files) == 9


def test_a_name_that_may_be_two_photos_is_refused() -> None:
    paint_classes(Path("more/pets"), {"red": "grey", "grey": "grey"}, range(3))
    here = os.getcwd()
    with pytest.raises(DatasetError) as caught:
        opened("more", "pets", fixes=removing("pets/red/0.png"))
    assert str(caught.value) == (
        f"fixes.csv, line 2: 'pets/red/0.png' may be {here}/more/pets/red/0.png or {here}/pets/red/0.png: "
        "write one of these."
    )
    assert len(opened("more", "pets", fixes=removing(f"{here}/pets/red/0.png")).files) == 11
