"""The executor of this machine: what its batches and its reading ahead have to do with the result, and with memory."""

from dataclasses import replace
from pathlib import Path

import pytest
from extracting import FAKE, photo_bytes, run, write

from retrain.backbones.engines.base import BATCH
from retrain.bottlenecks.executors import local
from retrain.photos import reading as identify


def test_batches_threads_and_the_weights_path_change_no_fingerprint(
    cats: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = run(cats, store)
    monkeypatch.setattr(local, "BATCH", 4)
    monkeypatch.setattr(identify, "cores", lambda: 1)
    write(cats / "a" / "more.jpg", photo_bytes(50))
    again, _ = run(cats, store, replace(FAKE, weights_file=Path("elsewhere.h5")))
    assert (again.computed, again.fingerprint) == (1, first.fingerprint)


@pytest.mark.parametrize(("allowed", "ahead"), [(10**9, 100), (192 * 50, 50), (192, BATCH)])
def test_photos_that_wait_for_the_network_take_bounded_memory(
    allowed: int, ahead: int, cats: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    read_photos = local.read_photos
    monkeypatch.setattr(local, "read_photos", lambda *a: asked.append(a[-1]) or read_photos(*a))
    monkeypatch.setattr(local, "AHEAD", 100)
    monkeypatch.setattr(local, "AHEAD_BYTES", allowed)  # a photo of the fake backbone takes 8 x 8 x 3
    run(cats, store)
    assert asked == [ahead]
