"""Photos that are labelled by Ray: the tables are those of this machine alone, byte for byte."""

from pathlib import Path

import pytest
from labelling import label
from painting import paint

from label_image.many import by_ray
from label_image.many.by_ray import block_length


@pytest.mark.parametrize(
    ("seconds", "photos", "cores", "length"),
    [
        (0.02, None, 8, 100),  # two seconds of work
        (1e-9, None, 8, 4096),
        (9.0, None, 8, 16),
        (1e-4, 1000, 8, 32),  # four blocks for each core
        (1e-4, 3, 8, 1),
    ],
)
def test_a_block_is_some_seconds_of_work(seconds: float, photos: int | None, cores: int, length: int) -> None:
    assert block_length(seconds, photos, cores) == length


@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.*")
def test_tables_are_the_same(model: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray.data", reason="Ray is not installed: the extra `ray`")
    for number in range(60):
        paint(photos / f"more/{number}.jpg", (number * 4, 60, 250 - number * 4))
    monkeypatch.setattr(by_ray, "SAMPLE", 2)
    monkeypatch.setattr(by_ray, "PORTION", 40)
    label(model, "photos", "--csv", "here.csv", "--parquet", "here.parquet", code=1)
    said = label(
        model,
        "photos",
        "--csv",
        "there.csv",
        "--parquet",
        "there.parquet",
        "--copy_to",
        "out",
        "--executor",
        "ray",
        code=1,
    )
    assert "65 photos:" in said.out
    assert len(list(Path("out").rglob("*.*"))) == 64
    label(model, "photos", "--csv", "sorted.csv", "--copy_to", "out", code=1)
    assert Path("sorted.csv").read_bytes() == Path("there.csv").read_bytes()
    again = label(model, "photos", "--csv", "here.csv", "--parquet", "there.parquet", "--executor", "ray", code=1)
    assert "(what was there is" not in again.out.partition("there.parquet")[0], "here.csv was replaced by another"
