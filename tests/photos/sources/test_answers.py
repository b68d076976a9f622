"""Tables of answers by label_image as tables to train with: what nobody has corrected yet is said."""

import json
import shutil
from pathlib import Path

import pytest
from labelling import label
from listings import make
from painting import paint_classes

from label_image.many.tables import ANSWERS
from retrain.photos.opening import list_photos

SAID = "unknown is true, and the label only the nearest class: correct it and write false, or take such rows out."


@pytest.fixture
def photos(three_colours: Path, tmp_path: Path) -> Path:
    """Photos of the colours that the model knows, and three of another one."""
    paint_classes(tmp_path / "photos", {"odd": "grey"}, range(3))
    return Path(shutil.copytree(three_colours / "photos", tmp_path / "photos", dirs_exist_ok=True))


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_rows_of_unknown_photos_are_counted(
    kind: str, three_colours: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos.parent)
    model, table = three_colours / "model", Path(f"answers.{kind}")
    answers = label(model, "photos", "--json").out
    if kind == "jsonl":
        table.write_text(answers)
    else:
        label(model, "photos", f"--{kind}", table)
    count = sum(json.loads(line)["unknown"] for line in answers.splitlines())
    assert count >= 3
    read_as, said = list_photos(table).remarks
    assert read_as.startswith("Read as: column ") and said == f"In {count} rows {SAID}"


def row(number: int, unknown: str) -> str:
    return f"{number}.jpg,{'ab'[number % 2]},0.9,{unknown},0.7,0.5,,0.9,0.1"


HEADER = ",".join(["path", *ANSWERS, "error", "p_a", "p_b"])


@pytest.mark.parametrize("word", ["true", "TRUE", "VERDADEIRO"])  # as spreadsheets write it, in their languages
def test_those_that_are_true_count_and_none_once_they_are_corrected(word: str, tmp_path: Path) -> None:
    make(tmp_path, *(f"{number}.jpg" for number in range(4)))
    table = tmp_path / "answers.csv"
    table.write_text("\n".join([HEADER, row(0, word), row(1, "false"), row(2, word), row(3, "")]))
    assert list_photos(table).remarks[1:] == (f"In 2 rows {SAID}",)
    table.write_text("\n".join([HEADER, *(row(number, "false") for number in range(4))]))
    assert len(list_photos(table).remarks) == 1


def test_a_column_of_that_name_in_a_table_of_ones_own_says_nothing(tmp_path: Path) -> None:
    make(tmp_path, "1.jpg", "2.jpg")
    (tmp_path / "mine.csv").write_text("path,label,unknown,threshold\n1.jpg,a,true,1\n2.jpg,b,true,1\n")
    rows = [json.dumps({"path": f"{number}.jpg", "label": "ab"[number - 1], "unknown": True}) for number in (1, 2)]
    (tmp_path / "mine.jsonl").write_text("\n".join(rows))
    for name in ("mine.csv", "mine.jsonl"):
        (remark,) = list_photos(tmp_path / name).remarks
        assert remark.startswith("Read as")
