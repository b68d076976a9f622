"""Sentences of other rooms in the language of the page: none that these rooms make is forgotten."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from retrain.core.language import in_language
from retrain.exports.registry import TITLES
from retrain.insight.retold import SENTENCES, Retold, retold
from retrain.photos.layouts.reading import LeftOut, Place, Reading

ROOT = Path(__file__).resolve().parents[2]
REASONS = [
    *sorted((ROOT / "label_image/photo_files").glob("*.py")),
    *(ROOT / f"retrain/photos/{name}.py" for name in ("reading", "adding", "layouts/recognise", "layouts/shape")),
    *(ROOT / f"retrain/photos/sources/{name}.py" for name in ("folders", "hugging_face", "parquet", "parquet_columns")),
]


def texts(node: ast.expr, module: object) -> Iterator[str]:
    """What an expression may be, with a 7 for each value in it; nothing where that is not said here."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(part_of(part, module) for part in parts)
        case ast.IfExp(body=one, orelse=other):
            yield from texts(one, module)
            yield from texts(other, module)
        case ast.Name(id=name) if isinstance(getattr(module, name, None), str):
            yield getattr(module, name)


def part_of(part: ast.expr, module: object) -> str:
    """A part of a sentence: words, a constant of the module, or a value."""
    if isinstance(part, ast.Constant):
        return str(part.value)
    value = part.value if isinstance(part, ast.FormattedValue) else part
    named = getattr(module, value.id, None) if isinstance(value, ast.Name) else None
    return named if isinstance(named, str) else "7"


def reasons(path: Path) -> Iterator[str]:
    """Why a module leaves files out."""
    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and node.args:
            name = getattr(node.func, "id", "")
            if name in ("PhotoError", "Skipped", "LeftOut"):
                yield from texts(node.args[0 if name == "PhotoError" else -1], module)


@pytest.mark.parametrize("path", REASONS, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_reason_is_known(path: Path) -> None:
    with in_language("pt"):
        assert [reason for reason in reasons(path) if retold(reason) == reason] == []


def test_the_sources_are_read() -> None:
    found = {reason for path in REASONS for reason in reasons(path)}
    assert len(found) > 45 and {"is empty (0 bytes)", "is a video", "has 7 bytes; the limit is 7"} <= found


def test_each_kind_of_file_is_known() -> None:
    from label_image.photo_files import kinds

    with in_language("pt"):
        for name in {*kinds._PICTURES.values(), *kinds._OTHERS.values()}:
            assert retold(name) != name
        for data in (b"GIMP", b"<html>", b"%PDF-1", b"8BPS", b"\0" * 128 + b"DICM", b"<svg >"):
            reason = kinds._refusal(data)
            assert not re.search(r"\b(is|not|and|photo|which|picture)\b", retold(reason)), retold(reason)


def test_each_remark_on_the_split_is_known() -> None:
    path = ROOT / "retrain/photos/split.py"
    module = importlib.import_module("retrain.photos.split")
    said = [text for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.JoinedStr)
            for text in texts(node, module) if text.endswith(".") and "`" not in text]  # fmt: skip
    assert len(said) >= 7
    with in_language("pt"):
        for remark in said:
            remark = remark.replace("gives no 7 photos", "gives no test photos")
            assert retold(remark) != remark, remark


def test_each_reading_is_known() -> None:
    classes = tuple(f"class{number}" for number in range(1234))
    for layout, place, left_out in (
        ("folders", "", ()), ("folders", "inside", ()), ("splits", "train", (LeftOut("logs", "is"),)),
        ("names", "", ()), ("names", "inside", ()),
    ):  # fmt: skip
        reading = Reading(layout, (Place(place),), classes, left_out, "class.0.jpg")  # type: ignore[arg-type]
        with in_language("pt"):
            said = retold(reading.summary())
        assert said.count("(1.234 no total)") == 1, said
        assert not re.search(r"\b(the|with|folders|names|photos|left|such)\b", said), said
    with in_language("pt"):
        assert retold(Reading("class", (Place(""),), ("gato",)).summary()) == "fotos da classe gato"


def test_each_export_is_known() -> None:
    with in_language("pt"):
        assert [title for title in TITLES.values() if " " in title and retold(title) == title] == []


def test_numbers_are_written_as_the_language_does() -> None:
    reason = (
        "is 100 x 2000 pixels and would take 1234.5 MB to decode; the limit is 1,000 MB: make it smaller, or save it"
    )
    with in_language("pt"):
        said = retold(f"{reason} as JPEG")
    assert said.startswith("tem 100 x 2000 pixels e precisaria de 1234,5 MB ") and "o limite é 1.000 MB:" in said


def test_a_class_is_no_sentence() -> None:
    with in_language("pt"):
        assert retold("Not tested, for want of a second photo that differs: head.").endswith(": head.")
        assert retold("class folders read, head") == "pastas de classes read, head"
        assert retold("nothing that anybody says") == "nothing that anybody says"
        assert f"{Retold('is a video')}" == "é um vídeo"
    assert f"{Retold('is a video')}" == "is a video" and all(retold(sentence) == sentence for sentence in SENTENCES)
