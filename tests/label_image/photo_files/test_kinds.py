import io

import pytest
from PIL import Image

from label_image.photo_files.kinds import EXTENSIONS, FORMATS, extension_of, kind_of

PICTURE = Image.new("RGB", (8, 8), "red")


def saved(kind: str) -> bytes:
    file = io.BytesIO()
    PICTURE.save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind != "HEIF"])  # which Pillow does not write
def test_a_name_ends_in_the_kind_of_its_photo(kind: str) -> None:
    assert kind_of(saved(kind)) == kind
    assert extension_of(saved(kind)) == EXTENSIONS[kind][0]


@pytest.mark.parametrize("brands", [b"heicmif1", b"mif1heic"])
def test_heif_may_begin_with_either_brand(brands: bytes) -> None:
    assert extension_of(b"\0\0\0\x18ftyp" + brands[:4] + b"\0\0\0\0" + brands) == ".heic"


@pytest.mark.parametrize("data", [b"", b"RIFF\0\0\0\0AVI LIST", b"%PDF-1.7"])
def test_what_is_no_photo_has_no_ending(data: bytes) -> None:
    assert extension_of(data) == ""
