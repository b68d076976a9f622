"""`research/judge_intervals.py`: what is planted, and what is called the truth."""

import numpy as np
import pytest
from stand_ins import bottlenecks_of

from research import judge_intervals as script
from retrain.bottlenecks.bottlenecks import Bottlenecks
from retrain.bottlenecks.extraction import Extraction
from retrain.photos.dataset import Photo
from retrain.photos.split import SplitConfig


@pytest.fixture
def bottlenecks() -> Bottlenecks:
    random = np.random.default_rng(0)
    classes = np.arange(120) % 3
    matrix = (random.normal(0, 1, (120, 6)) + 1.5 * np.eye(6)[classes]).astype(np.float32)
    photos = tuple(Photo(f"{n}.jpg", "abc"[n % 3], f"{n:064x}", gone=True) for n in range(120))
    return bottlenecks_of(Extraction(photos, matrix, (), 0, 120, 0, "f", {}), "abc")


def test_takes_of_a_subject_are_like_it_and_in_one_group(bottlenecks: Bottlenecks) -> None:
    planted, subjects = script.with_bursts(bottlenecks, takes=3, noise=0.1)
    assert len(planted.photos) == len(subjects) == pytest.approx(360, rel=0.2)
    assert set(np.bincount(subjects)) == {1, 2, 3, 4, 5}
    groups = np.array(SplitConfig().divide(planted.photos).groups)
    assert len(np.unique(groups)) == 120
    assert all(len(set(groups[subjects == one])) == 1 for one in range(120))
    noise = (planted.matrix - bottlenecks.matrix[subjects]) / bottlenecks.matrix.std(axis=0)
    first = np.diff(subjects, prepend=-1) > 0
    assert not noise[first].any() and noise[~first].std() == pytest.approx(0.1, rel=0.1)


def test_takes_without_names_are_known_to_nobody(bottlenecks: Bottlenecks) -> None:
    planted, _ = script.with_bursts(bottlenecks, takes=3, noise=0.1, named=False)
    assert len(set(SplitConfig().divide(planted.photos).groups)) == len(planted.photos)


def test_known_bursts_make_the_interval_wide_and_unknown_ones_the_figure_false(bottlenecks: Bottlenecks) -> None:
    said = [
        script.judge(*script.with_bursts(bottlenecks, takes, 0.05, named), drawn=60, seed=0)
        for takes, named in ((1, True), (4, True), (4, False))
    ]
    alone, known, unknown = said
    assert alone.effect < 1.5 < known.effect and unknown.effect == 1
    assert known.n > 3 * alone.n and unknown.n == known.n
    widths = [high - low for low, high in (one.interval for one in said)]
    assert widths[1] > 2 * widths[2]
    assert unknown.quoted > unknown.truth + 0.1 and not unknown.held and known.held
