"""A fingerprint, and the file that says what it covers."""

import hashlib
import json
import os
from pathlib import Path

import pytest
from stored import COVERS, DIM, description, put, served

from retrain.bottlenecks.store import Store, fingerprint


def test_the_fingerprint_is_of_the_canonical_json() -> None:
    text = '{"b":[1,2],"ä":"x"}'
    assert fingerprint({"ä": "x", "b": (1, 2)}) == hashlib.sha256(text.encode()).hexdigest()
    assert fingerprint({"b": [1, 2], "ä": "x"}) == fingerprint({"ä": "x", "b": [1, 2]})
    assert fingerprint({"a": 1}) != fingerprint({"a": 1.5})
    with pytest.raises(ValueError):
        fingerprint({"a": float("nan")})


def test_one_folder_per_fingerprint_with_its_description(tmp_path: Path) -> None:
    first, second = Store(tmp_path, COVERS, DIM), Store(tmp_path, {**COVERS, "seed": 1}, DIM)
    assert first.folder == tmp_path / fingerprint(COVERS) != second.folder
    assert json.loads(description(first).read_text()) == {"covers": COVERS, "dim": DIM, "dtype": "float32"}
    put(first, [1])
    first.flush()
    assert served(second, [1]) == []


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize(
    "damaged",
    [b"", b"{", b"[]", b'{"covers":{},"dim":4,"dtype":"float32"}', b"\xff", b"[" * 100_000, b" " * (2 << 20)],
    ids=["empty", "cut", "other JSON", "another description", "no text", "deep", "large"],
)
def test_a_damaged_description_is_kept_aside_and_written_anew(tmp_path: Path, damaged: bytes, stored: bool) -> None:
    with Store(tmp_path, COVERS, DIM) as opened:
        if stored:
            put(opened, [1])
    path = description(opened)
    sound = path.read_bytes()
    path.write_bytes(damaged)
    again = Store(tmp_path, COVERS, DIM)
    assert served(again, [1]) == [1] * stored
    assert path.read_bytes() == sound
    assert path.with_name(f"{path.name}.damaged").read_bytes() == damaged
    assert served(Store(tmp_path, COVERS, DIM), [1]) == [1] * stored
    assert len(list(tmp_path.rglob("*.damaged"))) == 1


def test_any_flipped_bit_of_a_description_is_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)
    with Store(tmp_path, COVERS, DIM) as opened:
        put(opened, [1])
    path = description(opened)
    sound = path.read_bytes()
    for bit in range(0, 8 * len(sound), 5):
        flipped = bytearray(sound)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        assert served(Store(tmp_path, COVERS, DIM), [1]) == [1]
        assert json.loads(path.read_bytes()) == json.loads(sound)


@pytest.mark.parametrize("kind", ["folder", "pipe", "link to itself", "link to nothing"])
def test_what_is_no_file_in_the_place_of_a_description(tmp_path: Path, kind: str) -> None:
    with Store(tmp_path, COVERS, DIM) as opened:
        put(opened, [1])
    path = description(opened)
    sound = path.read_bytes()
    path.unlink()
    if kind == "folder":
        path.mkdir()
        (path / "precious").touch()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(path if kind == "link to itself" else tmp_path / "nothing")
    assert served(Store(tmp_path, COVERS, DIM), [1]) == [1]
    assert not path.is_symlink() and path.read_bytes() == sound
    if kind == "folder":
        assert (path.with_name(f"{path.name}.damaged") / "precious").exists()


def test_a_description_that_is_lost_is_written_anew(tmp_path: Path) -> None:
    path = description(Store(tmp_path, COVERS, DIM))
    sound = path.read_bytes()
    path.unlink()
    Store(tmp_path, COVERS, DIM)
    assert path.read_bytes() == sound
