"""What holds for every engine of the registry; what is special to one is tested beside its file."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from retrain.backbones.backbone import Backbone, find_backbone
from retrain.backbones.engines.base import BATCH, Engine, Vectors
from retrain.backbones.engines.kind import EngineKind
from retrain.backbones.engines.registry import ENGINES, KINDS, start_engine
from retrain.bottlenecks.probe import relative_error
from retrain.core.defaults import AUTO
from retrain.exports.proof.reference import network_engine

SIZE = 64
EVERYTHING = np.random.default_rng(0).integers(0, 256, (2 * BATCH + 3, SIZE, SIZE, 3), dtype=np.uint8)


def backbone_of(kind: EngineKind) -> Backbone:
    weights = None if kind.architecture else "random"
    return find_backbone(kind.architecture or "mobilenet_0.25_128", Path("unused"), weights, image_size=SIZE)


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> EngineKind:
    found: EngineKind = request.param
    if found.package:
        pytest.importorskip(found.package)
    return found


@pytest.fixture(scope="module")
def engine(kind: EngineKind) -> Engine:
    return start_engine(backbone_of(kind), AUTO if kind.architecture else kind.name)


@pytest.fixture(scope="module")
def answers(engine: Engine) -> Vectors:
    return engine(EVERYTHING)


def test_it_can_be_asked_for_by_name_unless_it_is_one_backbone_s_own(kind: EngineKind) -> None:
    assert (kind.name in ENGINES) == (not kind.architecture)
    assert "float32" in kind.precisions


def test_it_gives_what_the_network_does(kind: EngineKind, answers: Vectors) -> None:
    from retrain.backbones.network import kept_network

    backbone = backbone_of(kind)
    expected = network_engine(kept_network(backbone))(EVERYTHING)
    assert answers.shape == (len(EVERYTHING), backbone.dim) and answers.dtype == np.float32
    assert relative_error(answers, expected) < 1e-5


@pytest.mark.parametrize("photos", [1, 4, BATCH - 1, BATCH, BATCH + 1])
def test_a_photo_s_row_does_not_depend_on_the_others(photos: int, engine: Engine, answers: Vectors) -> None:
    """Alone, in a last batch that is not full, and in several batches."""
    vectors = engine(EVERYTHING[5 : 5 + photos])
    assert vectors.shape == answers[5 : 5 + photos].shape
    assert relative_error(vectors, answers[5 : 5 + photos]) < 1e-5
    assert relative_error(vectors[:1], answers[4:5]) > 1e-3  # rows do differ


def test_a_later_call_leaves_earlier_results_alone(engine: Engine) -> None:
    first = engine(EVERYTHING[:5])
    kept = first.copy()
    engine(255 - EVERYTHING[:5])
    np.testing.assert_array_equal(first, kept)


def test_several_threads_get_what_one_does(engine: Engine, answers: Vectors) -> None:
    parts = [EVERYTHING[start : start + 7] for start in range(0, len(EVERYTHING), 7)]
    with ThreadPoolExecutor(4) as threads:
        vectors = np.concatenate(list(threads.map(engine, parts)))
    assert relative_error(vectors, answers) < 1e-5


@pytest.mark.parametrize(
    "wrong",
    [EVERYTHING[:2, :, :32], EVERYTHING[:2, :, :, :1], EVERYTHING[0], EVERYTHING[:2].astype(np.float32)],
    ids=["other size", "gray", "no batch", "no bytes"],
)
def test_what_is_no_batch_of_its_photos_is_refused(wrong: np.ndarray, engine: Engine) -> None:
    with pytest.raises(ValueError, match=r"instead of uint8 \(64, 64, 3\)"):
        engine(wrong)
