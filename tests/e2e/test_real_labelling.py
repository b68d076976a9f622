"""2,400 real cats into Parquet and into folders, with kills on the way; skipped where ../shared is absent."""

import shutil
import signal
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from calling import call
from labelling import files_below, start

import retrain.cli.main
from label_image.model import load_model

SHARED = Path(__file__).resolve().parents[3] / "shared"
WEIGHTS = SHARED / "weights/mobilenet_0.25_128.weights.h5"

pytestmark = [
    pytest.mark.real,
    pytest.mark.kills,
    pytest.mark.skipif(not WEIGHTS.exists() or not (SHARED / "data/cats").exists(), reason=f"{SHARED} is absent"),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    arguments = ["--image_dir", SHARED / "data/cats", "--max_images_per_class", 30, "--folds", 0]
    arguments += ["--architecture", "mobilenet_0.25_128", "--weights", WEIGHTS, "--output_dir", folder / "model"]
    done = call(retrain.cli.main.main, *arguments, "--bottleneck_dir", folder / "b", "--model_dir", folder / "m")
    assert done.code == 0, done.err
    return folder / "model"


def test_2400_cats_to_parquet_and_into_folders_with_two_kills(model: Path, tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    shutil.copytree(SHARED / "data/cats", tmp_path / "cats")
    before = files_below(tmp_path / "cats")
    arguments = ("cats", "--parquet", "cats.parquet", "--move_to", "sorted")
    for stop in (signal.SIGKILL, signal.SIGINT):
        process = start(model, *arguments, folder=tmp_path)
        try:
            moved = len(files_below(tmp_path / "cats"))
            while process.poll() is None and len(list((tmp_path / "cats").rglob("*.jpg"))) > moved - 300:
                time.sleep(0.1)
            process.send_signal(stop)
            process.communicate(timeout=60)
        finally:
            process.kill()
        assert process.returncode == (130 if stop == signal.SIGINT else -stop)
    process = start(model, *arguments, folder=tmp_path)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err

    table = pq.read_table(tmp_path / "cats.parquet").to_pydict()
    assert len(table["path"]) == len(set(table["path"])) == len(before) == 2400
    assert files_below(tmp_path / "cats") == {}
    after = files_below(tmp_path / "sorted")
    assert set(after.values()) == set(before.values()), "19 groups of copies may share a file, and nothing else is gone"
    answers = ["unknown" if unknown else label for label, unknown in zip(table["label"], table["unknown"], strict=True)]
    for path, answer, moved_to in zip(table["path"], answers, table["moved_to"], strict=True):
        assert Path(moved_to).parent == Path("sorted") / answer
        assert (tmp_path / moved_to).read_bytes() == before[path.removeprefix("cats/")]
    counted = Counter(answers)
    assert f"2,400 photos: {2400 - counted['unknown']:,} labelled, {counted['unknown']:,} unknown, 0 could not" in out
    assert {name: len(list((tmp_path / "sorted" / name).iterdir())) for name in counted} == {
        name: len({moved for moved, answer in zip(table["moved_to"], answers, strict=True) if answer == name})
        for name in counted
    }
    right = np.mean(
        [Path(path).parent.name == label for path, label in zip(table["path"], table["label"], strict=True)]
    )
    assert right > 0.6

    loaded = load_model(model)
    for number in range(0, 2400, 100):
        verdict = loaded.label(before[table["path"][number].removeprefix("cats/")], 12)
        for one in verdict.answers:
            assert abs(table[f"p_{one.label}"][number] - one.probability) <= 1e-6
        assert (verdict.unknown, verdict.answers[0].label) == (table["unknown"][number], table["label"][number])
