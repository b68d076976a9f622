"""`model.json` from elsewhere, beside a model and inside of one; and what its labels may do to a terminal."""

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from label_image.appended_zip import read_appended_manifest
from label_image.cli import main
from label_image.errors import ModelError
from label_image.manifest import read_manifest
from label_image.model import Model, load_model
from label_image.preprocessing import Preprocessing
from label_image.terminal import json_line, shown
from retrain.core.errors import ExportError
from retrain.exports.further_formats import read_manifest as read_manifest_for_export
from retrain.insight.metrics_tables import class_table
from retrain.insight.terminal_text import escape
from retrain.training.metrics import measure

from .conftest import MANIFEST, peak_memory, write_manifest

DAMAGED = {
    "nested deeply": ("parity", "[" * 100_000 + "]" * 100_000, "nested too deeply"),
    "a threshold of 1e400": ("unknown", '{"threshold": 1e400}', "out of range"),
    "a threshold of 10^400": ("unknown", '{"threshold": 1' + "0" * 400 + "}", "out of range"),
    "a threshold of 1e300": ("unknown", '{"threshold": 1e300}', "unknown.threshold"),
    "a threshold of NaN": ("unknown", '{"threshold": NaN}', "not JSON"),
    "a threshold of text": ("unknown", '{"threshold": "0.5"}', "unknown.threshold"),
    "unknown is a list": ("unknown", "[1]", "unknown"),
    "unknown without a threshold": ("unknown", "{}", "threshold"),
    "half a character": ("labels", '["\\ud800", "b"]', "not JSON"),
    "labels are a text": ("labels", '"ab"', "labels"),
    "a label is a number": ("labels", "[1, 2]", "labels"),
    "no labels": ("labels", "[]", "labels"),
    "parity is a list": ("parity", "[]", "parity"),
    "parity holds numbers": ("parity", '{"tflite": 1}', "parity"),
    "input is a number": ("input", "3", "input"),
    "another size": ("input", '{"size": 9}', "size"),
    "preprocessing is a number": ("preprocessing", "3", "preprocessing"),
    "preprocessing is code": ("preprocessing", '"__import__(1)"', "preprocessing"),
    "preprocessing is long": ("preprocessing", json.dumps("decode|" + "(" * 10**6), "preprocessing"),
    "another version": ("format_version", "99", "format version 99"),
    "a version of text": ("format_version", '"1"', "format version"),
    "another format": ("format", '"other"', "not that of an export"),
}


def damaged(name: str) -> bytes:
    key, text, _ = DAMAGED[name]
    rest = json.dumps({entry: value for entry, value in MANIFEST.items() if entry != key})
    return f'{rest[:-1]}, "{key}": {text}}}'.encode()


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_manifest_is_a_sentence_for_every_reader(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "model.json").write_bytes(damaged(name))
    reason = DAMAGED[name][2]
    with pytest.raises(ModelError, match=f"{model}.*{reason}|{reason}.*{model}"):
        load_model(model)
    with pytest.raises(ExportError, match=reason):
        read_manifest_for_export(model)
    with pytest.raises(SystemExit) as leave:
        main(["--model", str(model), "x.jpg"])
    error = capsys.readouterr().err
    assert leave.value.code == 1 and error.startswith("Error: ") and "Traceback" not in error
    # The same text inside a .tflite.
    (tmp_path / "model.tflite").write_bytes(appended({"model.json": damaged(name)}))
    with pytest.raises(ModelError, match=reason):
        load_model(tmp_path / "model.tflite")


def test_a_manifest_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    folder = write_manifest(tmp_path / "model")
    os.truncate(folder / "model.json", 3 * 2**30)

    def read() -> None:
        with pytest.raises(ModelError, match=r"model\.json has more than the 16 MiB"):
            read_manifest(folder)

    assert peak_memory(read) < 2**27


def test_a_good_manifest_says_what_it_says(tmp_path: Path) -> None:
    manifest = read_manifest(write_manifest(tmp_path / "model", note="kept"))
    assert (manifest.labels, manifest.threshold) == (("blue", "green", "red"), 0.5)
    assert manifest.content["note"] == "kept"


def test_a_part_of_an_export_that_other_programs_run_is_called_that(tmp_path: Path) -> None:
    """What is run here is named, and not the manifest that such a part has not."""
    export = write_manifest(tmp_path / "export")
    for folder in (export / "model.mlpackage", export / "web", tmp_path / "copied.mlpackage"):
        folder.mkdir()
    for folder in (export / "tfjs", tmp_path / "copied"):
        write_manifest(folder, format="graph-model")
    parts = (export / "model.mlpackage", export / "web", export / "tfjs")
    for part in (*parts, tmp_path / "copied", tmp_path / "copied.mlpackage"):
        sentence = f"{part} is a part of an export that other programs run: pass the folder of the export"
        with pytest.raises(ModelError, match=rf"^{sentence}, or its \.tflite, \.onnx or frozen \.pb file\.$"):
            load_model(part)


def test_what_is_in_an_export_and_one_itself_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    inner = write_manifest(write_manifest(tmp_path / "export") / "previous", format_version=99)
    with pytest.raises(ModelError, match="format version 99"):
        load_model(inner)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"empty holds no readable model\.json"):
        load_model(tmp_path / "empty")


# The zip at the end of a .tflite


def appended(files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO(b"model" * 100)
    with zipfile.ZipFile(buffer, "a", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def encrypted() -> bytes:
    data = bytearray(appended({"model.json": b"{}"}))
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + flags] |= 1
    return bytes(data)


def broken_deflate() -> bytes:
    data = bytearray(appended({"model.json": json.dumps(MANIFEST).encode()}, zipfile.ZIP_DEFLATED))
    start = data.index(b"model.json") + 10
    data[start : start + 20] = b"\xff" * 20
    return bytes(data)


def lying_bomb() -> bytes:
    """A gigabyte of zeros that says it has 100 bytes."""
    data = bytearray(appended({"model.json": bytes(2**30)}, zipfile.ZIP_DEFLATED))
    for signature, size in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = data.index(signature) + size
        data[place : place + 4] = (100).to_bytes(4, "little")
    return bytes(data)


ZIPS = {
    "no zip": (lambda: b"model" * 100, "no zip"),
    "no manifest": (lambda: appended({"labels.txt": b"a"}), "no model.json"),
    "encrypted": (encrypted, "encrypted"),
    "broken deflate": (broken_deflate, "damaged"),
    "a bomb": (lambda: appended({"model.json": bytes(2**30)}, zipfile.ZIP_DEFLATED), "bytes"),
    "a bomb that lies": (lying_bomb, "damaged|not JSON"),
    "another method": (lambda: appended({"model.json": bytes(2**20)}, zipfile.ZIP_BZIP2), "packed in a way"),
    "cut": (lambda: appended({"model.json": b"{}"})[:-30], "zip"),
    "a large directory": (lambda: appended({f"{n}": b"" for n in range(60_000)}), "too many files"),
}


@pytest.mark.parametrize("name", ZIPS)
def test_a_hostile_zip_in_a_tflite_is_a_sentence(name: str, tmp_path: Path) -> None:
    make, reason = ZIPS[name]
    path = tmp_path / "model.tflite"
    path.write_bytes(make())
    assert path.stat().st_size < 2**23

    def read() -> None:
        with pytest.raises(ModelError, match=rf"model\.tflite.*({reason})"):
            read_appended_manifest(path)

    assert peak_memory(read) < 2**27


# Labels on a terminal

HOSTILE = "cat\x1b]0;owned\x07\x9b2J\u202egod\u2066"


def test_characters_that_steer_a_terminal_are_shown_by_their_numbers() -> None:
    assert shown(HOSTILE) == r"cat\x1b]0;owned\x07\x9b2J\u202egod\u2066"
    assert shown("\ud800\u2028") == r"\ud800\u2028"
    for name in ("São João", "猫", "🐈‍⬛", "नमस्ते", "قطة", "a\u200cb"):
        assert shown(name) == name == escape(name)
    assert json.loads(json_line({"label": HOSTILE, "ü": 1})) == {"label": HOSTILE, "ü": 1}
    assert shown(json_line(HOSTILE)) == json_line(HOSTILE)
    assert json_line("São") == '"São"'


def test_labels_reach_no_terminal_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    from label_image.runtimes import Outputs

    def run(pixels: Any) -> Outputs:
        return Outputs(np.array([[0.75, 0.25]], np.float32), np.array([0.0], np.float32))

    model = Model((HOSTILE, "b"), Preprocessing.parse(MANIFEST["preprocessing"]), run, 0.5)
    monkeypatch.setattr("label_image.model.load_model", lambda *arguments: model)
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.png")
    for arguments in ([], ["--always_answer"], ["--json"]):
        main([str(tmp_path / "photo.png"), *arguments])
        printed = capsys.readouterr().out.replace("\n", "")
        assert "cat" in printed and shown(printed) == printed
    console = Console(file=io.StringIO(), force_terminal=True, width=200)
    metrics = measure(np.array([[0.75, 0.25], [0.2, 0.8]]), np.array([0, 1]), (HOSTILE, "b"))
    console.print(class_table(metrics))
    text = console.file.getvalue()
    assert r"\u202e" in text and "\u202e" not in text and "\x1b]0" not in text and "\x9b" not in text


def test_an_error_shows_no_label_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_manifest(tmp_path / "model", preprocessing="\x1b[2J")
    with pytest.raises(SystemExit):
        main(["--model", str(tmp_path / "model"), "x.jpg"])
    assert "\x1b" not in capsys.readouterr().err
