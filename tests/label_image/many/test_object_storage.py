"""Photos in object storage: a single one, and all below a folder, without copies of them on this machine."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from labelling import label, rows
from painting import paint

from label_image import object_storage
from label_image.many.on_node import Export, OnNode, block_of, rows_of
from label_image.model import load_model
from label_image.rows import labels_photos

pytest.importorskip("moto.server", reason="moto is not installed: `make cluster`")
from object_server import ObjectServer, object_server


@pytest.fixture(scope="module")
def server() -> Iterator[ObjectServer]:
    with object_server() as found:
        yield found


def painted(colour: str) -> bytes:
    return paint(Path("drawn.jpg"), colour).read_bytes()


@pytest.fixture
def stored(server: ObjectServer, here: Path, monkeypatch: pytest.MonkeyPatch) -> ObjectServer:
    """A red one and a green one below cats/, beside what is none of them; `here` is the working folder."""
    server.empty()
    for key, data in (
        ("cats/a.jpg", painted("red")),
        ("cats/deep/b 1%.jpg", painted("green")),
        ("cats/deep/film.mp4", b"a film"),
        ("cats/.hidden/c.jpg", painted("red")),
        ("cats/d.jpg", b"no photo"),
        ("catsuit.jpg", painted("blue")),
    ):
        server.put(key, data)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    object_storage.forget_connections()
    return server


def test_all_below_a_folder(stored: ObjectServer, model: Path) -> None:
    said = label(model, "s3://photos/cats", "--csv", "t.csv", code=1)
    assert "Passed over: 1 video, such as s3://photos/cats/deep/film.mp4." in said.err
    assert [(row["path"], row["label"], bool(row["error"])) for row in rows(Path("t.csv"))] == [
        ("s3://photos/cats/a.jpg", "red", False),
        ("s3://photos/cats/d.jpg", "", True),
        ("s3://photos/cats/deep/b 1%.jpg", "green", False),
    ]


def test_one_photo_and_none(stored: ObjectServer, model: Path) -> None:
    said = label(model, "s3://photos/catsuit.jpg", "s3://photos/none", code=1)
    assert "blue" in said.out and said.err.count("\n") == 1
    assert said.err.startswith("Error: s3://photos/none ")


@pytest.mark.parametrize("address", ["s3://empty", "s3://empty/", "s3://photos/hidden", "s3://photos/marked/"])
def test_an_empty_folder_is_one_as_on_a_disk(address: str, stored: ObjectServer, model: Path) -> None:
    stored.client().create_bucket(Bucket="empty")
    stored.put("hidden/.keep", b"")
    stored.put("marked/", b"")
    assert f"Error: {address} holds no photo.\n" in label(model, address, code=1).err
    said = label(model, address, "--csv", "t.csv", code=1)
    assert f"There is no photo in {address}." in said.err and not list(Path().glob("t.csv*"))


def test_a_folder_of_videos_alone_is_an_error(stored: ObjectServer, model: Path) -> None:
    stored.put("films/v.mp4", b"a film")
    said = label(model, "s3://photos/films", code=1)
    assert "Error: s3://photos/films holds no photo, only videos (1)." in said.err


def test_a_bucket_that_is_not_there_is_an_error(stored: ObjectServer, model: Path) -> None:
    said = label(model, "s3://nowhere", "--csv", "t.csv", code=1)
    assert "s3://nowhere cannot be read" in said.err and rows(Path("t.csv"))[0]["path"] == "s3://nowhere"


def test_photos_in_a_storage_are_not_moved(stored: ObjectServer, model: Path) -> None:
    said = label(model, "s3://photos/cats", "--move_to", "out", code=2)
    assert "--move_to is for files and folders" in said.err


def test_a_node_reads_them_itself(stored: ObjectServer, model: Path) -> None:
    loaded = load_model(model)
    found = ["s3://photos/cats/a.jpg", "s3://photos/cats/d.jpg", "s3://photos/none", "s3://photos/catsuit.jpg"]
    there = [row for row, _ in rows_of(OnNode(Export.of(loaded), "/")(block_of(found)))]
    here = list(map(labels_photos(loaded), found))
    assert [(row.path, row.error) for row in there] == [(row.path, row.error) for row in here]
    assert [bool(row.error) for row in there] == [False, True, True, False]
    assert all(np.array_equal(one.probabilities, other.probabilities) for one, other in zip(here, there, strict=True))
