import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from label_image.installing import how_to_install
from retrain.core.errors import ExportError, OptionError
from retrain.runs.compare_scratch import points_are
from retrain.training.metrics import measure
from retrain.training.on_photos import curves
from retrain.training.on_photos.curves import draw_curves
from retrain.training.on_photos.timed_curve import Contender, CurvePoint

METRICS = measure(np.zeros((0, 2), np.float32), np.zeros(0, np.intp), ("a", "b"))


def contender(name: str, seconds: list[float], accuracies: list[float]) -> Contender:
    points = tuple(
        CurvePoint(at, None if at == 0 else one + 0.05, one, None if at == 0 else 2 * (1 - one), 2.2 * (1 - one))
        for at, one in zip(seconds, accuracies, strict=True)
    )
    return Contender(name, 10, 10, METRICS, seconds[-1], points, "an epoch")


CONTENDERS = (
    contender("transfer", [20, 21, 22], [0.80, 0.86, 0.88]),
    contender("scratch", [0, 60, 120], [0.1, 0.3, 0.4]),
)


def test_a_png_shows_both_colours(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    with Image.open(draw_curves(CONTENDERS, tmp_path / "new" / "curves.png")) as image:
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
    for colour in curves.COLOURS[:2]:
        wanted = [int(colour[start : start + 2], 16) for start in (1, 3, 5)]
        assert (pixels == wanted).all(axis=1).sum() > 200
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["curves.png"]


def test_an_svg_is_text_and_the_same_each_time(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    one, other = (draw_curves(CONTENDERS, tmp_path / f"{name}.svg").read_text() for name in "ab")
    assert one == other
    for word in ("seconds of training", "accuracy", "cross-entropy", "transfer, validation", "scratch, training"):
        assert word in one


def test_a_curve_of_one_point_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    drawn = draw_curves((contender("transfer", [1], [0.9]), CONTENDERS[1]), tmp_path / "curves.svg").read_text()
    of_validation = rf"<use [^>]*fill: {curves.COLOURS[0]}"
    assert len(re.findall(of_validation, drawn)) == 3  # accuracy, cross-entropy, and in the legend


def test_without_matplotlib_it_says_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curves, "find_spec", lambda name: None)
    with pytest.raises(OptionError, match=re.escape(how_to_install("report"))):
        draw_curves(CONTENDERS, tmp_path / "curves.png")


def test_another_suffix_and_a_place_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    with pytest.raises(OptionError, match=r"\.png or \.svg"):
        draw_curves(CONTENDERS, tmp_path / "curves.jpg")
    (tmp_path / "file").write_text("x")
    with pytest.raises(ExportError, match="cannot be written"):
        draw_curves(CONTENDERS, tmp_path / "file" / "curves.png")


def test_points_are_named_after_what_trained_the_head(make_run) -> None:
    assert points_are(make_run("ab", each=20).trained) == "a head fitted at one L2 penalty"
    assert points_are(make_run("ab", each=20, how_many_training_steps=20).trained) == "an evaluation"


def test_the_legend_fits_the_picture(make_run, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    words = points_are(make_run("ab", each=20).trained)
    contenders = (replace(CONTENDERS[0], points_are=words), replace(CONTENDERS[1], name="from scratch"))
    with Image.open(draw_curves(contenders, tmp_path / "curves.png")) as image:
        pixels = np.asarray(image.convert("L"))
    legend = pixels[-70:]
    assert legend.min() < 100, "there is a legend"
    assert legend[:, :4].min() > 250 and legend[:, -4:].min() > 250
