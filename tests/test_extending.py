"""The examples of docs/extending.md, written into a copy of the program as the page says, and used."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from calling import python_path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/extending.md"
BLOCK = re.compile(r"^```(python|diff)\n# (\S+)\n(.*?)^```", re.M | re.S)
USES = {
    "retrain/backbones/families/tiny.py": """
        from retrain import Backbone
        from retrain.backbones.network import load_network

        tiny = Backbone.find("tiny", weights="random")
        assert load_network(tiny)(np.zeros((2, 32, 32, 3), np.float32)).shape == (2, 64)
    """,
    "retrain/backbones/engines/plain.py": """
        from retrain.backbones.engines.registry import ENGINES, choose_engine, start_engine

        assert "plain" in ENGINES and choose_engine("auto", "float32") != "plain"
        pixels = np.random.default_rng(0).integers(0, 256, (9, 32, 32, 3), np.uint8)
        plain, usual = (start_engine(tiny, name)(pixels) for name in ("plain", "tensorflow"))
        assert np.allclose(plain, usual, atol=1e-5) and np.ptp(plain) > 0
    """,
    "retrain/exports/formats/zipped.py": """
        from pathlib import Path
        from export_folders import paint
        from retrain.cli.main import main
        from retrain.exports.folder import check_export_dir

        paint(Path("photos"), range(20))
        where = "--image_dir photos --bottleneck_dir b"
        main(f"{where} --output_dir model --architecture fake --formats saved_model".split())
        made = []
        for _ in range(2):
            main(f"export model --to zipped {where}".split())
            made.append(Path("model/model.zip").read_bytes())
        assert made[0] == made[1]
        check_export_dir(Path("model"))
    """,
    "retrain/photos/sources/lists.py": """
        from retrain import Dataset

        listed = [f"{photo.parent.name}\\t{photo}\\n" for photo in sorted(Path("photos").glob("*/*"))]
        Path("photos.list").write_text("".join(listed))
        by_list, by_folder = Dataset.open("photos.list"), Dataset.open("photos")
        assert by_list.files == by_folder.files
        assert len(by_list.files) == len(listed)
    """,
    "retrain/bottlenecks/executors/apart.py": """
        from retrain.bottlenecks.executors.registry import find_executor
        from retrain.bottlenecks.extraction import extract
        from retrain.bottlenecks.extraction_config import ExtractionConfig

        fake = Backbone.find("fake")
        apart = extract(by_folder, fake, "apart", executor=find_executor(ExtractionConfig(executor="apart")))
        here = extract(by_folder, fake, "here")
        assert apart.computed == here.computed > 0 and np.array_equal(apart.matrix, here.matrix)
    """,
}


def apply_diff(path: Path, diff: str) -> None:
    """Put each new line behind the line before it, which the file has once."""
    lines, place = path.read_text(encoding="utf-8").splitlines(), -1
    for line in diff.splitlines():
        if line.startswith("+"):
            lines.insert(place + 1, line[1:])
            place += 1
        else:
            assert lines.count(line[1:]) == 1, f"{path} has {line[1:]!r} {lines.count(line[1:])} times"
            place = lines.index(line[1:])
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the program with everything that the page adds."""
    house = tmp_path_factory.mktemp("house")
    for package in ("retrain", "label_image"):
        shutil.copytree(ROOT / package, house / package, ignore=shutil.ignore_patterns("__pycache__"))
    for language, path, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if language == "diff":
            apply_diff(house / path, text)
        else:
            assert not (house / path).exists()
            (house / path).write_text(text, encoding="utf-8")
    return house


def test_every_addition_is_one_file_and_lines_in_one_other() -> None:
    blocks = [(language, path) for language, path, _ in BLOCK.findall(PAGE.read_text(encoding="utf-8"))]
    assert [language for language, _ in blocks] == ["python", "diff"] * (len(blocks) // 2)
    assert set(USES) <= {path for language, path in blocks if language == "python"}


def test_what_the_page_adds_can_be_used(house: Path, tmp_path: Path) -> None:
    code = ["import numpy as np", *(re.sub(r"^ {8}", "", use, flags=re.M) for use in USES.values())]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(code)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": python_path(house, ROOT / "tests/support")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_a_line_that_the_registry_does_not_have_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "registry.py").write_text("one\ntwo\n")
    apply_diff(tmp_path / "registry.py", " one\n+between\n")
    assert (tmp_path / "registry.py").read_text() == "one\nbetween\ntwo\n"
    with pytest.raises(AssertionError, match="'three' 0 times"):
        apply_diff(tmp_path / "registry.py", " three\n+four\n")
