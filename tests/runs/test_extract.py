"""`retrain extract`: bottlenecks in portions, of folders, tables and addresses, and what a training finds of them."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from calling import call
from extracting import Counter, class_folders, photo_bytes, write
from failing_proxy import failing_proxy
from object_server import ObjectServer

from label_image import object_storage
from retrain.backbones.backbone_config import BackboneConfig
from retrain.backbones.engines.base import Engine, Vectors
from retrain.bottlenecks.extraction_config import ExtractionConfig
from retrain.cli.main import main
from retrain.core.errors import DatasetError, OptionError, StoreError
from retrain.photos.augmentation import Augmentation
from retrain.photos.views import ViewsConfig
from retrain.runs.extract import ExtractConfig, Extracted, run_extraction

FAKE = BackboneConfig("fake")


def run(
    store: Path | str, *sources: Path | str, start: Callable[..., Engine] | None = None, portion: int = 4
) -> Extracted:
    config = ExtractConfig(sources, FAKE, ExtractionConfig(store), portion=portion)
    return run_extraction(config, start=start)


def counts(extracted: Extracted) -> tuple[int, int, int]:
    return extracted.photos, extracted.computed, extracted.hits


def test_each_photo_is_computed_once_whatever_its_portion(tmp_path: Path) -> None:
    cats, counter = class_folders(tmp_path / "cats", 10), Counter()
    write(cats / "b" / "copy.jpg", photo_bytes(0))  # in another portion than the one it is a copy of
    assert counts(run(tmp_path / "store", cats, start=counter.start)) == (11, 10, 1)
    assert counts(run(tmp_path / "store", cats, start=counter.start)) == (11, 0, 11)
    assert counter.photos == 10
    assert counts(run(tmp_path / "store", cats, start=counter.start, portion=100)) == (11, 0, 11)


def test_the_classes_do_not_matter(tmp_path: Path) -> None:
    for name in ("1.jpg", "x/2.jpg", "x/y/3.jpg"):
        write(tmp_path / "heap" / name, photo_bytes(int(name[-5])))
    for name in ("readme.txt", "clip.mp4", ".hidden.jpg", "x/.hidden/4.jpg"):
        write(tmp_path / "heap" / name, b"1")
    extracted = run(tmp_path / "store", tmp_path / "heap")
    assert counts(extracted) == (3, 3, 0)
    assert extracted.skipped == {"is hidden": 2, "is not a photo, by its name": 1, "is a video": 1}


def test_what_cannot_be_read_is_counted_and_goes_on(tmp_path: Path) -> None:
    cats = class_folders(tmp_path / "cats", 9)
    write(cats / "a" / "broken.jpg", b"no photo")
    extracted = run(tmp_path / "store", cats)
    assert extracted.photos == 9 and sum(extracted.skipped.values()) == 1
    assert extracted.examples[0].path == str(cats / "a" / "broken.jpg")


def test_one_photo_is_no_plural(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "heap" / "1.jpg", photo_bytes(1))
    said = call(main, "extract", "heap", "--architecture=fake", "--bottleneck_dir=b")
    assert "1 photo: 1 bottleneck computed, 0 known, in b" in said.out


def test_a_run_that_was_stopped_goes_on(tmp_path: Path) -> None:
    cats = class_folders(tmp_path / "cats", 20)
    stopping, counter = itertools.count(), Counter()

    def breaks(vectors: Vectors) -> Vectors:
        if next(stopping) == 3:  # of each portion the first is the probe's
            raise KeyboardInterrupt
        return vectors

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "store", cats, start=Counter(breaks).start)
    extracted = run(tmp_path / "store", cats, start=counter.start)
    assert (extracted.photos, counter.photos) == (20, 16)


def test_views_and_several_networks(tmp_path: Path) -> None:
    cats = class_folders(tmp_path / "cats", 6)
    views = ViewsConfig(Augmentation(flip_left_right=True), 2)
    config = ExtractConfig((cats,), BackboneConfig("fake+fake"), ExtractionConfig(tmp_path / "store"), views, portion=4)
    found = run_extraction(config)
    assert found.photos == 6 and found.computed + found.hits == 24


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="`sources`"):
        ExtractConfig(())
    with pytest.raises(OptionError, match="`portion` 0"):
        ExtractConfig((tmp_path,), portion=0)
    write(tmp_path / "texts" / "1.txt", b"1")
    with pytest.raises(DatasetError, match=r"None of the files in .*texts can be .*1\.txt, for one, is not a photo"):
        run(tmp_path / "store", tmp_path / "texts")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="There are no photos in"):
        run(tmp_path / "store", tmp_path / "empty")
    with pytest.raises(DatasetError, match="There is no folder or manifest"):
        run(tmp_path / "store", tmp_path / "none")


def test_the_command_and_a_training_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cats = class_folders(tmp_path / "cats", 30)
    more = class_folders(tmp_path / "more", 32)
    options = ("--architecture=fake", "--bottleneck_dir=b")
    said = call(main, "extract", cats, more, *options, "--json")
    assert said.code == 0, said.err
    summary = json.loads(said.out)
    assert summary["photos"] == {"used": 62, "skipped": 0}
    assert summary["bottlenecks"] == {"hits": 30, "computed": 32, "set_aside": 0}
    assert "62 photos: 32 bottlenecks computed, 30 known, in b" in said.err
    trained = call(main, "--image_dir", cats, *options, "--output_dir=out", "--formats=saved_model", "--json")
    assert json.loads(trained.out)["bottlenecks"] == {"hits": 30, "computed": 0, "set_aside": 0}


def test_a_wrong_call(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(main, "extract").code == 2
    assert call(main, "extract", "cats", "--ray_address=a:1").code != 0


def fill(storage: ObjectServer, photos: int) -> str:
    for number in range(photos):
        storage.put(f"cats/{'ab'[number % 2]}/{number}.jpg", photo_bytes(number))
    return "s3://photos/cats"


def test_photos_and_store_in_a_storage_that_fails_now_and_then(
    storage: ObjectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    cats, counter = fill(storage, 20), Counter()
    with failing_proxy(storage.endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        object_storage.forget_connections()
        requests, faults = itertools.count(), itertools.cycle(("slow down", "reset", "cut"))
        proxy.fault = lambda method, path: next(faults) if next(requests) % 5 == 0 else None
        assert counts(run("s3://photos/store", cats, start=counter.start)) == (20, 20, 0)
        assert {"slow down", "reset", "cut"} <= set(proxy.done)
    monkeypatch.setenv("AWS_ENDPOINT_URL", storage.endpoint)
    object_storage.forget_connections()
    assert counts(run("s3://photos/store", cats, start=counter.start)) == (20, 0, 20)
    assert counter.photos == 20


def test_a_photo_that_is_replaced_is_read_again(storage: ObjectServer, tmp_path: Path) -> None:
    cats = fill(storage, 4)
    assert counts(run(tmp_path / "store", cats)) == (4, 4, 0)
    storage.put("cats/a/0.jpg", photo_bytes(100) + b" ")  # of another size, as a rule, and at another time
    assert counts(run(tmp_path / "store", cats)) == (4, 1, 3)
    with pytest.raises(DatasetError, match="There is nothing at s3://photos/dogs"):
        run(tmp_path / "store", "s3://photos/dogs")


def test_without_credentials_the_same_command_is_no_advice(
    storage: ObjectServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cats = fill(storage, 4)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    object_storage.forget_connections()
    with pytest.raises(DatasetError) as raised:
        run(tmp_path / "store", cats)
    assert "Set AWS_ACCESS_KEY_ID" in str(raised.value) and "Run the same command" not in str(raised.value)
    with pytest.raises(StoreError, match=r"Set AWS_ACCESS_KEY_ID .* this, or choose another `bottleneck_dir`\.$"):
        run("s3://photos/store", class_folders(tmp_path / "cats", 4))
    object_storage.forget_connections()


def test_a_cluster_gets_larger_portions() -> None:
    alone, cluster = (
        ExtractConfig(("photos",), extraction=ExtractionConfig(executor=executor)) for executor in ("local", "ray")
    )
    assert (alone.files_at_a_time, cluster.files_at_a_time) == (100_000, 500_000)
    assert ExtractConfig(("photos",), portion=7).files_at_a_time == 7
