"""All executors behave alike: the bottlenecks of one are those of every other, photo by photo."""

import io
import pickle
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from label_image.on_ray import RayConfig, connected
from label_image.preprocessing import Pixels
from retrain.backbones.backbone import Backbone, find_backbone
from retrain.backbones.engines.base import Engine, Vectors
from retrain.backbones.engines.registry import start_engine
from retrain.bottlenecks.executors.base import Batch, Executor, Session, StartEngine, Work
from retrain.bottlenecks.executors.local import Local
from retrain.bottlenecks.executors.ray import Ray
from retrain.bottlenecks.executors.registry import EXECUTORS, find_executor
from retrain.bottlenecks.extraction import Extraction, extract, extract_views
from retrain.bottlenecks.extraction_config import ExtractionConfig
from retrain.core.errors import StoreError
from retrain.photos.dataset import Dataset
from retrain.photos.opening import list_photos
from retrain.photos.views import ORIGINAL, Augmentation, View

FAKE = find_backbone("fake", Path("no-models"))
PHOTOS = 70  # more than two batches
STARTED = "started"  # a file that a started engine leaves, wherever it runs


class Pickled:
    """What `Local` gives for what has been pickled: all that an executor is told can go to another process."""

    @contextmanager
    def open(self, backbone: Backbone, start: StartEngine) -> Iterator[Session]:
        backbone, start = pickle.loads(pickle.dumps((backbone, start)))
        with Local().open(backbone, start) as session:
            yield PickledSession(session)


class PickledSession:
    keeps = False

    def __init__(self, session: Session) -> None:
        self.embed = session.embed
        self.session = session

    def run(self, work: Work) -> Generator[Batch, None, None]:
        for batch in self.session.run(pickle.loads(pickle.dumps(work))):
            computed = batch.vectors() if batch.sha256s else None
            photos, sha256s, vectors = pickle.loads(pickle.dumps((batch.photos, batch.sha256s, computed)))
            yield Batch(photos, sha256s, lambda vectors=vectors: vectors)  # type: ignore[misc]


class Starter:
    """Starts an engine of a fault's kind, and leaves a line about it; it can be pickled."""

    def __init__(self, folder: Path, fault: str = "") -> None:
        self.folder, self.fault = folder, fault

    def __call__(self, backbone: Backbone) -> Engine:
        with open(self.folder / STARTED, "a") as file:
            file.write("once\n")
        engine = start_engine(backbone)
        calls = iter(range(1000))

        def run(pixels: Pixels) -> Vectors:
            if self.fault and next(calls) > 1:  # after the probe and a batch
                raise StoreError(self.fault)
            return engine(pixels)

        return run

    def starts(self) -> int:
        path = self.folder / STARTED
        return len(path.read_text().splitlines()) if path.exists() else 0


@pytest.fixture(scope="module")
def ray_here() -> Iterator[None]:
    """Ray on this machine, for all tests: it takes seconds to start."""
    pytest.importorskip("ray", reason="Ray is not installed")
    with connected(RayConfig(cores=1)):
        yield


@pytest.fixture(params=[*EXECUTORS, "pickled"])
def executor(request: pytest.FixtureRequest) -> Executor:
    if request.param == "ray":
        request.getfixturevalue("ray_here")
    return Pickled() if request.param == "pickled" else find_executor(ExtractionConfig(executor=request.param))


@pytest.fixture
def starter(tmp_path: Path) -> Starter:
    return Starter(tmp_path)


@pytest.fixture
def photos(tmp_path: Path) -> Dataset:
    for number in range(PHOTOS):
        save(tmp_path / "photos" / "ab"[number % 2] / f"{number:02}.png", number)
    return list_photos(tmp_path / "photos")


def with_probe(executor: Executor) -> int:
    """How many networks are started for the probe alone: workers that write have to know the store before."""
    return int(isinstance(executor, Ray))


def save(path: Path, shade: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = io.BytesIO()
    Image.new("RGB", (9, 9), (shade, 2 * shade, 255 - shade)).save(file, "PNG")
    path.write_bytes(file.getvalue())


def assert_true(extraction: Extraction) -> None:
    for photo, row in zip(extraction.photos, extraction.matrix, strict=True):
        mean = FAKE.preprocessing.pixels(Path(photo.path).read_bytes()).astype(np.float64).mean(axis=(0, 1))
        np.testing.assert_allclose(row, mean / 127.5 - 1, atol=2e-6)


def test_each_photo_gets_its_own_bottleneck_from_a_network_that_is_started_once(
    executor: Executor, photos: Dataset, starter: Starter, tmp_path: Path
) -> None:
    done: list[tuple[int, int]] = []
    found = extract(
        photos, FAKE, tmp_path / "store", start=starter, executor=executor, observe=lambda *now: done.append(now)
    )
    assert [photo.path for photo in found.photos] == [file.path for file in photos.files]
    assert (found.computed, found.hits, starter.starts()) == (PHOTOS, 0, 1 + with_probe(executor))
    assert done == sorted(done) and done[-1] == (PHOTOS, PHOTOS)
    assert_true(found)


def test_what_the_store_has_starts_no_network(
    executor: Executor, photos: Dataset, starter: Starter, tmp_path: Path
) -> None:
    first = extract(photos, FAKE, tmp_path / "store", executor=executor)
    for paranoid in (False, True):
        again = extract(photos, FAKE, tmp_path / "store", start=starter, executor=executor, paranoid=paranoid)
        assert (again.computed, again.hits, starter.starts()) == (0, PHOTOS, 0)
        assert np.array_equal(again.matrix, first.matrix)


def test_copies_are_computed_once_and_problems_are_told_of_each_file(
    executor: Executor, photos: Dataset, tmp_path: Path
) -> None:
    for name in ("a/copy.png", "b/copy.png"):
        save(tmp_path / "photos" / name, 3)
    for name in ("a/broken.png", "b/broken.png"):
        (tmp_path / "photos" / name).write_bytes(b"no photo")
    listing = list_photos(tmp_path / "photos")
    gone = tmp_path / "photos/a/00.png"
    gone.unlink()
    found = extract(listing, FAKE, tmp_path / "store", executor=executor)
    assert (found.computed, len(found.photos)) == (PHOTOS - 1, PHOTOS + 1)
    reasons = {Path(item.path).relative_to(tmp_path / "photos").as_posix(): item.reason for item in found.skipped}
    assert reasons.keys() == {"a/00.png", "a/broken.png", "b/broken.png"}
    assert reasons["a/broken.png"] == reasons["b/broken.png"] != reasons["a/00.png"]
    assert_true(found)


def test_photos_that_cannot_be_decoded_start_no_network(executor: Executor, starter: Starter, tmp_path: Path) -> None:
    for name in ("a/1.png", "b/2.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"no photo")
    found = extract(list_photos(tmp_path), FAKE, tmp_path / ".store", start=starter, executor=executor)
    assert (found.photos, len(found.skipped), starter.starts()) == ((), 2, 0)


def test_a_photo_that_cannot_be_decoded_asks_for_no_network_again(
    executor: Executor, photos: Dataset, starter: Starter, tmp_path: Path
) -> None:
    (tmp_path / "photos/a/broken.png").write_bytes(b"no photo")
    listing = list_photos(tmp_path / "photos")
    extract(listing, FAKE, tmp_path / "store", executor=executor)
    again = extract(listing, FAKE, tmp_path / "store", start=starter, executor=executor)
    assert (again.computed, len(again.photos), len(again.skipped), starter.starts()) == (0, PHOTOS, 1, 0)
    assert_true(again)


def test_all_views_are_computed_by_one_network(
    executor: Executor, photos: Dataset, starter: Starter, tmp_path: Path
) -> None:
    views = [ORIGINAL, View(Augmentation(random_brightness=50), 1), View(Augmentation(random_brightness=50), 2)]
    found, matrix = extract_views(photos, FAKE, tmp_path / "store", views, start=starter, executor=executor)
    networks = 1 + 3 if with_probe(executor) else 1  # Ray Data makes its workers anew for each view
    assert (found.computed, starter.starts(), matrix.shape) == (3 * PHOTOS, networks, (3 * PHOTOS, 3))
    local, same = extract_views(photos, FAKE, tmp_path / "other store", views)
    assert np.array_equal(matrix, same) and local.fingerprint == found.fingerprint


def test_a_failure_of_the_network_is_raised_and_what_was_computed_is_kept(
    executor: Executor, photos: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(StoreError, match="the cable was pulled"):
        extract(photos, FAKE, tmp_path / "store", start=Starter(tmp_path, "the cable was pulled"), executor=executor)
    again = extract(photos, FAKE, tmp_path / "store", executor=executor)
    assert 0 < again.hits < PHOTOS and again.hits + again.computed == PHOTOS
    assert_true(again)


def test_a_store_that_cannot_be_written_is_told_of_in_its_own_sentence(
    executor: Executor, photos: Dataset, tmp_path: Path
) -> None:
    """Infinite numbers are refused where they are written, on Ray by the worker."""
    with pytest.raises(StoreError, match=r"is not finite as float32: check the weights") as refused:
        extract(photos, FAKE, tmp_path / "store", start=start_infinite, executor=executor)
    assert "Ray" not in str(refused.value)


def start_infinite(backbone: Backbone) -> Engine:
    """An engine of which all numbers but the probe's are infinite."""
    engine = start_engine(backbone)
    return lambda pixels: engine(pixels) if len(pixels) == 3 else engine(pixels) + np.float32(np.inf)


def test_another_environment_gets_a_place_of_its_own(executor: Executor, photos: Dataset, tmp_path: Path) -> None:
    first = extract(photos, FAKE, tmp_path / "store", executor=executor)
    save(tmp_path / "photos/a/new.png", 200)
    found = extract(
        list_photos(tmp_path / "photos"), FAKE, tmp_path / "store", start=start_half_as_bright, executor=executor
    )
    assert (found.hits, found.computed) == (0, PHOTOS + 1) and found.fingerprint != first.fingerprint


def start_half_as_bright(backbone: Backbone) -> Engine:
    engine = start_engine(backbone)
    return lambda pixels: engine(pixels // 2)
