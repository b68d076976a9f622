"""The ways in which public data sets lie on disk: each is read as a person means it, refused, or asked about."""

from collections import Counter
from pathlib import Path

import pytest
from listings import make

from retrain.core.errors import DatasetError, OptionError
from retrain.photos.dataset import Dataset
from retrain.photos.opening import list_photos

# name: (files; classes; photos by given side; what is read as what)
Sides = dict[str, int]
KNOWN: dict[str, tuple[str, str, Sides, str]] = {
    "split_beside_litter": (
        "train/ants/1.jpg train/bees/2.jpg val/ants/3.jpg val/bees/4.jpg logs/events.txt __pycache__/a.pyc .idea/x.xml",
        "ants bees",
        {"training": 2, "validation": 2},
        "train, val with the classes ants, bees; left out: logs, __pycache__",
    ),
    "split_beside_macosx": (
        "train/NORMAL/1.jpg train/PNEUMONIA/2.jpg test/NORMAL/3.jpg test/PNEUMONIA/4.jpg val/NORMAL/5.jpg "
        "val/PNEUMONIA/6.jpg __MACOSX/train/NORMAL/._1.jpg",
        "NORMAL PNEUMONIA",
        {"training": 2, "validation": 2, "testing": 2},
        "train, val, test with the classes NORMAL, PNEUMONIA; left out: __MACOSX",
    ),
    "split_below_one_folder": (
        "chest/train/NORMAL/1.jpg chest/train/PNEUMONIA/2.jpg chest/test/NORMAL/3.jpg chest/test/PNEUMONIA/4.jpg",
        "NORMAL PNEUMONIA",
        {"training": 2, "testing": 2},
        "chest/train, chest/test with the classes NORMAL, PNEUMONIA",
    ),
    "underscored_split": (
        "training_set/cats/1.jpg training_set/dogs/2.jpg test_set/cats/3.jpg test_set/dogs/4.jpg",
        "cats dogs",
        {"training": 2, "testing": 2},
        "training_set, test_set with the classes cats, dogs",
    ),
    "doubled_split": (
        "seg_train/seg_train/sea/1.jpg seg_train/seg_train/ice/2.jpg seg_test/seg_test/sea/3.jpg "
        "seg_test/seg_test/ice/4.jpg seg_pred/seg_pred/5.jpg",
        "ice sea",
        {"training": 2, "testing": 2},
        "seg_train/seg_train, seg_test/seg_test with the classes ice, sea; left out: seg_pred",
    ),
    "capital_split_beside_papers": (
        "Training/Apple/1.jpg Training/Kiwi/2.jpg Test/Apple/3.jpg Test/Kiwi/4.jpg papers/x.pdf",
        "Apple Kiwi",
        {"training": 2, "testing": 2},
        "Training, Test with the classes Apple, Kiwi; left out: papers",
    ),
    "split_with_unlabelled_test": (
        "train/a/1.jpg train/b/2.jpg test/1.jpg test/2.jpg",
        "a b",
        {"training": 2},
        "train with the classes a, b; left out: test",
    ),
    "split_with_prediction_folder": (
        "train/a/1.jpg train/b/2.jpg test/a/3.jpg test/b/4.jpg predict/5.jpg",
        "a b",
        {"training": 2, "testing": 2},
        "train, test with the classes a, b; left out: predict",
    ),
    "train_alone": ("train/a/1.jpg train/b/2.jpg", "a b", {}, "train with the classes a, b"),
    "one_folder_around": (
        "flower_photos/daisy/1.jpg flower_photos/rose/2.jpg flower_photos/LICENSE.txt",
        "daisy rose",
        {},
        "flower_photos with the classes daisy, rose",
    ),
    "two_folders_around": (
        "dataset/images/a/1.jpg dataset/images/b/2.jpg dataset/README.md",
        "a b",
        {},
        "dataset/images with the classes a, b",
    ),
    "readme_beside": (
        "PetImages/Cat/1.jpg PetImages/Dog/2.jpg MSR-LA.docx readme[1].txt",
        "Cat Dog",
        {},
        "PetImages with the classes Cat, Dog",
    ),
    "class_in_the_name": (
        "train/cat.0.jpg train/cat.1.jpg train/dog.0.jpg train/dog.1.jpg test1/1.jpg test1/2.jpg",
        "cat dog",
        {},
        "file names in train such as cat.1 with the classes cat, dog; left out: test1",
    ),
    "class_in_the_name_on_two_sides": (
        "train/cat.0.jpg train/cat.1.jpg train/dog.0.jpg train/dog.1.jpg test/cat.2.jpg",
        "cat dog",
        {"training": 4, "testing": 1},
        "file names in train, test such as cat.1 with the classes cat, dog",
    ),
    "breed_in_the_name": (
        "images/Abyssinian_1.jpg images/Abyssinian_2.jpg images/great_pyrenees_1.jpg images/great_pyrenees_2.jpg "
        "annotations/list.txt annotations/trimaps/Abyssinian_1.png annotations/xmls/Abyssinian_1.xml",
        "Abyssinian great_pyrenees",
        {},
        "file names in images such as Abyssinian_1 with the classes Abyssinian, great_pyrenees; left out: annotations",
    ),
    "images_beside_annotations": (
        "Images/n01-Pug/1.jpg Images/n02-Husky/2.jpg Annotation/n01-Pug/1 Annotation/n02-Husky/2",
        "n01-Pug n02-Husky",
        {},
        "Images with the classes n01-Pug, n02-Husky; left out: Annotation",
    ),
    "masks_in_class_folders": (
        "COVID/images/1.png COVID/images/2.png COVID/masks/1.png COVID/masks/2.png COVID.metadata.xlsx "
        "Normal/images/3.png Normal/masks/3.png",
        "COVID Normal",
        {},
        "class folders COVID, Normal; left out: COVID/masks, Normal/masks",
    ),
    "masks_in_class_folders_of_sides": (
        "Train/COVID/images/1.png Train/COVID/lung_masks/1.png Train/Normal/images/2.png Train/Normal/lung_masks/2.png "
        "Test/COVID/images/3.png Test/COVID/lung_masks/3.png Test/Normal/images/4.png",
        "COVID Normal",
        {"training": 2, "testing": 2},
        "Train, Test with the classes COVID, Normal; left out: Train/COVID/lung_masks, Train/Normal/lung_masks, "
        "Test/COVID/lung_masks",
    ),
    "a_class_called_test": (
        "control/1.jpg control/2.jpg test/3.jpg test/4.jpg",
        "control test",
        {},
        "class folders control, test",
    ),
}


def sides(listing: Dataset) -> Sides:
    return dict(Counter(file.split for file in listing.files if file.split))


@pytest.mark.parametrize("around", ["", "downloads/", "a/b/c/"])
@pytest.mark.parametrize("name", KNOWN)
def test_a_layout_is_read_as_a_person_means_it(name: str, around: str, tmp_path: Path) -> None:
    files, classes, given, summary = KNOWN[name]
    make(tmp_path, *(f"{around}{file}" for file in files.split()))
    listing = list_photos(tmp_path)
    assert (list(listing.labels), sides(listing)) == (classes.split(), given)
    if not around:
        assert listing.reading == summary


@pytest.mark.parametrize("name", KNOWN)
def test_unknown_files_beside_it_change_nothing(name: str, tmp_path: Path) -> None:
    files, classes, given, summary = KNOWN[name]
    make(tmp_path, *files.split(), "what.xyz", "notes", "model.bin")
    listing = list_photos(tmp_path)
    assert (list(listing.labels), sides(listing), listing.reading) == (classes.split(), given, summary)
    assert {str(tmp_path / name) for name in ("what.xyz", "notes", "model.bin")} <= {
        one.path for one in listing.skipped
    }


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ("train/1.jpg train/2.jpg test/3.jpg", "in train, test lie in no class folders"),
        ("1.jpg 2.jpg 3.jpg", "lie in no class folders"),
        ("train/IMG_1.jpg train/IMG_2.jpg train/DSC_1.jpg train/DSC_2.jpg", "no class folders"),
        ("train/person1_a_1.jpg train/person1_a_2.jpg train/person2_b_1.jpg train/person2_b_2.jpg", "no class folders"),
        ("images/train/1.jpg images/val/2.jpg labels/train/1.txt labels/val/2.txt", "as YOLO has them"),
        ("train/images/1.jpg train/labels/1.txt valid/images/2.jpg valid/labels/2.txt data.yaml", "as YOLO has them"),
        ("images/road_1.jpg images/road_2.jpg images/sea_1.jpg images/sea_2.jpg labels/road_1.txt", "as YOLO has them"),
        ("obj/a.jpg obj/a.txt obj/b.jpg obj/b.txt", "only the class 'obj'"),
        ("JPEGImages/1.jpg JPEGImages/2.jpg Annotations/1.xml Annotations/2.xml", "as Pascal VOC has them"),
        ("train2017/1.jpg val2017/2.jpg annotations/instances_train2017.json", "as COCO has them"),
        ("train/1.jpg train/_annotations.coco.json valid/2.jpg valid/_annotations.coco.json", "as COCO has them"),
        ("train/a/1.jpg test/a/2.jpg", "only the class 'a'"),
        ("valid/a/1.jpg test/a/2.jpg", "only the class 'a'"),
    ],
)
def test_what_holds_no_classes_is_refused_with_what_would_do(files: str, words: str, tmp_path: Path) -> None:
    make(tmp_path, *files.split())
    with pytest.raises(DatasetError) as refused:
        list_photos(tmp_path)
    assert words in str(refused.value) and not isinstance(refused.value, OptionError)
    assert "folder of its own" in str(refused.value) or "at least two class folders" in str(refused.value)


# files, and the readings that `layout` folders and splits give
DOUBTFUL = [
    ("train/ice/1.jpg training/a/2.jpg", "train training", "a ice"),
    ("one/cat/1.jpg one/dog/2.jpg two/cat/3.jpg two/dog/4.jpg", "one two", "cat dog"),
    ("train/ice/1.jpg train/bullet/2.jpg bus/3.jpg car/4.jpg", "bus car train", "bullet ice"),
    ("cat/1.jpg dog/2.jpg test/3.jpg", "cat dog test", "cat dog"),
]


@pytest.mark.parametrize(("files", "folders", "splits"), DOUBTFUL)
def test_two_readings_are_both_shown_and_either_can_be_asked_for(
    files: str, folders: str, splits: str, tmp_path: Path
) -> None:
    make(tmp_path, *files.split())
    with pytest.raises(OptionError, match=r"in two ways\. `layout` folders: .*`layout` splits: .*Say which\.") as asked:
        list_photos(tmp_path)
    assert all(label in str(asked.value) for label in f"{folders} {splits}".split())
    assert list(list_photos(tmp_path, layout="folders").labels) == folders.split()
    assert list(list_photos(tmp_path, layout="splits").labels) == splits.split()


def test_a_test_folder_beside_photos_with_classes_in_their_names_is_asked_about(tmp_path: Path) -> None:
    make(tmp_path, "heap/cat.1.jpg", "heap/cat.2.jpg", "heap/dog.1.jpg", "heap/dog.2.jpg", "test1/1.jpg", "test1/2.jpg")
    with pytest.raises(
        OptionError, match=r"`layout` names: file names in heap such as cat\.1 with the classes cat, dog"
    ):
        list_photos(tmp_path)
    assert list_photos(tmp_path, layout="names").labels == ("cat", "dog")


def test_photos_around_a_folder_of_class_folders_are_asked_about(tmp_path: Path) -> None:
    make(tmp_path, "images/cat/1.jpg", "images/dog/2.jpg", "more/3.jpg")
    with pytest.raises(OptionError, match=rf"`image_dir` {tmp_path}/images: images with the classes cat, dog"):
        list_photos(tmp_path)


@pytest.mark.parametrize("again", ["brain_tumor_dataset", "backup", "masks_of_all"])
def test_folders_that_are_there_once_more_in_another_one_are_asked_about(again: str, tmp_path: Path) -> None:
    make(tmp_path, "yes/1.jpg", "no/2.jpg", f"{again}/yes/1.jpg", f"{again}/no/2.jpg")
    with pytest.raises(OptionError, match=rf"`image_dir` {tmp_path}/{again}: {again} with the classes no, yes\. Say"):
        list_photos(tmp_path)
    assert list_photos(tmp_path, layout="folders").labels == tuple(sorted(("yes", "no", again)))
    assert list_photos(tmp_path / again).labels == ("no", "yes")


@pytest.mark.parametrize("sides", [("test", "validation"), ("train", "test")])
def test_sides_without_class_folders_beside_one_class_are_asked_about(sides: tuple[str, str], tmp_path: Path) -> None:
    make(tmp_path, "control/1.jpg", *(f"{side}/2.jpg" for side in sides))
    with pytest.raises(OptionError, match="If they are classes all the same, say so: `layout` folders: class folders"):
        list_photos(tmp_path)
    assert list_photos(tmp_path, layout="folders").labels == ("control", *sorted(sides))


def test_a_class_in_the_name_can_be_asked_for(tmp_path: Path) -> None:
    make(tmp_path, "cats/IMG_1.jpg", "cats/DSC_2.jpg", "dogs/3.jpg", "dogs/4.jpg")
    assert list_photos(tmp_path).labels == ("cats", "dogs")
    with pytest.raises(DatasetError, match=r"`layout` names: .*3\.jpg does not fit"):
        list_photos(tmp_path, layout="names")
    make(tmp_path / "heap", "cat.1.jpg", "dog.1.jpg", "dog.2.jpg", "dog.3.jpg")
    assert list_photos(tmp_path / "heap", layout="names").labels == ("cat", "dog")


def test_sides_within_classes_leave_the_classes(tmp_path: Path) -> None:
    make(tmp_path, "cat/train/1.jpg", "cat/test/2.jpg", "dog/train/3.jpg", "dog/test/4.jpg")
    assert list_photos(tmp_path).labels == ("cat", "dog")


def test_a_layout_is_for_folders(tmp_path: Path) -> None:
    make(tmp_path, "a/1.jpg", "b/2.jpg")
    (tmp_path / "photos.csv").write_text("a/1.jpg,x\nb/2.jpg,y\n")
    with pytest.raises(OptionError, match="is not a folder: leave `layout` splits out"):
        list_photos(tmp_path / "photos.csv", layout="splits")
    with pytest.raises(OptionError, match="`layout` nonsense is not known"):
        list_photos(tmp_path, layout="nonsense")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", KNOWN)
def test_the_working_folder_is_read_like_any_other(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, classes, given, summary = KNOWN[name]
    make(tmp_path, *files.split())
    elsewhere = list_photos(tmp_path)
    monkeypatch.chdir(tmp_path)
    listing = list_photos(".")
    assert (list(listing.labels), sides(listing), listing.reading) == (classes.split(), given, summary)
    assert {tmp_path / one.path: one.reason for one in listing.skipped} == {
        Path(one.path): one.reason for one in elsewhere.skipped
    }


def test_a_folder_without_photos_is_no_class_and_is_said(tmp_path: Path) -> None:
    make(tmp_path, "cat/1.jpg", "dog/2.jpg", "logs/events.out.tfevents.1.host", "papers/x.pdf", "@eaDir/cat/1.jpg")
    listing = list_photos(tmp_path)
    assert listing.reading == "class folders cat, dog; left out: logs, papers, @eaDir"
    assert {Path(one.path).name: one.reason for one in listing.skipped} == {
        "logs": "holds no photos",
        "papers": "holds no photos",
        "@eaDir": "is left by a system or a tool",
    }
