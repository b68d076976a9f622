import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from calling import call
from painting import paint
from PIL import Image

from label_image.cli import main
from label_image.model import Answer, ModelError, Verdict, load_model

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def model(trained: Path, here: Path) -> Path:
    """A copy of the export, for a test to damage."""
    return shutil.copytree(trained, here / "model")


def answers(*arguments: object) -> list[dict]:
    code, out, err = call(main, "--json", *arguments)
    assert code == 0, err
    return [json.loads(line) for line in out.splitlines()]


# What it prints


def test_one_json_object_per_photo_and_line(trained: Path, here: Path) -> None:
    photos = [paint(here / "r.jpg", "red"), paint(here / "猫.png", "blue")]
    red, blue = answers("--model", trained, *photos)
    assert set(red) == {"format_version", "image", "label", "probability", "unknown", "similarity", "threshold", "top"}
    assert (red["image"], red["label"]) == (str(photos[0]), "red")
    assert (blue["image"], blue["label"]) == (str(photos[1]), "blue")
    assert red["top"][0] == {"label": "red", "probability": red["probability"]}
    probabilities = [answer["probability"] for answer in red["top"]]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1, abs=1e-5)


def test_plain_output_names_photo_label_and_probability(trained: Path, here: Path) -> None:
    code, out, _ = call(main, "--model", trained, paint(here / "r.jpg"))
    assert code == 0
    photo, first, *others = out.splitlines()
    assert photo == str(here / "r.jpg")
    assert first.split()[1] == "red"
    assert first.split()[0].endswith("%")
    assert len(others) == 2


@pytest.mark.parametrize(("top_k", "expected"), [(1, 1), (2, 2), (99, 3)])
def test_top_k(top_k: int, expected: int, trained: Path, here: Path) -> None:
    (answer,) = answers("--model", trained, "--top_k", top_k, paint(here / "r.jpg"))
    assert len(answer["top"]) == expected


def test_model_of_the_default_folder_is_found(model: Path, here: Path) -> None:
    (here / "tf_files").mkdir()
    model.rename(here / "tf_files/model")
    assert answers(paint(here / "r.jpg"))[0]["label"] == "red"


# Which photos


def test_folders_patterns_and_files(trained: Path, here: Path) -> None:
    paint(here / "photos/b.jpg")
    paint(here / "photos/deep/a.jpg")
    paint(here / "photos/.hidden/x.jpg")
    (here / "photos/.DS_Store").write_bytes(b"")
    paint(here / "1.jpg")
    paint(here / "2.jpg")
    paint(here / "odd[1].jpg")
    found = answers("--model", trained, "photos", "?.jpg", "odd[1].jpg")
    assert [answer["image"] for answer in found] == [
        "photos/b.jpg", "photos/deep/a.jpg", "1.jpg", "2.jpg", "odd[1].jpg",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["nowhere.jpg", "nothing*.jpg", "empty_folder"])
def test_argument_that_names_no_photo_is_an_error(name: str, trained: Path, here: Path) -> None:
    (here / "empty_folder").mkdir()
    code, out, err = call(main, "--model", trained, name)
    assert (code, out) == (1, "")
    assert name in err


@pytest.mark.parametrize("more", [[], ["--json"], ["--csv", "t.csv"]])
def test_an_empty_folder_holds_no_photo(more: list[str], trained: Path, here: Path) -> None:
    (here / "empty/deep").mkdir(parents=True)
    code, out, err = call(main, "--model", trained, "empty", *more)
    assert code == 1 and not (here / "t.csv").exists()
    assert ("There is no photo in empty." if "--csv" in more else "holds no photo") in out + err


def test_photo_that_cannot_be_read_stops_no_other(trained: Path, here: Path) -> None:
    (here / "broken.jpg").write_bytes(b"no photo")
    photos = ["missing.jpg", "broken.jpg", paint(here / "r.jpg")]
    code, out, err = call(main, "--model", trained, *photos)
    assert code == 1
    assert [line.split()[1] for line in err.splitlines() if line.startswith("Error: ")] == ["missing.jpg", "broken.jpg"]
    assert "red" in out
    code, out, err = call(main, "--model", trained, "--json", *photos)
    lines = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (1, "")
    assert [set(line) for line in lines[:2]] == [{"format_version", "image", "error"}] * 2
    assert (lines[0]["image"], lines[2]["label"]) == ("missing.jpg", "red")
    assert "broken.jpg" in lines[1]["error"]


def test_real_format_counts_not_the_name(trained: Path, here: Path) -> None:
    named_jpg = paint(here / "a.jpg", "green", format="PNG")  # T21
    named_png = paint(here / "b.png", "blue", format="JPEG")
    without = paint(here / "c", "red", format="WEBP")
    found = answers("--model", trained, named_jpg, named_png, without)
    assert [answer["label"] for answer in found] == ["green", "blue", "red"]


# Other labels


@pytest.mark.parametrize(
    "content",
    [b"A\nB\nC\n", b"A\nB\nC", b"\xef\xbb\xbfA\nB\nC\n", b"A\r\nB\r\nC\r\n"],
    ids=["LF", "bare", "BOM", "CRLF"],
)
def test_other_labels(content: bytes, trained: Path, here: Path) -> None:
    (here / "names.txt").write_bytes(content)
    (answer,) = answers("--model", trained, "--labels", "names.txt", paint(here / "b.jpg", "blue"))
    assert answer["label"] == "A"
    assert {entry["label"] for entry in answer["top"]} == {"A", "B", "C"}


@pytest.mark.parametrize("content", [b"A\nB\n", b"A\nB\nC\nD\n", b"", b"\xff\xfe", None])
def test_wrong_labels_are_refused(content: bytes | None, trained: Path, here: Path) -> None:
    if content is not None:
        (here / "names.txt").write_bytes(content)
    code, out, err = call(main, "--model", trained, "--labels", "names.txt", paint(here / "r.jpg"))
    assert (code, out) == (1, "")
    assert "names.txt" in err


@pytest.mark.parametrize("content", ["A\nB\n\n", "A\n\nC\n", "A\n \t\r\nC\n", "A\nB\nC\n\n"])
def test_a_line_without_a_name_is_refused(content: str, trained: Path, here: Path) -> None:
    (here / "names.txt").write_text(content)
    code, out, err = call(main, "--model", trained, "--labels", "names.txt", paint(here / "r.jpg"))
    line = next(number for number, text in enumerate(content.splitlines(), 1) if not text.strip())
    assert (code, out) == (1, "")
    assert f"Error: --labels names.txt has no name in line {line}: write one, or delete the line." in err


# Models that cannot be used


def edited(folder: Path, **changes: object) -> None:
    manifest = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**manifest, **changes}))


DAMAGES = {
    "missing": lambda folder: shutil.rmtree(folder),
    "no manifest": lambda folder: (folder / "model.json").unlink(),
    "manifest is not JSON": lambda folder: (folder / "model.json").write_text('{"format": '),
    "manifest is not UTF-8": lambda folder: (folder / "model.json").write_bytes(b"\xff\xfe"),
    "manifest is a list": lambda folder: (folder / "model.json").write_text("[]"),
    "another format": lambda folder: edited(folder, format="other"),
    "a later version": lambda folder: edited(folder, format_version=2),
    "threshold is no number": lambda folder: edited(folder, unknown={"threshold": "low"}),
    "no labels": lambda folder: edited(folder, labels=None),
    "preprocessing is unknown": lambda folder: edited(folder, preprocessing="decode|explode"),
    "preprocessing is a number": lambda folder: edited(folder, preprocessing=3),
    "fewer labels than scores": lambda folder: edited(folder, labels=["a"]),
    "more labels than scores": lambda folder: edited(folder, labels=["a", "b", "c", "d"]),
    "another size": lambda folder: edited(folder, preprocessing="decode|resize(9,bilinear)"),
    "tflite is garbage": lambda folder: (folder / "model.tflite").write_bytes(b"garbage" * 99),
    "tflite is empty": lambda folder: (folder / "model.tflite").write_bytes(b""),
    "tflite is cut": lambda folder: os.truncate(folder / "model.tflite", 1000),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_unusable_export_is_one_sentence(damage: str, model: Path, here: Path) -> None:
    DAMAGES[damage](model)
    code, out, err = call(main, "--model", model, paint(here / "r.jpg"))
    assert (code, out) == (1, "")
    assert err.startswith("Error: ")
    assert "model" in err


@pytest.mark.parametrize("damage", ["no manifest", "cut", "not a model"])
def test_tflite_alone_that_cannot_be_used(damage: str, model: Path, here: Path) -> None:
    file = model / "model.tflite"
    data = file.read_bytes()
    if damage == "no manifest":
        file.write_bytes(data[: data.index(b"PK\x03\x04")])
    elif damage == "cut":
        file.write_bytes(data[:-40])
    else:
        file = paint(here / "photo.png")
    with pytest.raises(ModelError):
        load_model(file)


def test_saved_model_that_is_damaged_is_a_sentence(model: Path) -> None:
    (model / "model.tflite").unlink()
    (model / "saved_model.pb").write_bytes(b"garbage")
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_model(model)


def test_api(trained: Path, here: Path) -> None:
    model = load_model(trained)
    assert model.labels == ("blue", "green", "red")
    verdict = model.label(paint(here / "r.jpg").read_bytes(), top_k=1)
    assert [answer.label for answer in verdict.answers] == ["red"]
    assert (verdict.unknown, str(verdict)) == (False, "red")
    assert verdict.similarity is not None and verdict.similarity >= verdict.threshold == model.threshold
    assert model.run(np.zeros((2, 8, 8, 3), np.uint8)).probabilities.shape == (2, 3)


# Unknown


def test_what_is_like_no_class_is_unknown(trained: Path, here: Path) -> None:
    """The fake backbone gives the average colour: gray points between red, green and blue."""
    Image.new("RGB", (20, 20), (128, 128, 128)).save(here / "gray.png")
    code, out, _ = call(main, "--model", trained, here / "gray.png")
    assert code == 0
    photo, said = out.splitlines()
    assert photo == str(here / "gray.png")
    figures = r"\(similarity -?0\.\d+, threshold 0\.\d+\)"
    assert re.fullmatch(rf"  unknown: nothing like the training photos {figures}; nearest (red|green|blue)", said)
    (gray,) = answers("--model", trained, here / "gray.png")
    assert gray["unknown"] is True
    assert gray["label"] == gray["top"][0]["label"]
    assert gray["threshold"] == json.loads((trained / "model.json").read_text())["unknown"]["threshold"]
    assert -1 <= gray["similarity"] < gray["threshold"]
    (red,) = answers("--model", trained, paint(here / "r.jpg"))
    assert red["unknown"] is False
    assert red["threshold"] == gray["threshold"] <= red["similarity"] <= 1.0001


def test_beside_unknown_stands_no_probability(trained: Path, here: Path) -> None:
    """The head is sure of one of its classes, whatever it is shown: that would be read as the answer."""
    Image.new("RGB", (20, 20), (128, 128, 128)).save(here / "gray.png")
    _, out, _ = call(main, "--model", trained, here / "gray.png")
    assert "%" not in out
    _, out, _ = call(main, "--model", trained, "--always_answer", here / "gray.png")
    assert out.count("%") == 3


@pytest.mark.parametrize(
    ("similarity", "threshold", "figures"),
    [
        (0.41, 0.63, "similarity 0.41, threshold 0.63"),
        (0.6299, 0.6301, "similarity 0.6299, threshold 0.6301"),
        (-0.004, 0.63, "similarity 0.00, threshold 0.63"),
        (0.63, np.nextafter(0.63, 1), "similarity 0.630000, threshold 0.630000"),
    ],
)
def test_figures_that_decided_differ_as_they_are_shown(similarity: float, threshold: float, figures: str) -> None:
    verdict = Verdict((Answer("Bengal", 0.9999),), True, similarity, threshold)
    assert str(verdict) == f"unknown: nothing like the training photos ({figures}); nearest Bengal"


def test_always_answer_never_says_unknown(trained: Path, here: Path) -> None:
    Image.new("RGB", (20, 20), (128, 128, 128)).save(here / "gray.png")
    _, out, _ = call(main, "--model", trained, "--always_answer", here / "gray.png")
    assert "unknown" not in out
    (gray,) = answers("--model", trained, "--always_answer", here / "gray.png")
    assert gray["unknown"] is False


def test_a_tflite_file_alone_knows_its_threshold(trained: Path, here: Path) -> None:
    gray = Image.new("RGB", (20, 20), (128, 128, 128))
    gray.save(here / "gray.png")
    alone = shutil.copy(trained / "model.tflite", here / "alone.tflite")
    assert load_model(alone).label((here / "gray.png").read_bytes()).unknown


def test_an_export_without_a_threshold_never_says_unknown(model: Path, here: Path) -> None:
    manifest = json.loads((model / "model.json").read_text())
    del manifest["unknown"]
    (model / "model.json").write_text(json.dumps(manifest))
    gray = Image.new("RGB", (20, 20), (128, 128, 128))
    gray.save(here / "gray.png")
    verdict = load_model(model).label((here / "gray.png").read_bytes())
    assert (verdict.unknown, verdict.threshold) == (False, None)
    (answer,) = answers("--model", model, here / "gray.png")
    assert answer["threshold"] is None and answer["similarity"] == verdict.similarity


# The command line


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ([], "IMAGE"),
        (["--model=", "x.jpg"], "--model"),
        (["--labels", "", "x.jpg"], "--labels"),
        (["--topk", "1", "x.jpg"], "--top_k"),
        (["--top_k", "0", "x.jpg"], "top_k"),
        (["--input_mean", "0", "x.jpg"], "--input_mean"),
    ],
)
def test_wrong_call_exits_with_2(arguments: list[str], names: str) -> None:
    code, out, err = call(main, *arguments)
    assert (code, out) == (2, "")
    assert names in err


def test_no_option_asks_for_what_the_export_knows() -> None:
    code, out, _ = call(main, "--help")  # T19, T20, T22
    assert code == 0
    options = set(re.findall(r"^  (--\w+)", out, re.M))
    assert options == {
        "--model",
        "--top_k",
        "--labels",
        "--json",
        "--plot",
        "--heatmap",
        "--csv",
        "--parquet",
        "--jsonl",
        "--embed",
        "--copy_to",
        "--move_to",
        "--watch",
        "--executor",
        "--ray_address",
        "--always_answer",
        "--trust_model",
        "--version",
        "--help",
    }


def test_labelling_needs_no_tensorflow(trained: Path, here: Path) -> None:
    photo = paint(here / "r.jpg")
    code = f"""
import sys
from label_image.cli import main
main(["--json", "--model", {str(trained)!r}, {str(photo)!r}])
print(" ".join(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    answer, modules = done.stdout.splitlines()
    assert json.loads(answer)["label"] == "red"
    assert done.stderr == ""
    loaded = set(modules.split())
    assert loaded & {"tensorflow", "keras", "pyarrow", "scipy"} == set()


def test_videos_beside_photos_are_passed_over_and_counted(trained: Path, here: Path) -> None:
    """Phones put one beside each Live Photo."""
    for number in range(2):
        paint(here / "phone" / f"{number}.jpg", "red")
        (here / "phone" / f"{number}.MOV").write_bytes(b"\0\0\0\x14ftypqt  ")
    code, out, err = call(main, "--json", "--model", trained, "phone")
    assert code == 0 and len(out.splitlines()) == 2
    assert err == f"Passed over: 2 videos, such as {Path('phone', '0.MOV')}.\n"
    code, _, err = call(main, "--model", trained, "phone/0.MOV")
    assert code == 1 and "is not a photo: it is a video" in err


def test_what_programs_leave_beside_photos_is_passed_over_and_counted(trained: Path, here: Path) -> None:
    paint(here / "phone/a.jpg")
    for name in ("a.jpg.json", "a.XMP", "metadata.csv", "a.aae", "a.thm", "archive_browser.html", "x.ini"):
        (here / "phone" / name).write_text("of a program")
    code, out, err = call(main, "--model", trained, "phone")
    assert (code, out.count("phone")) == (0, 1)
    assert err == f"Passed over: 7 files that are no photos by their names, such as {Path('phone', 'a.XMP')}.\n"
    code, out, err = call(main, "--model", trained, "phone/a.aae")  # named, it is no accident
    assert code == 1 and "phone/a.aae is not a photo" in err
    (here / "phone/broken.jpg").write_text("of a program")
    code, out, err = call(main, "--model", trained, "phone")
    assert code == 1 and "phone/broken.jpg is not a photo" in err
    (here / "card").mkdir()
    (here / "card/a.json").touch()
    code, out, err = call(main, "--model", trained, "card")
    assert code == 1 and "Error: card holds no photo." in err


def test_a_folder_of_videos_alone_is_an_error(trained: Path, here: Path) -> None:
    (here / "phone").mkdir()
    (here / "phone" / "1.mp4").write_bytes(b"\0\0\0\x14ftypisom")
    code, _, err = call(main, "--model", trained, "phone")
    assert code == 1 and "Error: phone holds no photo, only videos (1)." in err
