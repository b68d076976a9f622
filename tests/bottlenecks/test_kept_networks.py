"""A network that NNCF has calibrated computes what it promises, and is looked after with the bottlenecks of a store."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from in_int8 import INT8, Quantiser, by, some_photos

from retrain.backbones.backbone import Backbone
from retrain.bottlenecks.calibrating import LEAST
from retrain.bottlenecks.extraction import Extraction, extract
from retrain.bottlenecks.merging import merge_stores
from retrain.bottlenecks.probe import relative_error
from retrain.bottlenecks.pruning import plan_pruning, prune_store
from retrain.photos.dataset import Dataset
from retrain.photos.opening import list_photos


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Extraction]]:
    """A folder with photos, and a store with their bottlenecks in int8, by a network that NNCF has calibrated."""
    pytest.importorskip("nncf", reason="NNCF is not installed: `make cluster`")
    folder = tmp_path_factory.mktemp("int8")
    listing = list_photos(some_photos(folder / "photos", LEAST + 3))
    yield folder, extract(listing, INT8, folder / "store")


def in_int8(folder: Path, store: str = "store") -> Extraction:
    return extract(list_photos(folder / "photos"), INT8, folder / store)


def test_int8_is_another_arithmetic_for_the_same_features(computed: tuple[Path, Extraction]) -> None:
    folder, first = computed
    exact = extract(list_photos(folder / "photos"), INT8.in_float32(), folder / "float32")
    assert first.fingerprint != exact.fingerprint
    assert 1e-4 < relative_error(first.matrix, exact.matrix) < 0.5


def test_no_sum_overflows_on_this_cpu(computed: tuple[Path, Extraction]) -> None:
    """By the kernels of int8 the network gives what it gives with its int8 simulated in float32."""
    openvino = pytest.importorskip("openvino", reason="OpenVINO is not installed: `make setup`")
    folder, first = computed
    network = by(folder / "photos", folder / "store").calibrated
    assert network is not None
    core = openvino.Core()
    simulated = core.compile_model(
        core.read_model(*network.read()[:2]), "CPU", {"INFERENCE_PRECISION_HINT": "f32", "LP_TRANSFORMS_MODE": "NO"}
    )
    pixels = [INT8.preprocessing.pixels(Path(photo.path).read_bytes()) for photo in first.photos[:32]]
    batches = [np.stack(pixels[start : start + 4]) for start in range(0, 32, 4)]
    expected = np.concatenate([simulated([batch])[0] for batch in batches])
    assert relative_error(first.matrix[:32], expected) < 0.35  # 0.11, and 0.7 with 8 bits on a CPU with AVX2 alone


def test_the_same_photos_give_the_same_bottlenecks(computed: tuple[Path, Extraction]) -> None:
    folder, first = computed
    again = in_int8(folder, "again")
    assert (again.fingerprint, again.computed) == (first.fingerprint, LEAST + 3)
    np.testing.assert_array_equal(again.matrix, first.matrix)
    warm = extract(list_photos(folder / "photos"), INT8, folder / "store", start=no_engine)
    assert (warm.fingerprint, warm.hits) == (first.fingerprint, LEAST + 3)


def test_more_photos_go_through_the_network_of_before(computed: tuple[Path, Extraction], tmp_path: Path) -> None:
    folder, first = computed
    shutil.copytree(folder / "store", tmp_path / "store")
    some_photos(tmp_path / "photos", 3, first=200)
    grown = in_int8(tmp_path)  # fewer than a network could be calibrated on
    assert (grown.fingerprint, grown.computed) == (first.fingerprint, 3)


def no_engine(backbone: Backbone) -> None:
    raise AssertionError("nothing has to be computed")


def test_a_network_is_merged_with_its_bottlenecks(computed: tuple[Path, Extraction], tmp_path: Path) -> None:
    folder, first = computed
    assert merge_stores([folder / "store"], tmp_path / "store").copied
    shutil.copytree(folder / "photos", tmp_path / "photos")
    merged = in_int8(tmp_path)
    assert (merged.fingerprint, merged.computed) == (first.fingerprint, 0)


def test_bottlenecks_of_another_network_are_not_merged(
    computed: tuple[Path, Extraction], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, first = computed
    Quantiser(monkeypatch)
    by(some_photos(tmp_path / "photos", LEAST, first=300), tmp_path / "store")
    merged = merge_stores([folder / "store"], tmp_path / "store")
    assert [Path(path).name for path in merged.other_numbers] == [first.fingerprint]
    assert not (tmp_path / "store" / first.fingerprint).exists()


def test_a_damaged_network_is_named_and_its_bottlenecks_are_not_merged(
    computed: tuple[Path, Extraction], tmp_path: Path
) -> None:
    folder, first = computed
    shutil.copytree(folder / "store", tmp_path / "other")
    (file,) = (tmp_path / "other" / "calibrated").rglob("*.parquet")
    file.write_bytes(b"damaged")
    merged = merge_stores([tmp_path / "other"], tmp_path / "store")
    assert [str(one.path) for one in merged.damaged] == [str(file)]
    assert not (tmp_path / "store" / first.fingerprint).exists()


def test_a_network_goes_with_the_last_of_its_bottlenecks(computed: tuple[Path, Extraction], tmp_path: Path) -> None:
    folder, first = computed
    shutil.copytree(folder / "store", tmp_path / "store")
    extract(Dataset(()), INT8.in_float32(), tmp_path / "store")
    other = next(
        path.name
        for path in (tmp_path / "store").iterdir()
        if path.name not in (first.fingerprint, "calibrated") and path.is_dir()
    )
    prune_store(plan_pruning(tmp_path / "store", None, [first.fingerprint]))
    assert list((tmp_path / "store" / "calibrated").rglob("*.parquet"))
    extract(Dataset(()), INT8.in_float32(), tmp_path / "store")
    prune_store(plan_pruning(tmp_path / "store", None, [other]))
    assert not list((tmp_path / "store" / "calibrated").rglob("*.parquet"))
