"""Opening a photo: its header is read, no pixel is decoded, and what was made to hurt is refused."""

import functools
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, ImageFile, UnidentifiedImageError

from label_image.errors import PhotoError
from label_image.photo_files import bmp, gif, jpeg, png, tiff
from label_image.photo_files.kinds import kind_of

MAX_PIXELS = 250_000_000
NO_MEMORY = "takes more memory to decode than this program may have: allow it more (ulimit -v)"
TURNS = {  # by EXIF orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# MAX_PIXELS above is checked on the header of every photo and replaces Pillow's global limit,
# whose warning is not safe to catch in threads.
Image.MAX_IMAGE_PIXELS = None
# What Pillow reads and gives at a time: a whole square of 224 pixels, and not three parts that are joined. Of twice as
# much the memory would come from the system, and go back to it, each time.
ImageFile.MAXBLOCK = 2**18
# A photo decodes or is listed as skipped; Pillow's remarks about its metadata help nobody.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


@dataclass(frozen=True)
class OpenPhoto:
    """A photo whose header was read: its kind (of `kinds.FORMATS`), the bytes that Pillow reads, the picture.

    `kept` are the bytes that its decoder takes beside the picture, whatever size it is decoded at.
    """

    kind: str
    data: bytes
    image: Image.Image
    kept: int = 0


def open_photo(data: bytes, most_pixels: int | None = None) -> OpenPhoto:
    """Read the header of a photo. Raises PhotoError, and nothing else, for bytes of any kind."""
    kind = kind_of(data)
    data, kept = _prepared(kind, data)
    image = _opened(kind, data)
    limit = MAX_PIXELS if most_pixels is None else most_pixels
    if image.width * image.height > limit:
        raise PhotoError(f"is {image.width} x {image.height} pixels; the limit is {limit}")
    if kind == "BMP":
        bmp.check_runs(data, image.width, image.height)
    if kind == "HEIF":
        from label_image.photo_files.heif import bytes_per_pixel

        kept *= bytes_per_pixel(image.mode, int(image.info.get("bit_depth", 16)))
    return OpenPhoto(kind, data, image, kept)


def _prepared(kind: str, data: bytes) -> tuple[bytes, int]:
    """The bytes that Pillow is to read, and what `OpenPhoto.kept` will be; of HEIC it is pixels.

    What only few photos need is imported when the first of them comes: `label_image` starts small.
    """
    if kind == "JPEG":
        return data, jpeg.read_frame(data).coefficients
    if kind == "PNG":
        return png.pixels_only(data), 0
    if kind == "GIF":
        gif.check_extensions(data)
    elif kind == "TIFF":
        tiff.check_directory(data)
    elif kind == "PPM":
        from label_image.photo_files.ppm import of_8_bits

        return of_8_bits(data), 0
    elif kind == "JPEG2000":
        from label_image.photo_files.jpeg2000 import decoder_bytes

        return data, decoder_bytes(data)
    elif kind == "HEIF":
        from label_image.photo_files.heif import decoded_pixels

        pixels = decoded_pixels(data)
        _register_heif()
        return data, pixels
    return data, 0


def orientation(image: Image.Image) -> int:
    """The EXIF orientation 1..8; 1, upright, where there is none."""
    if image.format == "HEIF":
        return 1  # libheif turns it as its own boxes say; by the standard its EXIF orientation counts for nothing
    # Damaged EXIF says nothing about the pixels, so it counts as no EXIF at all. For the same reason
    # not ImageOps.exif_transpose, which fails when it cannot write the other tags back.
    try:
        exif = image.info.get("exif")
        if isinstance(exif, bytes):
            tiff.check_directory(exif.removeprefix(b"Exif\0\0"))
        # The plugin for PNG would decode the picture to look behind it, where `pixels_only` leaves nothing.
        found = Image.Image.getexif(image).get(0x0112, 1)
        return int(found) if found in TURNS else 1
    except Exception:
        return 1


def explained(error: Exception, data: bytes) -> PhotoError:
    """The sentence for whatever Pillow's plugins raise, a dozen different types, on a damaged file."""
    if isinstance(error, MemoryError):
        return PhotoError(NO_MEMORY)
    reason = str(error).strip().rstrip(".") or type(error).__name__
    if "truncated" in reason.lower() or "unexpected end of file" in reason.lower():
        if not data.startswith(b"\xff\xd8") or jpeg.is_cut_off(data):
            return PhotoError(f"is cut off: its {len(data)} bytes end before the picture does")
        reason = "its data are damaged"
    return PhotoError(f"cannot be decoded: {reason}")


def _opened(kind: str, data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=(kind,))
    except UnidentifiedImageError:
        # Pillow only says that it does not know the file; the plugin alone says what is wrong with it.
        plugin: Callable[[io.BytesIO, str], Image.Image] = Image.OPEN[kind][0]
        plugin(io.BytesIO(data), "")
        raise PhotoError(f"cannot be decoded: it begins like a photo ({kind}), but is none") from None


@functools.cache
def _register_heif() -> None:
    try:
        import pillow_heif
    except ImportError:
        raise PhotoError("is a HEIC photo, and what reads these is not installed: save it as JPEG") from None
    # Photos are read by one thread for each core as it is. Nothing but the main picture is wanted.
    pillow_heif.register_heif_opener(decode_threads=1, thumbnails=False, depth_images=False, aux_images=False)
