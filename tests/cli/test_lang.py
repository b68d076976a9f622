"""`--lang`, and the locale: which language the pages of a command are in."""

import csv
from pathlib import Path

import pytest
from painting import paint

from retrain.cli.main import main


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two classes of six photos, with a copy of one in the other class, and a file that is no photo."""
    for colour in ("red", "blue"):
        for seed in range(6):
            paint(tmp_path / "photos" / colour / f"{seed}.jpg", colour, seed)
    (tmp_path / "photos/blue/copy.jpg").write_bytes((tmp_path / "photos/red/0.jpg").read_bytes())
    (tmp_path / "photos/blue/empty.jpg").touch()
    return tmp_path / "photos"


def doctor(photos: Path, *options: str) -> Path:
    folder = photos.parent / "doctor"
    main(["doctor", str(photos), "--architecture", "fake", "--output_dir", str(folder),
          "--bottleneck_dir", str(photos.parent / "bottlenecks"), *options])  # fmt: skip
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_doctor_in_portuguese(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = doctor(photos, "--lang", "pt")
    assert '<html lang="pt-BR">' in (folder / "doctor.html").read_text(encoding="utf-8")
    assert "Files that cannot be used" in capsys.readouterr().out  # what the command line says stays English
    found = rows(folder / "findings.csv")
    assert {"unreadable", "copy_across_classes"} <= {row["kind"] for row in found}
    assert {row["finding"] for row in found if row["kind"] == "unreadable"} == {"Este arquivo está vazio (0 bytes)."}
    fixes = rows(folder / "fixes.csv")
    assert {row["action"] for row in fixes} == {"keep"} and "remove" in {row["suggestion"] for row in fixes}
    assert any("Os mesmos bytes de" in row["reason"] for row in fixes)


def test_decisions_made_in_one_language_hold_in_the_other(photos: Path) -> None:
    folder = doctor(photos, "--lang", "pt")
    text = (folder / "fixes.csv").read_text(encoding="utf-8-sig").replace(",keep,remove,", ",remove,remove,")
    (folder / "fixes.csv").write_text(text, encoding="utf-8")
    doctor(photos, "--lang", "en")
    assert (folder / "fixes.csv").read_text(encoding="utf-8") == text  # the user's own
    assert "remove" in {row["action"] for row in rows(folder / "fixes.new.csv")}


@pytest.mark.parametrize(("language", "options", "tag"), [
    ("pt_BR.UTF-8", [], "pt-BR"), ("de_DE.UTF-8", [], "en"), ("pt_BR.UTF-8", ["--lang", "en"], "en"),
])  # fmt: skip
def test_the_locale_is_the_default(
    photos: Path, monkeypatch: pytest.MonkeyPatch, language: str, options: list[str], tag: str
) -> None:
    monkeypatch.setenv("LANGUAGE", "")
    monkeypatch.setenv("LC_ALL", language)
    page = (doctor(photos, *options) / "doctor.html").read_text(encoding="utf-8")
    assert f'<html lang="{tag}">' in page


def test_report_in_portuguese(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = photos.parent / "report.html"
    main(["--image_dir", str(photos), "--architecture", "fake", "--output_dir", str(photos.parent / "model"),
          "--bottleneck_dir", str(photos.parent / "bottlenecks"), "--formats", "saved_model",
          "--report", str(report), "--lang", "pt"])  # fmt: skip
    page = report.read_text(encoding="utf-8")
    assert '<html lang="pt-BR">' in page and "Matriz de confusão" in page and "pastas de classes" not in page
    assert "accuracy" in capsys.readouterr().out


def test_a_language_that_nobody_wrote(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        doctor(photos, "--lang", "tlh")
    assert ended.value.code == 2 and "'tlh' is not one of 'en', 'pt'" in capsys.readouterr().err
