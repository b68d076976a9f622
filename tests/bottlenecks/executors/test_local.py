"""The executor of this machine: what its batches and its reading ahead have to do with the result, and with memory."""

import itertools
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from extracting import FAKE, list_photos, photo_bytes, run, write

from label_image.preprocessing import Pixels
from retrain.backbones.backbone import Backbone
from retrain.backbones.engines.base import BATCH, Engine, Vectors
from retrain.backbones.engines.registry import start_engine
from retrain.bottlenecks.executors import local
from retrain.bottlenecks.extraction import extract
from retrain.bottlenecks.shards import Key
from retrain.bottlenecks.store import Store
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


def test_a_batch_is_kept_while_the_network_runs_on_the_next(
    cats: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for the first, with which the network is started. No photo gets the bottleneck of one that came later."""
    for number in range(6):
        write(cats / "b" / f"more{number}.jpg", photo_bytes(60 + number))
    expected, _ = run(cats, store.with_name("another"))
    monkeypatch.setattr(local, "BATCH", 2)
    running = [threading.Event() for _ in range(6)]
    calls, puts = iter(running), itertools.count(1)
    put_many = Store.put_many

    def start_telling(backbone: Backbone) -> Engine:
        engine = start_engine(backbone)

        def run_network(pixels: Pixels) -> Vectors:
            if len(pixels) == 2:  # and not the three of the probe
                next(calls).set()
            return engine(pixels)

        return run_network

    def put(self: Store, keys: Sequence[Key], vectors: Vectors) -> None:
        if len(keys) == 2:
            number = next(puts)
            assert number in (1, 6) or running[number].wait(60)
        put_many(self, keys, vectors)

    monkeypatch.setattr(Store, "put_many", put)
    found = extract(list_photos(cats), FAKE, store, start=start_telling)
    assert (found.computed, next(puts)) == (12, 7)
    assert np.array_equal(found.matrix, expected.matrix)
