"""The bytes of a photo are all of them, however few one reading gives."""

import io
from pathlib import Path

import pytest

from label_image.errors import PhotoError
from label_image.photo_files import reading
from label_image.photo_files.reading import read_photo

CONTENT = bytes(range(256)) * 40


class Dribbling(io.FileIO):
    """A file that gives at most 1,000 bytes at a time, as a file system may."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(1000, size or 0))


@pytest.mark.parametrize("content", [b"", b"a", CONTENT])
def test_all_bytes_are_read_in_whatever_pieces_they_come(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    assert read_photo(path) == content
    monkeypatch.setattr(reading, "open", lambda path, *a, opener, **k: Dribbling(path, opener=opener), raising=False)
    assert read_photo(path) == content


def test_a_file_that_grows_is_refused_and_one_that_shrinks_is_what_it_is_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(CONTENT)
    all_of = reading._all_of
    for size in (len(CONTENT) - 1, 1):
        monkeypatch.setattr(reading, "_all_of", lambda file, _, size=size: all_of(file, size))
        with pytest.raises(PhotoError, match=r"^grew while it was being read$"):
            read_photo(path)
    monkeypatch.setattr(reading, "_all_of", lambda file, size: all_of(file, size + 500))
    assert read_photo(path) == CONTENT
