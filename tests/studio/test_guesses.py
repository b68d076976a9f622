"""What is said of photos that wait for a label, and in which order."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from extracting import average_colour
from painting import paint, paint_classes

from retrain.studio.config import StudioConfig
from retrain.studio.guesses import AHEAD, APART, PLACED, guesses, in_order
from retrain.studio.listing import list_folder
from retrain.studio.seeing import Eye
from retrain.studio.training import train

RED, GREEN = np.array([220, 30, 30]), np.array([30, 200, 30])


def between(share: float) -> list[int]:
    return [int(part) for part in RED * (1 - share) + GREEN * share]


@pytest.fixture
def eye(open_eye: Callable[[], Eye]) -> Eye:
    return open_eye()


def test_the_most_uncertain_come_first(folder: Path, config: StudioConfig, eye: Eye) -> None:
    paint_classes(folder, {"red": RED, "green": GREEN}, range(10))
    for name, share in (("like red", 0.0), ("between", 0.5), ("rather green", 0.7), ("like green", 1.0)):
        paint(folder / f"{name}.png", between(share))
    listing = list_folder(folder)
    seen = eye.see(listing)
    trained = train(seen, config)
    found = guesses(seen, trained)
    named = {listing.by_id[guess.id].name.removesuffix(".png"): guess for guess in found}
    assert [listing.by_id[guess.id].name for guess in found][:2] == ["between.png", "rather green.png"]
    assert named["like red"].label == "red"
    assert named["like green"].label == named["rather green"].label == "green"
    for guess in found:
        assert guess.margin == pytest.approx(2 * guess.probability - 1, abs=1e-6)  # of two classes


def test_they_are_what_the_exported_head_says(folder: Path, config: StudioConfig, eye: Eye) -> None:
    paint_classes(folder, {"red": RED, "green": GREEN}, range(10))
    paint(folder / "known.png", RED)
    paint(folder / "strange.png", "blue")
    listing = list_folder(folder)
    seen = eye.see(listing)
    trained = train(seen, config)
    for guess in guesses(seen, trained):
        vector = average_colour(Path(listing.by_id[guess.id].file.path).read_bytes())[np.newaxis]
        assert guess.probability == pytest.approx(trained.head.probabilities(vector).max(), abs=1e-5)
        assert guess.unknown == listing.by_id[guess.id].name.startswith("strange")


def test_photos_that_cannot_be_used_or_have_a_label_are_not_asked_about(
    folder: Path, config: StudioConfig, eye: Eye
) -> None:
    paint_classes(folder, {"red": RED, "green": GREEN}, range(5))
    seen = eye.see(list_folder(folder))
    trained = train(seen, config)
    assert guesses(seen, trained) == ()
    (folder / "broken.jpg").write_bytes(b"no photo")
    assert guesses(eye.see(list_folder(folder)), trained) == ()


def test_photos_that_look_nearly_the_same_are_not_asked_about_one_after_the_other() -> None:
    random = np.random.default_rng(0)
    scenes = np.repeat(random.normal(size=(30, 50)), 3, axis=0)  # bursts of three
    vectors = (scenes + random.normal(0, 0.1, scenes.shape)).astype(np.float32)
    margins = np.linspace(0, 1, 90).astype(np.float32)  # those of one burst have nearly the same
    order = in_order(margins, vectors)
    large = (100 * vectors).astype(np.float16)  # as a large store keeps them: their squares are infinite
    with np.errstate(over="ignore"):
        assert np.isinf((large[:1] ** 2).sum())
    assert in_order(margins, large).tolist() == order.tolist()
    assert sorted(order) == list(range(90))
    assert order[0] == 0
    for place in range(60):
        assert order[place] // 3 not in order[max(0, place - APART) : place] // 3


def test_where_all_look_the_same_the_margin_decides() -> None:
    margins = np.random.default_rng(0).random(700).astype(np.float32)
    assert in_order(margins, np.ones((700, 4), np.float32)).tolist() == np.argsort(margins).tolist()
    assert in_order(margins[:0], np.ones((0, 4), np.float32)).tolist() == []


def test_of_very_many_all_have_a_place() -> None:
    random = np.random.default_rng(0)
    margins, vectors = random.random(5000).astype(np.float32), random.normal(size=(5000, 8)).astype(np.float32)
    order = in_order(margins, vectors)
    assert sorted(order) == list(range(5000))
    assert order[PLACED + AHEAD :].tolist() == np.argsort(margins)[PLACED + AHEAD :].tolist()
