"""What `Model.label` is asked for wrongly gets a sentence, and so does a folder that holds two trainings."""

import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from painting import paint

from label_image.errors import ModelError, PhotoError, RetrainError
from label_image.model import load_model


@pytest.mark.parametrize("photo", ["a.png", Path("a.png"), np.zeros((4, 4, 3), np.uint8), memoryview(b"png"), None])
def test_label_takes_the_bytes_of_a_file_alone(photo: Any, three_colours: Path) -> None:
    model = load_model(three_colours / "model")
    why = f"^is {type(photo).__name__}, not the bytes of a file: pass open.*, or call `predict`, which takes paths"
    with pytest.raises(PhotoError, match=why):
        model.label(photo)


@pytest.mark.parametrize("top_k", [0, -1, "3", 1.5, True, None])
def test_label_gives_one_answer_at_least(top_k: Any, three_colours: Path, tmp_path: Path) -> None:
    model, photo = load_model(three_colours / "model"), paint(tmp_path / "a.png", "red", 3).read_bytes()
    with pytest.raises(RetrainError, match=f"^`top_k` {top_k!r} must be a whole number, at least 1.$"):
        model.label(photo, top_k)
    assert [len(model.label(bytearray(photo), many).answers) for many in (1, np.int64(2), 9)] == [1, 2, 3]


# A folder that a copy is under way to, or one that broke off: the manifest is of one training, the network of another


def retold(folder: Path, **provenance: object) -> Path:
    """The manifest of a folder becomes that of another training."""
    content = json.loads((folder / "model.json").read_text())
    content["provenance"] |= provenance
    (folder / "model.json").write_text(json.dumps(content))
    return folder


@pytest.fixture
def copied(three_colours: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(three_colours / "model", tmp_path / "model"))


def test_a_network_of_another_training_than_the_manifest_is_not_run(copied: Path) -> None:
    retold(copied, dataset_digest="0" * 64)
    with pytest.raises(ModelError) as error:
        load_model(copied)
    assert str(error.value) == (
        f"{copied / 'model.tflite'} is of another training than the model.json beside it: a copy of the folder is "
        "under way, or broke off. Copy it again, and let nothing stay of what was there before."
    )


def test_manifests_of_older_versions_are_compared_by_what_decides_an_answer(copied: Path) -> None:
    content = json.loads((copied / "model.json").read_text())
    del content["provenance"]
    (copied / "model.json").write_text(json.dumps(content))
    assert load_model(copied).labels == ("blue", "green", "red")
    for other in (
        {"labels": ["cat", "dog", "owl"]},
        {"unknown": {"threshold": 0.123}},
        {"preprocessing": content["preprocessing"].replace("bilinear", "bicubic")},
    ):
        (copied / "model.json").write_text(json.dumps({**content, **other}))
        with pytest.raises(ModelError, match=r"is of another training than the model\.json beside it"):
            load_model(copied)


def test_a_network_that_carries_no_manifest_is_run_as_before(copied: Path) -> None:
    tflite = copied / "model.tflite"
    with zipfile.ZipFile(tflite) as archive:
        end_of_network = min(member.header_offset for member in archive.infolist())
    os.truncate(tflite, end_of_network)
    assert load_model(copied).labels == ("blue", "green", "red")


def test_the_ending_of_a_file_may_be_in_capitals(copied: Path) -> None:
    assert load_model((copied / "model.tflite").rename(copied.parent / "COLOURS.TFLITE")).labels
    with pytest.raises(ModelError, match=r"CLASSES\.ONNX"):
        load_model((copied / "labels.txt").rename(copied.parent / "CLASSES.ONNX"))


def test_a_saved_model_that_names_other_classes_is_not_run(copied: Path) -> None:
    (copied / "model.tflite").unlink()
    assert load_model(copied, labels=names_in(copied.parent / "names.txt", "a", "b", "c")).labels == ("a", "b", "c")
    text = (copied / "model.json").read_text()
    (copied / "model.json").write_text(text.replace('"red"', '"rot"'))
    with pytest.raises(ModelError, match=r"saved_model\.pb names other classes than the model\.json beside it: a copy"):
        load_model(copied)


def names_in(path: Path, *names: str) -> Path:
    path.write_text("".join(f"{name}\n" for name in names))
    return path
