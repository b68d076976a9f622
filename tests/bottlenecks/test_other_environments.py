"""Bottlenecks of environments whose numbers differ are kept apart."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from extracting import FAKE, Counter, assert_true, average_colour, damage, list_photos, photo_bytes, run, write
from pyarrow.parquet import read_metadata
from shard_files import list_shards

from retrain.backbones.engines.base import Vectors
from retrain.bottlenecks.extraction import Extraction, extract
from retrain.core.errors import StoreError

# Environments whose numbers differ


def drifted(cats: Path, store: Path, change: Callable[[Vectors], Vectors]) -> tuple[Extraction, Counter]:
    counter = Counter(change)
    return extract(list_photos(cats), FAKE, store, start=counter.start), counter


def test_an_environment_with_other_numbers_is_kept_apart_aloud(
    cats: Path, store: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, _ = run(cats, store)
    write(cats / "a" / "new.jpg", photo_bytes(100))
    second, counter = drifted(cats, store, lambda vectors: vectors * np.float32(1.5))
    assert (second.hits, second.computed, counter.photos) == (0, 7, 7)  # not one old row among them
    assert "differ from this one's by 0.5" in caplog.text
    assert second.fingerprint != first.fingerprint
    for photo, row in zip(second.photos, second.matrix, strict=True):
        np.testing.assert_allclose(row, 1.5 * average_colour(Path(photo.path).read_bytes()), atol=3e-6)
    third, counter = drifted(cats, store, lambda vectors: vectors * np.float32(1.5))
    assert (third.computed, third.fingerprint) == (0, second.fingerprint)
    assert np.array_equal(third.matrix, second.matrix)
    again, _ = run(cats, store)
    assert (again.hits, again.computed, again.fingerprint) == (6, 1, first.fingerprint)
    assert_true(again)


def test_a_third_environment_gets_a_fingerprint_of_its_own(cats: Path, store: Path) -> None:
    prints = set()
    for number, factor in enumerate((1, 1.5, 2)):
        write(cats / "a" / f"new{number}.jpg", photo_bytes(100 + number))
        extraction, _ = drifted(cats, store, lambda vectors, factor=factor: vectors * np.float32(factor))
        prints.add(extraction.fingerprint)
    assert len(prints) == 3


def test_shards_set_aside_are_counted_in_every_store_that_was_asked(cats: Path, store: Path) -> None:
    first, _ = run(cats, store)
    damage(max(list_shards(store / first.fingerprint), key=lambda path: read_metadata(path).num_rows))
    drift, _ = drifted(cats, store, lambda vectors: vectors * np.float32(1.5))
    assert (drift.computed, drift.set_aside) == (6, 1)


def test_another_environment_is_seen_whichever_shard_is_damaged(cats: Path, store: Path) -> None:
    first, _ = run(cats, store)
    probe_shard = min(list_shards(store / first.fingerprint), key=lambda path: read_metadata(path).num_rows)
    damage(probe_shard)
    write(cats / "a" / "new.jpg", photo_bytes(100))
    drift, _ = drifted(cats, store, lambda vectors: vectors * np.float32(1.5))
    assert drift.fingerprint != first.fingerprint
    assert (drift.hits, drift.computed, drift.set_aside) == (0, 7, 1)  # none of the first environment's among them


def test_numbers_that_differ_as_another_cpu_s_do_are_the_same_environment(
    cats: Path, store: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, _ = run(cats, store)
    write(cats / "a" / "new.jpg", photo_bytes(100))
    second, _ = drifted(cats, store, lambda vectors: vectors * np.float32(1 + 1e-4))
    assert (second.hits, second.computed, second.fingerprint) == (6, 1, first.fingerprint)
    assert not caplog.records


def test_numbers_that_are_not_finite_are_refused(cats: Path, store: Path) -> None:
    with pytest.raises(StoreError, match="not finite"):
        drifted(cats, store, lambda vectors: vectors * np.float32(np.nan))
