"""A network in int8 is calibrated once for a store, on photos that their content chooses."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from extracting import photo_bytes, write
from in_int8 import INT8, Quantiser, by, some_photos, this_cpu
from object_server import ObjectServer

from label_image.preprocessing import Pixels
from retrain.backbones.backbone import Backbone
from retrain.backbones.calibrated import SCHEMA, CalibratedNetwork, NetworkFile
from retrain.backbones.engines.base import Engine
from retrain.backbones.engines.registry import start_engine
from retrain.bottlenecks import calibrating
from retrain.bottlenecks.calibrating import LEAST, calibrated
from retrain.bottlenecks.extraction import extract
from retrain.bottlenecks.inspection import verify_store
from retrain.bottlenecks.kept_networks import network_folder
from retrain.bottlenecks.merging import merge_stores
from retrain.core.errors import BackboneError, OptionError, StoreError, UnwritableStoreError
from retrain.core.places import LocalPlace, place_of
from retrain.core.sealed import copy_shard, write_shard
from retrain.photos.opening import list_photos

OTHER = NetworkFile(b"<other/>", b"other")


@pytest.fixture
def quantiser(monkeypatch: pytest.MonkeyPatch) -> Quantiser:
    this_cpu(monkeypatch, "avx512_vnni")
    return Quantiser(monkeypatch)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return some_photos(tmp_path / "photos", LEAST)


def digest(photos: Path, store: Path) -> str:
    found = by(photos, store).calibrated
    assert found is not None
    return found.sha256


# Which photos


def test_the_content_of_photos_chooses_them_and_not_their_names(
    photos: Path, tmp_path: Path, quantiser: Quantiser
) -> None:
    others = tmp_path / "others"
    for number, path in enumerate(sorted(photos.rglob("*.jpg"), key=lambda path: path.read_bytes())):
        write(others / "cd"[number % 2] / f"{number}.jpg", path.read_bytes())
    assert digest(photos, tmp_path / "one") == digest(others, tmp_path / "other")
    np.testing.assert_array_equal(quantiser.seen[0], quantiser.seen[1])


def test_copies_of_a_photo_count_once(photos: Path, tmp_path: Path, quantiser: Quantiser) -> None:
    before = digest(photos, tmp_path / "one")
    write(photos / "a" / "copy.jpg", photo_bytes(0))
    assert digest(photos, tmp_path / "other") == before


def test_more_photos_than_are_needed_leave_some_out(photos: Path, tmp_path: Path, quantiser: Quantiser) -> None:
    some_photos(photos, 10, first=100)
    calibrated(INT8, list_photos(photos).files, LocalPlace(tmp_path / "store"), photos=LEAST)
    assert len(quantiser.seen[0]) == LEAST


def test_what_cannot_be_decoded_or_is_gone_is_no_photo_to_calibrate_on(
    photos: Path, tmp_path: Path, quantiser: Quantiser
) -> None:
    before = digest(photos, tmp_path / "one")
    write(photos / "a" / "broken.jpg", photo_bytes(0)[:60])
    listing = list_photos(photos)
    gone = replace(listing.files[0], path="nowhere.jpg", gone_sha256="0" * 64)
    found = calibrated(INT8, [gone, *listing.files], LocalPlace(tmp_path / "other")).calibrated
    assert found is not None and found.sha256 == before


def test_photos_that_fill_no_batch_are_left_out_and_not_counted(
    photos: Path, tmp_path: Path, quantiser: Quantiser
) -> None:
    some_photos(photos, 3, first=100)
    said: list[str] = []
    calibrated(INT8, list_photos(photos).files, LocalPlace(tmp_path / "store"), said.append)
    assert len(quantiser.seen[0]) == LEAST and "on 32 of the photos" in said[0]


def test_copies_of_one_photo_are_too_few(tmp_path: Path, quantiser: Quantiser) -> None:
    for number in range(LEAST):
        write(tmp_path / "photos" / "ab"[number % 2] / f"{number}.jpg", photo_bytes(0))
    with pytest.raises(OptionError, match="1 are too few: at least 32 are needed, all different, that can be decoded"):
        by(tmp_path / "photos", tmp_path / "store")


def test_too_few_photos_are_refused_and_nothing_is_kept(photos: Path, tmp_path: Path, quantiser: Quantiser) -> None:
    next(photos.rglob("*.jpg")).unlink()
    with pytest.raises(OptionError, match="31 are too few: at least 32"):
        by(photos, tmp_path / "store")
    assert not quantiser.seen and not list((tmp_path / "store" / "calibrated").rglob("*.parquet"))


def test_a_person_is_told_when_a_network_is_made(photos: Path, tmp_path: Path, quantiser: Quantiser) -> None:
    said: list[str] = []
    for _ in range(2):
        calibrated(INT8, list_photos(photos).files, LocalPlace(tmp_path / "store"), said.append)
    assert said == ["efficientnet_lite0 is calibrated for int8 on 32 of the photos, once for this store."]


def test_without_the_quantiser_it_says_what_is_missing(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "nncf", None)
    with pytest.raises(OptionError, match=r"`precision` int8 needs nncf .* which is not installed"):
        by(photos, tmp_path / "store")


# Once for a store


def test_a_store_that_grows_or_is_copied_goes_on_with_its_network(
    photos: Path, tmp_path: Path, quantiser: Quantiser
) -> None:
    first = digest(photos, tmp_path / "store")
    some_photos(photos, 20, first=100)
    shutil.copytree(tmp_path / "store", tmp_path / "copied")
    assert {digest(photos, tmp_path / "store"), digest(photos, tmp_path / "copied")} == {first}
    assert len(quantiser.seen) == 1
    assert digest(photos, tmp_path / "new") != first


def test_each_backbone_has_a_network_of_its_own(photos: Path, tmp_path: Path, quantiser: Quantiser) -> None:
    place, files = LocalPlace(tmp_path / "store"), list_photos(photos).files
    other = replace(INT8, weights_sha256="random-1")
    joined = replace(INT8, parts=(INT8, other))
    assert calibrated(joined, files, place) is joined  # its parts are looked at one by one
    for backbone in (INT8, other):
        calibrated(backbone, files, place)
    assert len(quantiser.seen) == 2
    assert calibrated(INT8.in_float32(), files, place).calibrated is None


def test_two_who_calibrate_at_once_take_the_one_that_was_kept_first(
    photos: Path, tmp_path: Path, quantiser: Quantiser, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = network_folder(LocalPlace(tmp_path / "store"), INT8.covers())
    first: list[CalibratedNetwork] = []

    def meanwhile(backbone: Backbone, pixels: Pixels, vnni: bool) -> NetworkFile:
        first.append(CalibratedNetwork.keep(place, OTHER))
        return quantiser(backbone, pixels, vnni)

    monkeypatch.setattr(calibrating, "calibrated_network", meanwhile)
    assert by(photos, tmp_path / "store").calibrated == first[0] == CalibratedNetwork.find(place)


def test_of_two_that_were_written_at_the_same_moment_all_take_one(
    photos: Path, tmp_path: Path, quantiser: Quantiser
) -> None:
    first = digest(photos, tmp_path / "store")
    place = network_folder(LocalPlace(tmp_path / "store"), INT8.covers())
    name = write_shard(place, pa.table([[b"<other/>"], [b"other"]], schema=SCHEMA))
    expected = min(first, name.removesuffix(".parquet"))
    assert [digest(photos, tmp_path / "store") for _ in range(2)] == [expected, expected]


def test_a_damaged_network_is_set_aside_and_made_anew(photos: Path, tmp_path: Path, quantiser: Quantiser) -> None:
    network = by(photos, tmp_path / "store").calibrated
    assert network is not None
    file = Path(network.place.at(network.name))
    file.write_bytes(b"damaged")
    assert [str(one.path) for one in verify_store(tmp_path / "store").damaged] == [str(file)]
    with pytest.raises(StoreError, match="is damaged: run the same command again"):
        network.read()
    assert file.with_name(f"{file.name}.damaged").exists()
    assert by(photos, tmp_path / "store").calibrated == network  # of the same photos
    assert len(quantiser.seen) == 2
    assert not verify_store(tmp_path / "store").damaged
    file.unlink()
    with pytest.raises(StoreError, match="is gone: run the same command again"):
        network.read()


@pytest.mark.parametrize(
    "table",
    [
        pa.table([["a"], ["b"]], names=["description", "weights"]),
        pa.table([[], []], schema=SCHEMA),
        pa.table([[b"a", b"b"], [b"", b""]], schema=SCHEMA),
        pa.table([["0" * 64]], names=["photo_sha256"]),
    ],
)
def test_a_sound_file_that_holds_no_network_counts_as_damaged(
    photos: Path, tmp_path: Path, quantiser: Quantiser, table: pa.Table
) -> None:
    place = network_folder(LocalPlace(tmp_path / "store"), INT8.covers())
    place.make()
    name = write_shard(place, table)
    assert [(one.name, one.reason) for one in verify_store(tmp_path / "store").damaged] == [
        (name, "it holds no network")
    ]
    network = by(photos, tmp_path / "store").calibrated
    assert network is not None
    with pytest.raises(StoreError, match="is damaged: run the same command again"):
        network.read()
    by(photos, tmp_path / "store")
    assert len(quantiser.seen) == 1


def test_the_network_of_another_backbone_is_not_run(photos: Path, tmp_path: Path, quantiser: Quantiser) -> None:
    """Of the same size, its numbers would be taken for those of this one."""
    place = network_folder(LocalPlace(tmp_path / "store"), INT8.covers())
    other = CalibratedNetwork.keep(LocalPlace(tmp_path / "0123"), OTHER)
    copy_shard(other.place, other.name, place)
    (damaged,) = verify_store(tmp_path / "store").damaged
    assert damaged.reason == "it is the network of another backbone"
    network = by(photos, tmp_path / "store").calibrated
    assert network is not None
    with pytest.raises(StoreError, match="is damaged: run the same command again"):
        network.read()
    assert by(photos, tmp_path / "store").calibrated != network
    assert not verify_store(tmp_path / "store").damaged


def test_a_network_that_openvino_cannot_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openvino", reason="OpenVINO is not installed: `make setup`")
    this_cpu(monkeypatch, "avx_vnni")
    network = CalibratedNetwork.keep(LocalPlace(tmp_path), NetworkFile(b"<net/>", b""))
    with pytest.raises(
        BackboneError, match=f"{network.name} is not a network that the installed OpenVINO can read: upd"
    ):
        start_engine(replace(INT8, calibrated=network))


def test_a_network_lies_on_object_storage_too(photos: Path, storage: ObjectServer, quantiser: Quantiser) -> None:
    place, files = place_of("s3://photos/store"), list_photos(photos).files
    one, other = (calibrated(INT8, files, place).calibrated for _ in range(2))
    assert one is not None and one == other and len(quantiser.seen) == 1
    assert one.read() == (b"<net/>", quantiser.seen[0].tobytes(), False)


# By kind of CPU


def is_for_all(photos: Path, store: Path) -> bool:
    network = by(photos, store).calibrated
    assert network is not None
    return network.read().without_vnni


def test_a_cpu_without_vnni_makes_a_network_with_which_all_go_on(
    photos: Path, tmp_path: Path, quantiser: Quantiser, monkeypatch: pytest.MonkeyPatch
) -> None:
    this_cpu(monkeypatch, "avx2")
    assert (is_for_all(photos, tmp_path / "store"), quantiser.vnni) == (True, [False])
    this_cpu(monkeypatch, "avx2", "avx512_vnni")
    assert (is_for_all(photos, tmp_path / "store"), quantiser.vnni) == (True, [False])
    assert not is_for_all(photos, tmp_path / "other")


def test_a_cpu_without_vnni_takes_what_others_have_computed_and_computes_no_more(
    photos: Path, tmp_path: Path, quantiser: Quantiser, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openvino", reason="OpenVINO is not installed: `make setup`")
    first = by(photos, tmp_path / "store")
    this_cpu(monkeypatch, "avx2")
    assert by(photos, tmp_path / "store") == first
    with pytest.raises(BackboneError, match="efficientnet_lite0 was calibrated for CPUs with VNNI, which this"):
        start_engine(first)


def test_a_network_of_the_other_kind_of_cpu_is_not_merged(
    photos: Path, tmp_path: Path, quantiser: Quantiser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store has one network: what one has computed would not be found any more where the other came first."""
    stores = [tmp_path / flag for flag in ("avx2", "avx_vnni")]
    for store in stores:
        this_cpu(monkeypatch, store.name)
        extract(list_photos(photos), INT8, store, start=as_the_fake_one)
    (fingerprint,) = (path.stem for path in stores[0].glob("*.json"))
    merged = merge_stores([stores[0]], stores[1])
    assert [Path(path).name for path in merged.other_numbers] == [fingerprint]


def test_where_the_network_is_damaged_the_kind_of_cpu_that_is_there_makes_its_own(
    photos: Path, tmp_path: Path, quantiser: Quantiser, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = by(photos, tmp_path / "store").calibrated
    assert network is not None
    Path(network.place.at(network.name)).write_bytes(b"damaged")
    this_cpu(monkeypatch, "avx2")
    with pytest.raises(StoreError, match="is damaged: run the same command again"):
        network.read()
    assert is_for_all(photos, tmp_path / "store")


def as_the_fake_one(backbone: Backbone) -> Engine:
    return lambda pixels: np.zeros((len(pixels), backbone.dim), np.float32)


def test_a_store_that_cannot_be_written_is_refused_before_anything_is_computed(
    photos: Path, tmp_path: Path, quantiser: Quantiser, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest(photos, tmp_path / "store")
    monkeypatch.setattr(LocalPlace, "try_writing", refuse_writing)
    digest(photos, tmp_path / "store")
    with pytest.raises(UnwritableStoreError, match=r"^The networks in int8 in .* choose another `bottleneck_dir`"):
        by(photos, tmp_path / "other")
    assert len(quantiser.seen) == 1


def test_a_file_in_the_place_of_the_networks_is_a_sentence(tmp_path: Path) -> None:
    write(tmp_path / "calibrated", b"no folder")
    with pytest.raises(StoreError, match=r"^The networks in int8 in .*calibrated cannot be opened"):
        verify_store(tmp_path)


def refuse_writing(place: LocalPlace) -> None:
    raise PermissionError(13, "Permission denied", str(place))


def test_what_cannot_be_calibrated_is_said(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nncf = pytest.importorskip("nncf", reason="NNCF is not installed: `make cluster`")
    monkeypatch.setattr(nncf, "quantize", lambda *given, **options: 1 / 0)
    with pytest.raises(BackboneError, match=r"efficientnet_lite0 cannot be calibrated for int8 \(division by zero\)"):
        by(photos, tmp_path / "store")


def test_an_engine_for_a_network_that_nobody_calibrated_is_refused() -> None:
    with pytest.raises(BackboneError, match="is not calibrated"):
        start_engine(INT8)
