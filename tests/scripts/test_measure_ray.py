"""scripts/measure_ray.py at a small size: its figures fit together, and wrong results are no figures."""

import json
from collections.abc import Sequence
from pathlib import Path

import bench_measuring
import measure_ray
import pytest
from click.testing import CliRunner, Result
from PIL import Image


def run(*options: object) -> Result:
    return CliRunner().invoke(measure_ray.main, [*map(str, options)], catch_exceptions=False)


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Runs that take no time: a second to start here and 5 with Ray, and a millisecond for a photo."""
    called: list[list[str]] = []

    def run_process(command: Sequence[str | Path]) -> bench_measuring.Process:
        called.append([str(part) for part in command])
        count = sum(1 for _ in measure_ray._rows(Path(command[4])))
        store = Path(command[command.index("--bottleneck_dir") + 1])
        store.mkdir()  # what is left of the run before would be found
        seconds = count / 1000 + (5 if "ray" in command else 1)
        return bench_measuring.Process(seconds, 100.0, "\n" + json.dumps({"bottlenecks": {"computed": count}}))

    monkeypatch.setattr(measure_ray, "run_process", run_process)
    return called


def test_rates_are_of_what_is_more_than_before(tmp_path: Path, processes: list[list[str]]) -> None:
    result = run("--sizes", "1000,3000", "--folder", tmp_path, "--output", tmp_path / "out.json")
    assert result.exit_code == 0, result.output
    assert "overhead     1,000: +200.0%" in result.output and "overhead     3,000: +100.0%" in result.output
    found = json.loads((tmp_path / "out.json").read_text())
    assert [(one["executor"], one["photos"]) for one in found] == [
        (executor, count) for count in (1000, 3000) for executor in ("local", "ray")
    ]
    assert [round(one["rate"]) for one in found] == [500, 167, 1000, 1000]
    assert [command[-2:] for command in processes] == [["--executor", name] for name in ("local", "ray")] * 2
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]


def test_a_cluster_is_for_ray_alone(tmp_path: Path, processes: list[list[str]]) -> None:
    run("--sizes", "10", "--folder", tmp_path, "--ray_address", "127.0.0.1:6379")
    assert [command[-1] for command in processes] == ["local", "127.0.0.1:6379"]


def test_photos_left_out_are_no_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = bench_measuring.Process(1.0, 1.0, json.dumps({"bottlenecks": {"computed": 9}}))
    monkeypatch.setattr(measure_ray, "run_process", lambda command: said)
    result = run("--sizes", "10", "--folder", tmp_path)
    assert result.exit_code == 1 and "local: 9 of 10 bottlenecks were computed." in result.output


def test_another_table_is_no_figure(tmp_path: Path, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run_process(command: Sequence[str | Path]) -> bench_measuring.Process:
        Path(command[command.index("--parquet") + 1]).write_text(str(command[-1]))
        return bench_measuring.Process(1.0, 1.0, "")

    monkeypatch.setattr(measure_ray, "run_process", run_process)
    result = run("--sizes", "10", "--folder", tmp_path, "--model", trained)
    assert result.exit_code == 1 and "another table" in result.output


def test_each_photo_is_one_of_its_own(tmp_path: Path) -> None:
    table = measure_ray.make_photos(tmp_path / "photos", 1500)
    rows = list(measure_ray._rows(table))
    contents = {(tmp_path / path).read_bytes() for path, _ in rows}
    assert len(rows) == len(contents) == 1500 and len({label for _, label in rows}) == measure_ray.CLASSES
    with Image.open(tmp_path / rows[-1][0]) as image:
        image.load()
        assert image.size == (measure_ray.SIDE, measure_ray.SIDE)


def test_label_image_is_measured(tmp_path: Path, three_colours: Path) -> None:
    pytest.importorskip("ray.data", reason="Ray is not installed: `make ray`")
    result = run("--sizes", "60", "--folder", tmp_path, "--model", three_colours / "model")
    assert result.exit_code == 0, result.output
    assert "ray             60:" in result.output
