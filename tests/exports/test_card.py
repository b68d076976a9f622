"""The card of an export: what the manifest says, as people, Markdown and YAML read it."""

import hashlib
import html
import re
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from calling import call
from export_folders import COLOURS, parity_of
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from schemas import check
from stand_ins import converted

from label_image.model import load_model
from retrain.backbones.registry import ARCHITECTURES
from retrain.cli.main import main
from retrain.core.errors import ExportError
from retrain.exports.card import CARD, card, is_unchanged
from retrain.exports.card_content import LICENCES, licence_of
from retrain.exports.card_sections import SHOWN, brief, markdown_text, yaml_literal

HOSTILE = ("cats: {", "two\nlines", "a | b", "<script>alert(1)</script>", "*b* _i_ `c` ~~s~~", "---", "[x](http://y)",
           "&amp; www.example.com", "# 1", "'\"\\", "\u202egod", "$x$ :cat: @me")  # fmt: skip
MARKDOWN = MarkdownIt("gfm-like", {"linkify": False})


@pytest.fixture
def manifest(three_colours: Path) -> dict[str, Any]:
    found: dict[str, Any] = check("model", (three_colours / "model/model.json").read_text(encoding="utf-8"))
    return found


def head_of(text: str) -> dict[str, Any]:
    """The front matter."""
    found: dict[str, Any] = yaml.safe_load(text.split("---\n")[1])
    return found


def cells(text: str) -> list[list[str]]:
    """The rows of all tables, as a browser shows them."""
    rows = re.findall(r"<tr>(.*?)</tr>", MARKDOWN.render(text), re.S)
    return [[html.unescape(cell) for cell in re.findall(r"<td.*?>(.*?)</td>", row, re.S)] for row in rows]


def test_head_is_what_the_hub_reads(three_colours: Path, manifest: dict[str, Any]) -> None:
    head = head_of((three_colours / "model" / CARD).read_text(encoding="utf-8"))
    test = manifest["metrics"]["test"]
    assert head["pipeline_tag"] == "image-classification" and head["library_name"] == "retrain-photos"
    assert {"image-classification", "tensorflow", "tflite"} <= set(head["tags"])
    (model,) = head["model-index"]
    assert model["name"] == "blue, green or red"
    ((result,),) = (model["results"],)
    assert result["task"] == {"type": "image-classification"} and set(result["dataset"]) == {"name", "type"}
    (metric,) = result["metrics"]
    assert metric["type"] == "accuracy" and metric["value"] == round(test["accuracy"], 4)
    assert all(f"{end:.4f}" in metric["name"] for end in test["interval"])


def test_text_says_what_the_manifest_does(three_colours: Path, manifest: dict[str, Any]) -> None:
    text = (three_colours / "model" / CARD).read_text(encoding="utf-8")
    rows = cells(text)
    assert all([label, "20"] in rows for label in manifest["labels"])
    tested = manifest["metrics"]["test"]["n"]
    assert f"made from 60 photos: {tested} of them tested it" in text and "trained on 60 photos" not in text
    assert f"{manifest['unknown']['threshold']:.4f}" in text
    for name, file in (("saved_model", "saved_model.pb"), ("tflite", "model.tflite")):
        (row,) = [row for row in rows if row and row[0] == f"<code>{file}</code>"]
        proof = parity_of(three_colours / "model")[name]
        assert row[1:] == [str(proof["photos"]), brief(proof["greatest_difference"]), "100.0 %", "–"]
    assert str(three_colours) not in text


def test_folds_train_on_every_photo_in_the_end(manifest: dict[str, Any]) -> None:
    metrics = {**manifest["metrics"], "test": {**manifest["metrics"]["test"], "n": 60}}
    text = card({**manifest, "metrics": metrics}, [])
    assert "It was trained on 60 photos." in text and "by cross-validation" in text


def test_python_of_the_card_runs(
    three_colours: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(three_colours / "model", tmp_path / "model")
    shutil.copy(next((three_colours / "photos/green").iterdir()), folder / "photo.jpg")
    (code,) = re.findall(r"^```python\n(.*?)^```", (folder / CARD).read_text(encoding="utf-8"), re.M | re.S)
    assert len(code.splitlines()) == 6
    monkeypatch.chdir(folder)
    exec(code, {})
    assert capsys.readouterr().out == "green\n"
    assert load_model(folder).labels == ("blue", "green", "red")


def test_hostile_names_are_shown_as_they_are(manifest: dict[str, Any]) -> None:
    pairs = [[one, other, 3] for one, other in pairwise(HOSTILE)]
    provenance = {**manifest["provenance"], "photos_of_classes": [7] * len(HOSTILE)}
    content = {**manifest, "labels": list(HOSTILE), "provenance": provenance}
    content["metrics"] = {**manifest["metrics"], "confused": pairs}
    text = card(content, ["tflite"])
    shown = [name.replace("\n", "\\u000a").replace("\u202e", "\\u202e") for name in HOSTILE]
    rows = cells(text)
    assert all([name, "7"] in rows for name in shown)
    assert all([one, other, "3"] in rows for one, other in pairwise(shown))
    assert "<script>" not in MARKDOWN.render(text) and "<a " not in MARKDOWN.render(text)
    assert head_of(text)["model-index"][0]["name"] == f"{', '.join(HOSTILE[:3])} and {len(HOSTILE) - 3} more"
    assert is_unchanged(text)


def test_what_is_remarked_on_the_figures_stands_below_them(manifest: dict[str, Any]) -> None:
    assert "remarks" not in manifest["metrics"]
    remarks = ["Not tested, for want of a second photo that differs: <b>.", "Another."]
    content = {**manifest, "metrics": {**manifest["metrics"], "remarks": remarks}}
    shown = MARKDOWN.render(card(content, ["tflite"]))
    assert re.search(r"others can\s+tell\.</p>\s*<ul>\s*<li>Not tested.*differs: &lt;b&gt;\.</li>\s*<li>Another", shown)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
@example("\u2028\x85\ufeff\uffff🐈‍⬛")
@example("_a_b_ :x: ~~y~~ ![z](w) 1. &#9; http://a.b")
def test_any_text_is_the_same_to_a_reader(text: str) -> None:
    assert yaml.safe_load(yaml_literal(text)) == text
    escaped = markdown_text(text)
    assert "\n" not in escaped
    shown = html.unescape(MARKDOWN.renderInline(f"a {escaped} b"))
    expected = re.sub("[\x00-\x1f]", lambda found: f"\\u{ord(found[0]):04x}", text)
    if expected.isprintable():
        assert shown.split() == f"a {expected} b".split()


def test_many_classes_and_long_names_are_cut(manifest: dict[str, Any]) -> None:
    text = card({**manifest, "labels": [f"{'x' * 60}{n}" for n in range(1200)]}, [])
    assert "1,100 more are in `labels.txt`" in text and text.count("| –") == SHOWN
    assert len(head_of(text)["model-index"][0]["name"]) <= 101


def test_a_manifest_without_figures_has_a_card(small_manifest: dict[str, object]) -> None:
    text = card(small_manifest, [])
    assert "measured nothing" in text and "compared on" not in text and "model-index" not in head_of(text)


def test_a_manifest_of_another_kind_is_a_sentence(manifest: dict[str, Any]) -> None:
    with pytest.raises(ExportError, match=r"model.json .*export the model again"):
        card({**manifest, "metrics": {"confused": "many"}}, [])


def test_licences_of_the_registry_are_known_or_said_to_be_unknown() -> None:
    known = {name: licence_of([entry.licence]) for name, entry in ARCHITECTURES.items()}
    assert known["efficientnet_lite0"] == "apache-2.0" and known["vgg16"] == "cc-by-4.0"
    unstated = {ARCHITECTURES[name].licence for name, licence in known.items() if licence == "unknown"}
    assert not any(licence.startswith(tuple(LICENCES)) for licence in unstated)
    assert unstated <= {"not stated", "it has none", ""}
    assert licence_of(["MIT", "Apache 2.0"]) == licence_of([]) == "unknown"


def test_a_change_shows(three_colours: Path) -> None:
    text = (three_colours / "model" / CARD).read_text(encoding="utf-8")
    assert is_unchanged(text)
    assert not is_unchanged(text.replace("photos", "pictures", 1)) and not is_unchanged("# Mine\n")
    assert not is_unchanged(f"{text}more\n")
    assert hashlib.sha256(text[: text.rindex("<!--")].encode()).hexdigest() in text


def test_a_format_more_is_on_the_card_and_a_card_of_the_user_stays(trained: Path, model: Path, tmp_path: Path) -> None:
    before = (model / CARD).read_text(encoding="utf-8")
    converted(model, ["tflite_float16"], str(trained / "photos"), tmp_path)
    after = (model / CARD).read_text(encoding="utf-8")
    assert "model_float16.tflite" in after and "model_float16.tflite" not in before
    assert re.search(r"\| `model_float16.tflite` \| \d+ \| 0[.\d]* \| 100.0 % \| 0.0 \(-[\d.]+ to [\d.]+\) \|", after)
    (model / CARD).write_text("# Mine\n", encoding="utf-8")
    done = call(main, "export", model, "--to", "tflite", "--image_dir", trained / "photos")
    assert done.code == 0 and "README.md was changed by hand" in " ".join(done.err.split())
    assert (model / CARD).read_text(encoding="utf-8") == "# Mine\n"
    (model / CARD).unlink()
    converted(model, ["tflite"], str(trained / "photos"), tmp_path)
    assert all(markdown_text(label) in (model / CARD).read_text(encoding="utf-8") for label in COLOURS)
