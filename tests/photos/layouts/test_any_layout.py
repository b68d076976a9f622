"""Random data sets, wrapped, split, renamed and littered: never is a wrong list of classes read.

`pytest tests/photos/layouts/test_any_layout.py --hypothesis-profile=long` tries many more.
"""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from listings import make

from retrain.core.errors import DatasetError, OptionError
from retrain.photos.layouts.words import LITTER_FOLDERS, is_images, is_unlabelled, side_of
from retrain.photos.opening import list_photos


def _means_something(name: str) -> bool:
    """Names of folders that nobody means as a class, or only beside other names than hypothesis finds."""
    return is_unlabelled(name) or is_images(name) or name.lower() in LITTER_FOLDERS


WORDS = [
    "cat",
    "dog",
    "great_pyrenees",
    "n01-Pug",
    "0",
    "1",
    "2",
    "new york",
    "mask",
    "labels",
    "data",
    "control",
    "猫",
]
TRICKY = ["test", "train", "valid", "val", "dev", "testing"]  # they may be classes
CLASSES = st.one_of(
    st.sampled_from(WORDS),
    st.sampled_from(TRICKY),
    st.text("abcdefghijklmnopqrstuvwxyz_-. 0123456789ABÇ", min_size=1, max_size=8).filter(
        lambda name: name == name.strip() and not name.startswith(".") and not _means_something(name)
    ),
)
TRAIN = [
    "train",
    "Train",
    "TRAINING",
    "train_set",
    "training_set",
    "seg_train",
    "train2017",
    "TrainSet",
    "images_train",
]
OTHERS = [["val", "valid", "Validation", "dev", "val_set"], ["test", "TEST", "testing", "test_set", "seg_test"]]
UNKNOWN = ["part1", "part2", "fold_a", "fold_b", "first", "second"]
AROUND = ["photos", "data", "archive", "cats and dogs", "chest_xray", "v1.0", "train", "Images", "猫"]
LITTER = [
    "logs/events.out.tfevents.1.host", "papers/x.pdf", "__pycache__/a.pyc", "__MACOSX/._1.jpg", ".git/HEAD",
    "@eaDir/1.jpg", "README.md", "LICENSE", "what.xyz", "notes", "Thumbs.db", "checkpoints/epoch.h5", "empty/.keep",
]  # fmt: skip
EXTENSIONS = [".jpg", ".JPG", ".png", ".jpeg", ".webp"]


@dataclass
class Given:
    """A data set as it lies on disk; `plain` if nothing about it leaves a doubt."""

    labels: set[str]
    files: list[str] = field(default_factory=list)
    plain: bool = True


@st.composite
def data_sets(draw: st.DrawFn) -> Given:
    form = draw(st.sampled_from(["folders", "splits", "names", "parts"]))
    labels = draw(st.sets(CLASSES, min_size=2, max_size=5))
    if form == "parts" and all(map(side_of, labels)):  # cat/train, dog/train: whatever the names, those are sides
        labels = {*labels, "cat"}
    one = Given(labels, plain=form != "parts" and not any(side_of(label) for label in labels))
    if form == "names":
        _named_files(draw, one)
    elif form == "folders":
        _class_folders(draw, one, "", nested=one.plain)
    else:
        sides = [draw(st.sampled_from(TRAIN)), *(draw(st.sampled_from(names)) for names in OTHERS)]
        if form == "parts":
            sides = draw(st.lists(st.sampled_from([*UNKNOWN, *sides]), min_size=2, max_size=3, unique=True))
        elif draw(st.booleans()):
            sides.pop(draw(st.integers(0, 2)) or 1)
        for side in sides:
            _class_folders(draw, one, f"{side}/{draw(st.sampled_from(['', '', f'{side}/', 'images/']))}")
        if form == "splits" and draw(st.booleans()):
            one.files += ["predict/1.jpg", "predict/2.jpg"]
    if draw(st.booleans()):
        one.files = [f"Images/{file}" for file in one.files]
        one.files += [f"Annotation/{label}/1.xml" for label in labels if form != "names"]
    for folder in draw(st.lists(st.sampled_from(AROUND), max_size=3)):
        one.files += draw(st.lists(st.sampled_from(LITTER), max_size=4))
        one.files = [f"{folder}/{file}" for file in one.files]
    one.files += draw(st.lists(st.sampled_from(LITTER), max_size=4))
    return one


def _class_folders(draw: st.DrawFn, one: Given, where: str, nested: bool = False) -> None:
    for label in sorted(one.labels):
        inside = draw(st.sampled_from(["", "", "2019/", "2019/may/", "images/"])) if nested else ""
        for number in range(draw(st.integers(1, 3))):
            name = draw(st.sampled_from([f"{number}", f"IMG_{number}", f"{label}_{number}"]))
            one.files.append(f"{where}{label}/{inside}{name}{draw(st.sampled_from(EXTENSIONS))}")


def _named_files(draw: st.DrawFn, one: Given) -> None:
    one.plain = False  # labels with numbers in them are refused
    pattern = draw(st.sampled_from(["{}.{}", "{}_{}", "{}-{}", "{} ({})"]))
    where = draw(st.sampled_from(["", "train/", "images/", "heap/"]))
    for label in sorted(one.labels):
        for number in range(draw(st.integers(1, 4))):
            one.files.append(f"{where}{pattern.format(label, number)}{draw(st.sampled_from(EXTENSIONS))}")
    # Beside a folder of any other name it could be a class, as in control/ and test/.
    if where in ("train/", "images/") and draw(st.booleans()):
        one.files += ["test1/1.jpg", "test1/2.jpg"]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(data_sets())
def test_never_is_a_wrong_list_of_classes_read(one: Given) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = make(Path(name), *one.files)
        try:
            labels = set(list_photos(root).labels)
        except OptionError:
            event("asked")
            assert not one.plain
        except DatasetError as refused:
            event("refused")
            assert not one.plain or "look the same" in str(refused)
        else:
            event("read")
            assert labels == one.labels
