"""Archives and addresses as sources: once, and as what they hold."""

import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from calling import call
from painting import paint_classes
from photo_layouts import Given
from stand_ins import Said
from web_site import Site, running
from zips import zip_of

from retrain.cli.main import main
from retrain.core.errors import DatasetError, DownloadError, OptionError
from retrain.photos.dataset import Dataset
from retrain.photos.opening import list_photos

PHOTOS = [Given(shade, ("cat", "dog")[shade % 2]) for shade in range(6)]


@pytest.fixture
def site() -> Iterator[Site]:
    with running(Site()) as site:
        yield site


CATS = zip_of({f"cats/{photo.label}/{photo.shade}.png": photo.data for photo in PHOTOS})


def contents(dataset: Dataset) -> list[tuple[str, str]]:
    return sorted((file.label, hashlib.sha256(Path(file.path).read_bytes()).hexdigest()) for file in dataset.files)


EXPECTED = sorted((photo.label, hashlib.sha256(photo.data).hexdigest()) for photo in PHOTOS)


def test_it_is_unpacked_once_whatever_its_name(tmp_path: Path, store: Path) -> None:
    (tmp_path / "cats.zip").write_bytes(CATS)
    said: list[str] = []
    first = list_photos(tmp_path / "cats.zip", store, progress=Said(said.append))
    assert contents(first) == EXPECTED and first.reading == "cats with the classes cat, dog"
    assert len(said) == 1 and "is unpacked to" in said[0]
    shutil.copy(tmp_path / "cats.zip", tmp_path / "again.bin")
    assert list_photos(tmp_path / "again.bin", store, progress=Said(said.append)) == first and len(said) == 1
    assert len(os.listdir(tmp_path / "tf_files/sources")) == 1
    (tmp_path / "cats.zip").write_bytes(zip_of({"cat/1.png": PHOTOS[0].data, "dog/1.png": PHOTOS[1].data}))
    assert len(list_photos(tmp_path / "cats.zip", store).files) == 2
    assert len(os.listdir(tmp_path / "tf_files/sources")) == 2


def test_where_it_is_kept_can_be_said(tmp_path: Path, store: Path) -> None:
    (tmp_path / "cats.zip").write_bytes(CATS)
    dataset = list_photos(tmp_path / "cats.zip", store, source_dir=tmp_path / "big disk")
    assert all(Path(file.path).is_relative_to(tmp_path / "big disk") for file in dataset.files)
    assert not (tmp_path / "tf_files/sources").exists()


def test_what_is_left_out_of_it_is_in_the_report(tmp_path: Path, store: Path) -> None:
    (tmp_path / "cats.zip").write_bytes(zip_of({"cat/1.png": b"1", "dog/1.png": b"2", f"dog/{'n' * 300}.png": b"3"}))
    skipped = list_photos(tmp_path / "cats.zip", store).skipped
    assert [item.reason for item in skipped] == ["cannot be written: File name too long"]


@pytest.mark.parametrize("around", ["", "set/", "a/b/"])
def test_what_has_its_own_description_is_read_by_it(around: str, tmp_path: Path, store: Path) -> None:
    table = "file_name,label\n" + "".join(f"{photo.shade}.png,{photo.label}\n" for photo in PHOTOS)
    files = {f"{around}{photo.shade}.png": photo.data for photo in PHOTOS}
    (tmp_path / "a.zip").write_bytes(zip_of({**files, f"{around}metadata.csv": table.encode(), "__MACOSX/x": b""}))
    assert contents(list_photos(tmp_path / "a.zip", store)) == EXPECTED
    shard = io.BytesIO()
    columns = {"image": [photo.data for photo in PHOTOS], "label": [photo.label for photo in PHOTOS]}
    pq.write_table(pa.table(columns), shard)
    (tmp_path / "b.zip").write_bytes(zip_of({f"{around}data/train-0.parquet": shard.getvalue()}))
    assert contents(list_photos(tmp_path / "b.zip", store)) == EXPECTED


def test_a_table_in_it_is_named(tmp_path: Path, store: Path) -> None:
    files = {f"dogs/train/{photo.shade}.png": photo.data for photo in PHOTOS}
    rows = "".join(f"{photo.shade},{photo.label}\n" for photo in PHOTOS)
    (tmp_path / "dogs.zip").write_bytes(zip_of({**files, "dogs/labels.csv": f"id,breed\n{rows}".encode()}))
    with pytest.raises(DatasetError, match=r"pass it, as (.*labels\.csv)\.") as refused:
        list_photos(tmp_path / "dogs.zip", store)
    table = str(refused.value).rpartition(" as ")[2].rstrip(".")
    assert contents(list_photos(table, store)) == EXPECTED


def test_a_layout_can_be_asked_for(tmp_path: Path, store: Path) -> None:
    photos = {f"{side}/{label}/{side}{label}.png": b"x" for side in ("one", "two") for label in ("cat", "dog")}
    (tmp_path / "a.zip").write_bytes(zip_of(photos))
    with pytest.raises(OptionError, match="can be read in two ways"):
        list_photos(tmp_path / "a.zip", store)
    assert list_photos(tmp_path / "a.zip", store, layout="splits").labels == ("cat", "dog")
    assert list_photos(tmp_path / "a.zip", store, layout="folders").labels == ("one", "two")


def test_what_was_unpacked_in_part_by_a_killed_run_is_removed(tmp_path: Path, store: Path) -> None:
    photos = {f"{label}/{number}.png": os.urandom(20_000) for label in ("cat", "dog") for number in range(400)}
    (tmp_path / "a.zip").write_bytes(zip_of(photos))
    code = (
        "import os, signal, sys\n"
        "from retrain.core.progress import Silent\n"
        "from retrain.photos.opening import list_photos\n"
        "class Kill(Silent):\n"
        "    def opening(self, done, total):\n"
        "        if done > total / 2: os.kill(os.getpid(), signal.SIGKILL)\n"
        "list_photos(sys.argv[1], sys.argv[2], progress=Kill())"
    )
    run = subprocess.run([sys.executable, "-c", code, tmp_path / "a.zip", store])
    assert run.returncode == -signal.SIGKILL
    (left,) = os.listdir(tmp_path / "tf_files/sources")
    assert left.startswith(".retrain-")
    assert len(list_photos(tmp_path / "a.zip", store).files) == 800
    (whole,) = os.listdir(tmp_path / "tf_files/sources")
    assert whole.startswith("a-")


def test_an_address_is_asked_once(site: Site, tmp_path: Path, store: Path) -> None:
    url = site.serve("/sets/cats.zip", CATS)
    said: list[str] = []
    first = list_photos(f"{url}?download=1", store, progress=Said(said.append))
    assert contents(first) == EXPECTED and len(site.asked) == 1
    assert (
        list_photos(f"{url}?download=1", store, progress=Said(said.append)).files == first.files
        and len(site.asked) == 1
    )
    assert "was fetched on" in said[-1] and "to fetch it again, delete" in said[-1]
    (folder,) = (tmp_path / "tf_files/sources/downloads").iterdir()
    assert folder.name.startswith("cats_zip-") and str(folder) in said[-1]
    (folder / "cats.zip").unlink()  # once it is unpacked it may go
    assert list_photos(f"{url}?download=1", store).files == first.files and len(site.asked) == 1
    shutil.rmtree(folder)
    assert list_photos(f"{url}?download=1", store).files == first.files and len(site.asked) == 2


def test_an_address_with_a_password_is_refused_before_it_is_said(tmp_path: Path, store: Path) -> None:
    said: list[str] = []
    with pytest.raises(DownloadError, match=r"https://a\.example/cats\.zip was given with a user or a password"):
        list_photos("https://ana:secret@a.example/cats.zip", store, progress=Said(said.append))
    assert not said and not (tmp_path / "tf_files").exists()


def test_an_address_of_the_same_archive_is_the_same_source(site: Site, tmp_path: Path, store: Path) -> None:
    (tmp_path / "here.zip").write_bytes(CATS)
    here = list_photos(tmp_path / "here.zip", store)
    assert list_photos(site.serve("/cats.zip", CATS), store).files == here.files


def test_an_archive_that_was_put_there_by_hand_is_not_downloaded(site: Site, tmp_path: Path, store: Path) -> None:
    url = site.serve("/cats.zip", b"", status=404)
    with pytest.raises(DownloadError, match=r"put it at (.*)\.$") as failed:
        list_photos(url, store)
    place = Path(str(failed.value).rpartition("put it at ")[2].rstrip("."))
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(CATS)
    assert contents(list_photos(url, store)) == EXPECTED


def test_one_that_was_put_there_by_hand_has_to_be_the_one(site: Site, store: Path) -> None:
    address = f"{site.serve('/cats.zip', b'', status=404)}#sha256={hashlib.sha256(CATS).hexdigest()}"
    with pytest.raises(DownloadError) as failed:
        list_photos(address, store)
    place = Path(str(failed.value).rpartition("put it at ")[2].rstrip("."))
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(b"another")
    with pytest.raises(DatasetError, match=r"cats\.zip has the SHA-256 .* instead of .*: delete it"):
        list_photos(address, store)
    place.write_bytes(CATS)
    assert contents(list_photos(address, store)) == EXPECTED


def test_a_login_page_is_called_one(site: Site, store: Path) -> None:
    url = site.serve("/cats.zip", b"<!DOCTYPE html><html>Please log in")
    with pytest.raises(DatasetError, match="is a web page and no archive"):
        list_photos(url, store)


@pytest.mark.parametrize(
    "name", ["", "a/../..%2f..%2fetc", "%00", "~", "...", ".hidden", "address.json", "x" * 300 + ".zip"]
)
def test_names_of_addresses_are_harmless(name: str, site: Site, tmp_path: Path, store: Path) -> None:
    from urllib.parse import quote, unquote

    site.serve(f"/{quote(unquote(name), safe='/%')}", CATS)
    for path in (f"/{name}", f"/{unquote(name)}"):
        site.serve(path, CATS)
    assert contents(list_photos(f"{site.url}/{name}", store)) == EXPECTED
    assert set(os.listdir(tmp_path)) == {"tf_files"} and set(os.listdir(tmp_path / "tf_files")) <= {
        "sources",
        "bottlenecks",
    }


def test_one_file_of_another_kind_is_read_as_it_is(site: Site, store: Path) -> None:
    shard = io.BytesIO()
    columns = {"image": [photo.data for photo in PHOTOS], "label": [photo.label for photo in PHOTOS]}
    pq.write_table(pa.table(columns), shard)
    assert contents(list_photos(site.serve("/train.parquet", shard.getvalue()), store)) == EXPECTED
    with pytest.raises(DatasetError, match="is neither a folder"):
        list_photos(site.serve("/notes.pdf", b"%PDF"), store)


def test_training_from_an_address(site: Site, tmp_path: Path) -> None:
    paint_classes(tmp_path / "photos", {name: name for name in ("red", "green", "blue")}, range(12))
    archive = shutil.make_archive(str(tmp_path / "colours"), "gztar", root_dir=tmp_path, base_dir="photos")
    url = site.serve("/colours.tar.gz", Path(archive).read_bytes())
    stores = f"--bottleneck_dir {tmp_path / 'b'} --source_dir {tmp_path / 's'}".split()
    run = (*stores, "--architecture", "fake", "--output_dir", tmp_path / "m", "--formats", "saved_model", "--json")
    done = call(main, "--image_dir", url, *run, "--report", tmp_path / "report.html")
    assert done.code == 0, done.err
    by_address = json.loads(done.out.splitlines()[-1])
    done = call(main, "--image_dir", archive, *run)  # the same photos: nothing is computed anew
    assert done.code == 0 and "36 cached, 0 computed" in done.err
    assert json.loads(done.out.splitlines()[-1])["test"] == by_address["test"]
    assert call(main, "evaluate", tmp_path / "m", url, *stores, "--all_photos").code == 0
    assert call(main, "doctor", url, *stores, "--architecture", "fake", "--output_dir", tmp_path / "d").code == 0
    assert call(main, "look", url, *stores).code == 0
    assert len(site.asked) == 1


def test_plain_http_to_others_is_refused_by_the_command(tmp_path: Path) -> None:
    done = call(main, "look", "http://example.invalid/cats.zip", "--source_dir", tmp_path)
    assert done.code == 1 and "is not encrypted" in done.err
    assert call(main, "look", "https://" + "x" * 5000, "--source_dir", tmp_path).code == 1
