"""`make bench` at tiny sizes: its figures fit together, and every one of them is in the table and in the JSON."""

import json
import sys
from pathlib import Path

import bench
import bench_sections as sections
import click
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from retrain.photos.dataset import PhotoFile

SHARED = Path(__file__).parents[3] / "shared"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """8 noisy photos of each of 3 colours."""
    folder = tmp_path_factory.mktemp("photos")
    noise = np.random.default_rng(0)
    for colour, rgb in (("blue", (0, 0, 200)), ("green", (0, 200, 0)), ("red", (200, 0, 0))):
        (folder / colour).mkdir()
        for number in range(8):
            pixels = np.clip(noise.normal(rgb, 20, (20, 30, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / colour / f"{number}.png")
    return folder


def run_bench(folder: Path, *options: object) -> Result:
    arguments = ["--output", str(folder / "bench.json"), "--repeat", "2", *map(str, options)]
    return CliRunner().invoke(bench.main, arguments, catch_exceptions=False)


def rows_of(folder: Path) -> list[dict]:
    return json.loads((folder / "bench.json").read_text(encoding="utf-8"))["rows"]


def check_ratios(rows: list[dict]) -> None:
    """Every ratio is the value over the value of the row that it names, in the same section."""
    values = {(row["section"], row["what"]): row["value"] for row in rows}
    compared = [row for row in rows if row["of"]]
    assert compared
    for row in compared:
        assert row["ratio"] == pytest.approx(row["value"] / values[row["section"], row["of"]])


@pytest.fixture
def quick_retrain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that take no time: 10 s and 0.1 s a new photo cold, 4 s warm."""
    done: dict[Path, set[str]] = {}

    def run_retrain(of: object, name: str, files: list[PhotoFile], store: Path) -> tuple[object, dict]:
        known = done.setdefault(store, set())
        new = {file.path for file in files} - known
        known |= new
        seconds = 10 + 0.1 * len(new) if new else 4.0
        told = {"bottlenecks": {"computed": len(new)}, "seconds": {"infer": 0.1 * len(new), "total": seconds}}
        return sections.Process(seconds, 300.0, ""), told

    monkeypatch.setattr(sections, "run_retrain", run_retrain)


@pytest.mark.parametrize("markdown", [False, True])
def test_the_table_has_every_row_and_the_ratios_are_those_of_the_values(
    photos: Path, tmp_path: Path, quick_retrain: None, markdown: bool
) -> None:
    only = [part for name in ("extraction", "runs", "head", "growth") for part in ("--only", name)]
    options = ["--image_dir", photos, "--architecture", "fake", "--sizes", "6,12,999", "--head_size", "600,16,4", *only]
    result = run_bench(tmp_path, *options, *(["--markdown"] if markdown else []))
    assert result.exit_code == 0, result.output
    rows = rows_of(tmp_path)
    assert {row["section"].partition(",")[0] for row in rows} == {"extraction", "runs", "head", "growth"}
    assert all(set(row) == {"section", "what", "value", "unit", "ratio", "of"} for row in rows)
    check_ratios(rows)
    lines = [line for line in result.output.splitlines() if line.startswith(("|", "│"))]
    if markdown:
        assert len(lines) == 2 + len(rows)
    text = "".join(result.output.split())
    assert [row for row in rows if "".join(row["what"].split()) not in text] == []
    assert "24 photos" in result.output and list(tmp_path.iterdir()) == [tmp_path / "bench.json"]


def test_a_new_class_is_all_that_is_computed_and_cold_is_linear(
    photos: Path, tmp_path: Path, quick_retrain: None
) -> None:
    options = ["--image_dir", photos, "--architecture", "fake", "--sizes", "6,12"]
    run_bench(tmp_path, *options, "--only", "runs", "--only", "growth")
    found = {row["what"]: row for row in rows_of(tmp_path)}
    assert (found["computed for it"]["value"], found["computed for it"]["ratio"]) == (8, 1)
    assert found["warm"]["ratio"] == pytest.approx(4 / 12.4)
    assert found["cold, 6 to 12 photos"]["value"] == pytest.approx(100)  # ms
    assert found["warm, 6 to 12 photos"]["value"] == 0


def test_the_heads_reach_the_same_loss(tmp_path: Path, photos: Path) -> None:
    run_bench(tmp_path, "--image_dir", photos, "--only", "head", "--head_size", "1500,32,5")
    losses = {}
    for kind in ("overlapping", "separable"):
        found = {row["what"]: row["value"] for row in rows_of(tmp_path) if kind in row["section"]}
        assert 0 < found["difference of the losses"] < 1e-3
        losses[kind] = found["retrain.training.head, loss"]
    assert 0.001 < losses["separable"] < losses["overlapping"] < np.log(5)


def test_the_loss_of_a_head_that_knows_nothing() -> None:
    features, classes = np.ones((10, 3), np.float32), np.arange(10) % 4
    assert sections.loss(features, classes, np.zeros((3, 4)), np.zeros(4)) == pytest.approx(np.log(4))
    assert sections.loss(features, classes, np.ones((3, 4)), np.zeros(4)) == pytest.approx(
        np.log(4) + sections.HEAD_L2 / 2 * 12
    )


def test_scale_at_a_small_scale(tmp_path: Path, photos: Path) -> None:
    result = run_bench(tmp_path, "--image_dir", photos, "--only", "scale", "--scale_rows", 200, "--scale_files", 300)
    assert result.exit_code == 0, result.output
    rows = rows_of(tmp_path)
    check_ratios(rows)
    assert {row["section"] for row in rows} == {"scale, 200 x 1280", "scale, 300 files"}


def test_peak_memory_is_that_of_the_process_and_not_of_its_parent() -> None:
    ballast = np.ones(60 << 20, np.float32)  # 240 MB
    small = sections.run_process([sys.executable, "-S", "-c", "print('ready')"])
    large = sections.run_process([sys.executable, "-S", "-c", "x = b'1' * (100 << 20)"])
    assert small.output == "ready"
    assert small.peak < 60 < 100 < large.peak < 160 < ballast.nbytes / 2**20


def test_a_process_that_fails_says_why() -> None:
    with pytest.raises(click.ClickException, match="no such cat"):
        sections.run_process([sys.executable, "-c", "import sys; sys.exit('no such cat')"])


def test_photos_are_taken_evenly_over_the_classes() -> None:
    files = [PhotoFile(f"{label}/{number}", label, 0, 0, 0) for label in "abc" for number in range(10)]
    assert [file.label for file in sections.spread(files, 6)] == list("aabbcc")
    assert sections.spread(files, 99) == files


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--head_size", "100,10"], "--head_size"),
        (["--head_size", "100,10,2"], "3 or more"),
        (["--sizes", "10,-1"], "--sizes"),
        (["--weights", "inception_v3=none.h5"], "NAME=FILE"),
        (["--architecture", "mobilenet"], "mobilenet"),
    ],
)
def test_wrong_calls_are_refused_in_a_sentence(tmp_path: Path, photos: Path, options: list[str], word: str) -> None:
    result = run_bench(tmp_path, "--image_dir", photos, "--only", "head", *options)
    assert result.exit_code == 2
    assert result.output.startswith("Error: ") and result.output.count("\n") == 1 and word in result.output


def test_weights_are_a_given_file_or_one_at_hand_or_random(tmp_path: Path) -> None:
    for name in ("given.h5", "vgg16.weights.h5"):
        (tmp_path / name).touch()
    found = bench.find_weights(
        ("vgg19", "vgg16", "mobilenet_0.25_128", "fake"), [f"vgg19={tmp_path / 'given.h5'}"], tmp_path
    )
    assert {name: weights and Path(weights).name for name, weights in found.items()} == {
        "vgg19": "given.h5",
        "vgg16": "vgg16.weights.h5",
        "mobilenet_0.25_128": "random",
        "fake": None,
    }


@pytest.mark.real
@pytest.mark.skipif(not (SHARED / "data/cats").is_dir(), reason="../shared is absent")
def test_a_real_network_and_a_real_run(tmp_path: Path) -> None:
    only = [part for name in ("extraction", "label_image") for part in ("--only", name)]  # the latter makes a run
    options = ["--image_dir", SHARED / "data/cats", "--photos", 36, "--architecture", "mobilenet_0.25_128"]
    options += ["--repeat", 1]
    result = run_bench(tmp_path, *options, *only)
    assert result.exit_code == 0, result.output
    assert "random weights" in result.output
    rows = rows_of(tmp_path)
    check_ratios(rows)
    compared = {row["of"] for row in rows if row["what"] == "extract, end to end"}
    assert {"one photo at a time", "keras predict, batch by batch"} < compared
    one = next(row for row in rows if row["what"] == "one photo, seconds")
    assert one["ratio"] > 1 and one["of"] == "import of numpy and Pillow, seconds"
