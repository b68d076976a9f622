"""`--fixes`: decisions about single photos change the listing, and nothing else."""

from pathlib import Path

import pytest

from retrain.core.errors import DatasetError
from retrain.photos.dataset import Dataset, PhotoFile
from retrain.photos.fixes import apply_fixes, read_fixes

LISTING = Dataset(
    tuple(PhotoFile(f"cats/{label}/{n}.jpg", label, 9, 9, n) for label in ("Bengal", "Maçã") for n in range(3))
)


def write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "fixes.csv"
    path.write_text(text, encoding=encoding)
    return path


def fixed(path: Path) -> dict[str, str]:
    return {file.path: file.label for file in apply_fixes(LISTING, path, "cats").files}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("delimiter", [",", ";"])
def test_remove_and_relabel(tmp_path: Path, delimiter: str, encoding: str) -> None:
    rows = [
        ["class", "file", "reason", "action"],
        ["Bengal", "Bengal/0.jpg", "", "remove"],
        ["Bengal", "Bengal/1.jpg", "", " Relabel: Maçã "],
        ["Maçã", "cats/Maçã/2.jpg", "", "KEEP"],
        ["Maçã", "Maçã\\1.jpg", "", ""],
    ]
    path = write(tmp_path, "\n".join(delimiter.join(row) for row in rows), encoding)
    labels = {file.path: file.label for file in LISTING.files}
    del labels["cats/Bengal/0.jpg"]
    assert fixed(path) == {**labels, "cats/Bengal/1.jpg": "Maçã"}
    listing = apply_fixes(LISTING, path, "cats")
    assert list(listing.files) == sorted(listing.files, key=lambda file: (file.label, file.path))
    assert listing.remarks[-1].endswith("photos left out: 1; photos that count as another class: 1.")


@pytest.mark.parametrize("name", ["Apple", "Maçã"])
def test_a_class_is_named_by_its_folder_or_by_what_is_shown_for_it(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, f"file,action\nBengal/0.jpg,relabel:{name}\nBengal/0.jpg,relabel:Maçã\n")
    found = apply_fixes(LISTING, path, "cats", name_of={"Bengal": "Bengal", "Maçã": "Apple"})
    assert [file.label for file in found.files if file.path == "cats/Bengal/0.jpg"] == ["Maçã"]


def test_a_name_that_is_the_folder_of_another_class_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "file,action\nBengal/0.jpg,relabel:Bengala\nMaçã/0.jpg,relabel:Bengal\n")
    with pytest.raises(DatasetError) as caught:
        apply_fixes(LISTING, path, "cats", name_of={"Bengal": "Bengala", "Maçã": "Bengal"})
    assert str(caught.value).endswith(
        "line 3: 'Bengal' is a folder and, in `category_names`, the name of the folder 'Maçã': call that class "
        "something else there."
    )


@pytest.mark.parametrize(
    ("action", "left", "said"),
    [
        ("remove", 3, "leaves only photos of the class 'Maçã' in cats"),
        ("relabel:Maçã", 3, "leaves only photos of the class 'Maçã' in cats"),
        ("remove", 0, "leaves no photo in cats"),
    ],
)
def test_fixes_that_leave_less_than_two_classes_are_refused(tmp_path: Path, action: str, left: int, said: str) -> None:
    names = [f"Bengal/{n}.jpg" for n in range(3)] + [f"Maçã/{n}.jpg" for n in range(left, 3)]
    path = write(tmp_path, "\n".join(["file,action", *(f"{name},{action}" for name in names)]))
    with pytest.raises(DatasetError) as caught:
        fixed(path)
    assert str(caught.value) == f"{path} {said}: write keep for photos of two classes at least."


def test_without_a_file_nothing_changes() -> None:
    assert apply_fixes(LISTING, None, "cats") is LISTING


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file,action\nBengal/0.jpg,keep\nBengal/9.jpg,remove\n", "line 3: cats has no photo 'Bengal/9.jpg'"),
        ("file,action\nBengal/0.jpg,delete\n", "line 2: the action 'delete' is not keep, remove or relabel:CLASS"),
        ("file,action\nBengal/0.jpg,relabel:\n", "line 2: the action 'relabel:' is not"),
        ("file,action\nBengal/0.jpg,relabel:bengal\n", "line 2: cats has no class 'bengal'"),
        ("file,action\nBengal/0.jpg,remove\nBengal/0.jpg,keep\n", "line 3: 'Bengal/0.jpg' is in line 2 too"),
        ("file,action\nBengal/0.jpg,remove\ncats/Bengal/0.jpg,keep\n", "line 3: 'cats/Bengal/0.jpg' is in line 2 too"),
        ("photo,todo\nBengal/0.jpg,keep\n", "line 1: the header must have the columns file and action"),
        ("", "is empty"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DatasetError) as caught:
        fixed(write(tmp_path, text))
    assert said in str(caught.value) and "fixes.csv" in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no\.csv cannot be read"):
        read_fixes(tmp_path / "no.csv")
