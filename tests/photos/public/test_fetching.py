"""Public data sets, from a server of this machine that has small archives of exactly their shape."""

import hashlib
import io
import json
import os
import shlex
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from calling import Called, call
from PIL import Image
from web_site import Site, running
from zips import zip_of

from retrain.cli.main import main
from retrain.core import download
from retrain.core.errors import DatasetError, DownloadError, OptionError
from retrain.photos.opening import open_dataset
from retrain.photos.public import catalogue, fetching
from retrain.photos.public.catalogue import SETS, PublicSet, public_set
from retrain.photos.public.class_names import FLOWER_NAMES, IMAGENETTE_NAMES
from retrain.photos.public.fetching import fetch_public_set

NO_PHOTO = b"no photo"


def jpeg(name: str) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (12, 12), tuple(hashlib.md5(name.encode()).digest()[:3])).save(data, "JPEG")
    return data.getvalue()


def content(name: str) -> bytes:
    return jpeg(name) if name.lower().endswith((".jpg", ".jpeg")) else NO_PHOTO


def zipped(*names: str, **others: bytes) -> bytes:
    return zip_of({**{name: content(name) for name in names}, **others})


def tarred(*names: str, mode: str = "w:gz", **others: bytes) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode=mode) as archive:  # type: ignore[call-overload]
        for name, body in {**{name: content(name) for name in names}, **others}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(body)
            archive.addfile(entry, io.BytesIO(body))
    return data.getvalue()


def matlab(**arrays: list[int]) -> bytes:
    from scipy.io import savemat

    data = io.BytesIO()
    savemat(data, {name: np.array([values], np.uint16) for name, values in arrays.items()})
    return data.getvalue()


PETS = ("Abyssinian_1", "Abyssinian_2", "great_pyrenees_10", "great_pyrenees_11")
LISTED = ["Abyssinian_1 1 1 1", "great_pyrenees_10 16 2 7"], ["Abyssinian_2 1 1 1", "great_pyrenees_11 16 2 7"]
HEADER = "#Image CLASS-ID SPECIES BREED ID\n#ID: 1:37 Class ids\n"


def bodies(name: str) -> dict[str, bytes]:
    """The files of a data set, small, with the folders, names and oddities of the true ones."""
    if name == "cats-vs-dogs":
        photos = [f"PetImages/{kind}/{number}.jpg" for kind in ("Cat", "Dog") for number in range(3)]
        broken = {"PetImages/Cat/666.jpg": b"", "PetImages/Dog/11702.jpg": b"", "PetImages/Dog/Thumbs.db": b"x"}
        return {"kagglecatsanddogs_5340.zip": zipped(*photos, "readme[1].txt", "MSR-LA - 3467.docx", **broken)}
    if name == "flower_photos":
        kinds = ("daisy", "dandelion", "roses", "sunflowers", "tulips")
        photos = [f"flower_photos/{kind}/{kind}{number}.jpg" for kind in kinds for number in range(2)]
        return {"flower_photos.tgz": tarred(*photos, "flower_photos/LICENSE.txt")}
    if name == "hymenoptera":
        photos = [
            f"hymenoptera_data/{side}/{kind}/{side}{kind}.jpg" for side in ("train", "val") for kind in ("ants", "bees")
        ]
        return {"hymenoptera_data.zip": zipped("hymenoptera_data/train/", *photos)}
    if name == "imagenette":
        folder = "imagenette2-320"
        photos = [
            f"{folder}/{side}/{kind}/{kind}_{side}.JPEG" for side in ("train", "val") for kind in IMAGENETTE_NAMES
        ]
        return {"imagenette2-320.tgz": tarred(*photos, f"{folder}/noisy_imagenette.csv", f"{folder}/.DS_Store")}
    if name == "oxford-pets":
        lists = {
            f"annotations/{list_name}.txt": (HEADER + "\n".join(lines) + "\n").encode()
            for list_name, lines in zip(("trainval", "test"), LISTED, strict=True)
        }
        others = ("annotations/README", "annotations/xmls/Abyssinian_1.xml", "annotations/trimaps/Abyssinian_1.png")
        images = [f"images/{pet}.jpg" for pet in PETS] + ["images/Abyssinian_101.mat", "images/beagle_9.jpg"]
        return {
            "images.tar.gz": tarred(*images, mode="w"),  # not compressed, whatever its name says
            "annotations.tar.gz": tarred(*others, **lists),
        }
    if name == "oxford-flowers-102":
        return {
            "102flowers.tgz": tarred(*(f"jpg/image_{number:05d}.jpg" for number in range(1, 7))),
            "imagelabels.mat": matlab(labels=[77, 77, 77, 1, 1, 1]),
            "setid.mat": matlab(trnid=[1, 4], valid=[2, 5], tstid=[3, 6]),
        }
    if name == "caltech-101":
        kinds = ("accordion", "BACKGROUND_Google", "Faces")
        photos = [f"101_ObjectCategories/{kind}/image_000{number}.jpg" for kind in kinds for number in (1, 2)]
        inner = {
            "caltech-101/101_ObjectCategories.tar.gz": tarred(*photos, "101_ObjectCategories/BACKGROUND_Google/tmp"),
            "caltech-101/Annotations.tar": tarred("Annotations/accordion/annotation_0001.mat", mode="w"),
        }
        return {"caltech-101.zip": zipped("caltech-101/show_annotation.m", "__MACOSX/caltech-101/._x.tar", **inner)}
    if name == "trashnet":
        kinds = ("cardboard", "glass", "metal", "paper", "plastic", "trash")
        photos = [f"dataset-resized/{kind}/{kind}{number}.jpg" for kind in kinds for number in (1, 2)]
        litter = ("dataset-resized/.DS_Store", "__MACOSX/dataset-resized/._.DS_Store")
        return {"dataset-resized.zip": zipped(*photos, *litter)}
    assert name == "eurosat"
    kinds = ("AnnualCrop", "Forest", "SeaLake")
    return {"EuroSAT.zip": zipped("2750/", *(f"2750/{kind}/{kind}_{n}.jpg" for kind in kinds for n in (1, 2)))}


Publish = Callable[[str], dict[str, str]]


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(download, "PAUSE", 0)
    with running(Site()) as site:
        yield site


@pytest.fixture
def publish(site: Site, monkeypatch: pytest.MonkeyPatch) -> Publish:
    """Serve a data set's small files in the place of the true ones; their paths on the server by their names."""

    def publish(name: str) -> dict[str, str]:
        one = public_set(name)
        assert one is not None
        files = []
        paths = {}
        for file in one.files:
            body = bodies(name)[file.name]
            own = [f"/{number}{urlsplit(address).path}" for number, address in enumerate(file.addresses)]
            addresses = tuple(site.serve(path, body) for path in own)
            sha256 = hashlib.sha256(body).hexdigest()
            files.append(replace(file, addresses=addresses, size=len(body), sha256=sha256))
            paths[file.name] = own[0]
        here = tuple(replace(each, files=tuple(files)) if each is one else each for each in SETS)
        monkeypatch.setattr(catalogue, "SETS", here)
        return paths

    return publish


def found(place: Path) -> dict[str, dict[str, int]]:
    """Classes with their numbers by side."""
    counts: dict[str, dict[str, int]] = {}
    for file in open_dataset(place).files:
        side = counts.setdefault(file.label, {})
        side[file.split or ""] = side.get(file.split or "", 0) + 1
    return counts


SIDES = {"training": 1, "testing": 1}
ALL_SIDES = {"training": 1, "validation": 1, "testing": 1}
TRAIN_VAL = {"training": 1, "validation": 1}
TWO = {"": 2}
EXPECTED: dict[str, list[dict[str, dict[str, int]]]] = {
    "caltech-101": [{"accordion": TWO, "BACKGROUND_Google": {"": 3}, "Faces": TWO}],
    "cats-vs-dogs": [{"Cat": {"": 4}, "Dog": {"": 4}}],  # what is empty is skipped once it is read
    "eurosat": [dict.fromkeys(("AnnualCrop", "Forest", "SeaLake"), TWO)],
    "flower_photos": [dict.fromkeys(("daisy", "dandelion", "roses", "sunflowers", "tulips"), TWO)],
    "hymenoptera": [dict.fromkeys(("ants", "bees"), TRAIN_VAL)],
    "imagenette": [dict.fromkeys(IMAGENETTE_NAMES, TRAIN_VAL)],
    "oxford-flowers-102": [dict.fromkeys(("pink primrose", "passion flower"), ALL_SIDES)],
    "oxford-pets": [dict.fromkeys(("Abyssinian", "great_pyrenees"), SIDES), dict.fromkeys(("cat", "dog"), SIDES)],
    "trashnet": [dict.fromkeys(("cardboard", "glass", "metal", "paper", "plastic", "trash"), TWO)],
}


def run(*arguments: object) -> Called:
    return call(main, "fetch", *arguments)


def test_every_data_set_is_in_this_suite() -> None:
    assert {one.name for one in SETS} == set(EXPECTED)
    assert [one.name for one in SETS] == sorted(EXPECTED)


@pytest.mark.parametrize("one", SETS, ids=lambda one: one.name)
def test_what_is_declared_is_whole(one: PublicSet) -> None:
    for file in one.files:
        assert len(file.sha256) == 64 and int(file.sha256, 16) and file.size > 100
        assert file.addresses and all(address.startswith("https://") for address in file.addresses)
        assert Path(file.name).name == file.name
    assert one.title and one.licence and one.citation and one.page.startswith("https://") and one.photos > 99
    assert public_set(one.name.upper().replace("-", "_")) is one


def test_names_of_classes() -> None:
    assert len(set(FLOWER_NAMES)) == 102 and FLOWER_NAMES[76] == "passion flower" and FLOWER_NAMES[20] == "fire lily"
    assert len(IMAGENETTE_NAMES) == 10


@pytest.mark.parametrize("name", EXPECTED)
def test_it_becomes_what_can_be_trained_on(name: str, publish: Publish, site: Site, tmp_path: Path) -> None:
    publish(name)
    one, ways = fetch_public_set(name, tmp_path / "data")
    assert [found(way.image_dir) for way in ways] == EXPECTED[name]
    source = (tmp_path / "data" / name / "SOURCE.txt").read_text()
    assert one.licence in source and one.citation in source and one.files[0].addresses[0] in source
    asked = len(site.asked)
    assert asked == len(one.files)
    assert fetch_public_set(name, tmp_path / "data") == (one, ways)
    assert len(site.asked) == asked
    assert sorted(os.listdir(tmp_path / "data")) == sorted([name, "downloads"])


@pytest.mark.parametrize("name", EXPECTED)
def test_the_command_that_is_shown_works(name: str, publish: Publish, tmp_path: Path) -> None:
    publish(name)
    said = run(name, "--data_dir", tmp_path / "data")
    assert said.code == 0, said.err
    commands = [line.partition("retrain ")[2] for line in said.out.splitlines() if "--image_dir" in line]
    assert len(commands) == len(EXPECTED[name])
    assert f"{len(EXPECTED[name][0])} classes" in said.out
    if name not in ("cats-vs-dogs", "imagenette", "oxford-pets"):  # each in its own way; the others are like the first
        return
    done = call(
        main, *shlex.split(commands[0]), "--architecture", "fake", "--formats", "saved_model",
        "--bottleneck_dir", tmp_path / "b", "--output_dir", tmp_path / "model",
    )  # fmt: skip
    assert done.code == 0, done.err
    labels = (tmp_path / "model/labels.txt").read_text().splitlines()
    shown = EXPECTED[name][0] if name != "imagenette" else IMAGENETTE_NAMES.values()
    assert sorted(labels) == sorted(shown)
    if name == "cats-vs-dogs":
        skipped = (tmp_path / "model/skipped.csv").read_text()
        assert "Cat/666.jpg" in skipped and "Dog/11702.jpg" in skipped


def test_a_break_goes_on_and_a_second_address_helps(publish: Publish, site: Site, tmp_path: Path) -> None:
    path = publish("oxford-pets")["images.tar.gz"]
    site.pages[path].breaks = [5000, 100]
    fetch_public_set("oxford-pets", tmp_path / "data")
    assert [asked for own, asked in site.asked if own == path] == ["", "bytes=5000-", "bytes=5100-"]
    path = publish("eurosat")["EuroSAT.zip"]
    site.pages[path].status = 503
    fetch_public_set("eurosat", tmp_path / "data")
    assert [own[:2] for own, _ in site.asked[-2:]] == ["/0", "/1"]


def test_another_file_is_refused_whatever_its_size(publish: Publish, site: Site, tmp_path: Path) -> None:
    path = publish("hymenoptera")["hymenoptera_data.zip"]
    true = site.pages[path].body
    site.pages[path].body = true[:-1] + b"x"
    with pytest.raises(DownloadError, match="arrived with checksum"):
        fetch_public_set("hymenoptera", tmp_path)
    site.pages[path].body = true + b"x"
    with pytest.raises(DownloadError, match="it is another one"):
        fetch_public_set("hymenoptera", tmp_path)
    assert os.listdir(tmp_path) == ["downloads"]


@pytest.mark.parametrize("location", ["http://example.invalid/x.zip", "ftp://127.0.0.1/x.zip"])
def test_a_redirect_to_elsewhere_is_refused(location: str, publish: Publish, site: Site, tmp_path: Path) -> None:
    path = publish("hymenoptera")["hymenoptera_data.zip"]
    site.pages[path].location = location
    with pytest.raises(DownloadError, match=r"leads to .*: it is not followed"):
        fetch_public_set("hymenoptera", tmp_path)
    assert len(site.asked) == 1


def test_a_redirect_on_this_machine_is_followed(publish: Publish, site: Site, tmp_path: Path) -> None:
    path = publish("hymenoptera")["hymenoptera_data.zip"]
    site.pages["/elsewhere.zip"], site.pages[path] = (
        site.pages[path],
        replace(site.pages[path], location="/elsewhere.zip"),
    )
    fetch_public_set("hymenoptera", tmp_path)
    assert site.asked[-1][0] == "/elsewhere.zip"


def test_a_file_that_was_put_there_by_hand_is_used_if_it_is_the_one(
    publish: Publish, site: Site, tmp_path: Path
) -> None:
    publish("eurosat")
    place = tmp_path / "downloads/eurosat/EuroSAT.zip"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"another")
    with pytest.raises(DatasetError, match=r"EuroSAT\.zip is not the file of eurosat"):
        fetch_public_set("eurosat", tmp_path)
    place.write_bytes(bodies("eurosat")["EuroSAT.zip"])
    fetch_public_set("eurosat", tmp_path)
    assert site.asked == []


def test_what_is_there_is_never_overwritten(publish: Publish, tmp_path: Path) -> None:
    publish("eurosat")
    (tmp_path / "eurosat").mkdir()
    (tmp_path / "eurosat/mine.txt").write_text("mine")
    with pytest.raises(OptionError, match="holds something else"):
        fetch_public_set("eurosat", tmp_path)
    assert os.listdir(tmp_path / "eurosat") == ["mine.txt"]


def test_one_that_broke_while_it_was_unpacked_is_made_again(
    publish: Publish, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("eurosat")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(fetching, "make_ready", interrupt)
        fetch_public_set("eurosat", tmp_path)
    assert os.listdir(tmp_path) == ["downloads"]
    asked = len(site.asked)
    fetch_public_set("eurosat", tmp_path)
    assert len(site.asked) == asked


@pytest.mark.parametrize("lines", ["", HEADER, "Abyssinian_1 1 9 1\nx_1 1 1 1", "not a list"])
def test_lists_that_are_others_are_a_sentence(
    lines: str, publish: Publish, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "LISTED", ([lines], [lines]))
    publish("oxford-pets")
    said = run("oxford-pets", "--data_dir", tmp_path)
    assert said.code == 1 and "What came for oxford-pets is not what it was before" in " ".join(said.err.split())
    assert os.listdir(tmp_path) == ["downloads"]


def test_without_a_name_all_are_listed(tmp_path: Path) -> None:
    said = run()
    assert said.code == 0 and all(one.name in said.out for one in SETS)
    said = run("cats", "--data_dir", tmp_path)
    assert said.code == 2 and "cats-vs-dogs" in said.err and os.listdir(tmp_path) == []


def test_the_record_says_what_was_fetched(publish: Publish, tmp_path: Path) -> None:
    publish("eurosat")
    fetch_public_set("eurosat", tmp_path)
    record = json.loads((tmp_path / "eurosat/fetched.json").read_text())
    assert record["files"][0]["sha256"] == hashlib.sha256(bodies("eurosat")["EuroSAT.zip"]).hexdigest()
