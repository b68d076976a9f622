"""`decode(2)`: a large JPEG is decoded smaller, and looks as if it had not been."""

import io

import numpy as np
import pytest
from encoding import encoded, random_pixels, square
from PIL import Image

from label_image.errors import PhotoError


def smooth_photo(width: int, height: int) -> Image.Image:
    return Image.fromarray(random_pixels(6, 8, 3)).resize((width, height), Image.Resampling.BICUBIC)


@pytest.mark.parametrize(
    ("size", "scale"),
    [
        ((63, 64), 1),
        ((64, 64), 2),
        ((64, 1000), 2),
        ((1000, 64), 2),
        ((127, 128), 2),
        ((128, 128), 4),
        ((255, 300), 4),
        ((256, 256), 8),
        ((999, 2000), 8),
    ],
)
def test_a_large_jpeg_is_decoded_smaller_but_no_smaller_than_twice_the_square(
    size: tuple[int, int], scale: int
) -> None:
    data = encoded(smooth_photo(*size), "JPEG")
    with Image.open(io.BytesIO(data)) as image:
        image.draft(None, (size[0] // scale, size[1] // scale))
        assert image.size == (-(-size[0] // scale), -(-size[1] // scale))
        box = (0, 0, size[0] / scale, size[1] / scale)
        assert scale == 1 or min(box[2:]) >= 32
        expected = np.asarray(image.resize((16, 16), Image.Resampling.BILINEAR, box))
    assert np.array_equal(square(16, "bilinear", "decode(2)").pixels(data), expected)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF", "BMP", "GIF"])
def test_other_formats_are_decoded_whole(format: str) -> None:
    data = encoded(smooth_photo(200, 300), format)
    assert np.array_equal(square(8, "bilinear", "decode(2)").pixels(data), square(8, "bilinear").pixels(data))


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"subsampling": 2}], ids=str)
@pytest.mark.parametrize("format", ["JPEG", "MPO"])
def test_every_kind_of_jpeg_looks_alike_at_any_scale(format: str, mode: str, options: dict[str, object]) -> None:
    photo = smooth_photo(400, 300).convert(mode)
    data = encoded(photo, format, quality=95, **options)
    scaled, whole = (square(16, "bilinear", decode).pixels(data).astype(int) for decode in ("decode(2)", "decode"))
    assert np.abs(scaled - whole).max() <= 4
    assert np.abs(scaled - whole).mean() <= 1


@pytest.mark.parametrize("size", [(257, 257), (511, 259), (300, 263)])
def test_a_size_that_does_not_divide_shifts_nothing(size: tuple[int, int]) -> None:
    """Each row and column of a ramp comes out as dark or as light as without scaling."""
    ramp = np.linspace(0, 255, size[0])[None, :, None].repeat(size[1], 0).repeat(3, 2)
    data = encoded(Image.fromarray(ramp.astype(np.uint8)), "JPEG", quality=100, subsampling=0)
    scaled, whole = (square(16, "bilinear", decode).pixels(data).astype(int) for decode in ("decode(2)", "decode"))
    assert np.abs(scaled - whole).max() <= 1


def test_a_cut_jpeg_is_refused_at_any_scale() -> None:
    data = encoded(smooth_photo(400, 300), "JPEG")
    with pytest.raises(PhotoError, match="is cut off"):
        square(16, "bilinear", "decode(2)").pixels(data[: len(data) // 2])
