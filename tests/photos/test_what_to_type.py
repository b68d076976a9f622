"""docs/photos.md begins with a table of what people have and what they type: each command is tried on such data."""

import io
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from heic import heic, scene
from painting import paint
from PIL import Image

from retrain.cli.main import cli, main

ROOT = Path(__file__).resolve().parents[2]
CLASSES = ("cat", "dog")


def encoded(format: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    scene(40, 30).save(buffer, format)
    return buffer.getvalue()


def photos(*places: str) -> None:
    for number, place in enumerate(places):
        paint(Path(place), (20 * number, 90, 200 - 9 * number))


def folders() -> set[str]:
    photos(*(f"cats/{label}/{number}.jpg" for label in CLASSES for number in range(4)))
    return {*CLASSES}


def inside() -> set[str]:
    photos(*(f"download/flower_photos/{label}/{number}.jpg" for label in CLASSES for number in range(2)))
    Path("download/LICENSE.txt").write_text("free")
    return {*CLASSES}


def sides() -> set[str]:
    photos(*(f"flowers/{side}/{label}/{side}.jpg" for side in ("train", "valid", "test") for label in CLASSES))
    return {*CLASSES}


def names() -> set[str]:
    photos(*(f"heap/{label}.{number}.jpg" for label in CLASSES for number in range(4)))
    return {*CLASSES}


def annotations() -> set[str]:
    photos(*(f"dogs/Images/{label}/{number}.jpg" for label in ("Pug", "Husky") for number in range(2)))
    for label in ("Pug", "Husky"):
        Path(f"dogs/Annotation/{label}").mkdir(parents=True)
        Path(f"dogs/Annotation/{label}/1.xml").write_text("<a/>")
    return {"Pug", "Husky"}


def table() -> set[str]:
    photos("img/1.jpg", "img/2.jpg")
    Path("photos.csv").write_text("file,class\nimg/1.jpg,cat\nimg/2.jpg,dog\n")
    return {*CLASSES}


def parquet() -> set[str]:
    Path("shards").mkdir()
    rows = [{"image": {"bytes": encoded("PNG") + label.encode(), "path": None}, "label": label} for label in CLASSES]
    pq.write_table(pa.Table.from_pylist(rows), "shards/train-00000-of-00001.parquet")
    return {*CLASSES}


def hugging_face() -> set[str]:
    photos("hf_folder/1.jpg", "hf_folder/2.jpg")
    Path("hf_folder/metadata.csv").write_text("file_name,label\n1.jpg,cat\n2.jpg,dog\n")
    return {*CLASSES}


def archive() -> set[str]:
    import shutil

    found = folders()
    shutil.make_archive("cats", "zip", ".", "cats")
    return found


def phone() -> set[str]:
    for label in ("gato", "cachorro"):
        Path("phone", label).mkdir(parents=True)
        Path("phone", label, "1.HEIC").write_bytes(heic(scene(40, 30, len(label))))
        Path("phone", label, "1.MOV").write_bytes(b"\0\0\0\x14ftypqt  ")
    return {"gato", "cachorro"}


def cut() -> set[str]:
    found = folders()
    Image.open("cats/cat/0.jpg").convert("RGB").save("cats/cat/cut.jpg")
    Path("cats/cat/cut.jpg").write_bytes(Path("cats/cat/cut.jpg").read_bytes()[:-2])
    return found


# What is tried, by how a row begins; or None for what needs the world outside, or is no command.
ROWS: dict[str, Callable[[], set[str]] | None] = {
    "a folder for each class": folders,
    "that inside other folders": inside,
    "sides of a split": sides,
    "the class in each file's name": names,
    "photos in one folder, annotations": annotations,
    "a table of paths": table,
    "Parquet with the photos inside": parquet,
    "a Hugging Face folder": hugging_face,
    "a TensorFlow data set": None,
    "an archive": archive,
    "its address": None,
    "a folder in object storage": None,
    "nothing yet, but the name": None,
    "an earlier run whose photos [are gone]": None,
    "what a phone saved": phone,
    "JPEGs that end early": cut,
    "one of these, and it is read": folders,
    "boxes": None,
}


def rows() -> list[tuple[str, str]]:
    """What people have, and the command."""
    page = (ROOT / "docs/photos.md").read_text(encoding="utf-8")
    head, _, rest = page.partition("\n\n")
    assert head.startswith("# ")
    found = [[cell.strip() for cell in line.split("|")[1:-1]] for line in rest.partition("\n\n")[0].splitlines()]
    assert found[0] == ["what you have", "what you type"]
    return [(have, command) for have, command in found[2:]]


def test_each_row_is_tried_or_known_not_to_be() -> None:
    assert len(rows()) == len(ROWS)
    assert all(have.startswith(begin) for (have, _), begin in zip(rows(), ROWS, strict=True))


def test_every_option_in_it_exists() -> None:
    known = {option for command in cli.commands.values() for one in command.params for option in one.opts}
    assert {*re.findall(r"--\w+", " ".join(command for _, command in rows()))} <= known


@pytest.mark.parametrize("begin", [begin for begin, make in ROWS.items() if make])
def test_what_to_type(
    begin: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    make = ROWS[begin]
    assert make is not None
    classes = make()
    (typed,) = (command.strip("`") for have, command in rows() if have.startswith(begin))
    program_name, *arguments = shlex.split(typed)
    assert program_name == "retrain"
    if arguments[0] == "look":
        main([*arguments, "--json"])
        assert set(json.loads(capsys.readouterr().out)["classes"]) == classes
    else:
        main([*arguments, "--architecture", "fake", "--output_dir", "model", "--formats", "saved_model", "--json"])
        told = json.loads(capsys.readouterr().out)
        assert set(told["classes"]) == classes and told["photos"]["used"] >= 2
        assert begin != "what a phone saved" or told["photos"] == {"used": 2, "skipped": 2, "gone": 0}
        assert begin != "JPEGs that end early" or told["photos"] == {"used": 9, "skipped": 0, "gone": 0}
