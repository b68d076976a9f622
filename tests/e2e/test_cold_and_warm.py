"""The same command gives the same bytes, cold or warm, and again by the options that its export has kept."""

import re
import shutil
from pathlib import Path

import pytest
from calling import call
from painting import paint_classes

from retrain.cli.main import main

# What a report says of the work, and not of the result: times, and how much was there already.
OF_THE_WORK = re.compile(
    r'<span class="date">[^<]*</span>|<dd>(?:[a-z_]+ [\d.]+\s*)+</dd>|<dd>[\d.]+ s</dd>|'
    r"[\d,]+ bottlenecks cached, [\d,]+ computed"
)


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def ran(kept: Path, *options: str) -> dict[str, bytes]:
    """The files of a run: of its export, and its report."""
    said = call(main, "--image_dir=photos", "--report=report.html", *options)
    assert said.code == 0, said.err
    kept.mkdir()
    for name in ("tf_files/model", "report.html"):
        shutil.move(name, kept)
    return files_of(kept)


def test_but_for_times_the_bytes_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    paint_classes(tmp_path / "photos", {"red": "red", "green": "green"}, range(12))
    options = ("--architecture=fake", "--formats=tflite", "--label_smoothing=0.1", "--l2=0.01", "--seed=3")
    cold, warm = ran(tmp_path / "cold", *options), ran(tmp_path / "warm", *options)
    again = ran(tmp_path / "again", f"--config={tmp_path / 'cold/model/model.json'}")
    pages = [run.pop("report.html").decode() for run in (cold, warm, again)]
    assert cold == warm == again and {"model/model.tflite", "model/model.json", "model/README.md"} <= set(cold)
    assert len({OF_THE_WORK.sub("", page) for page in pages[:2]}) == 1
    assert "0 bottlenecks cached, 24 computed" in pages[0] and "24 bottlenecks cached, 0 computed" in pages[1]
