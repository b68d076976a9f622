"""BMP files that are run-length coded, which Pillow decodes in Python, some of them pixel by pixel."""

import struct

from label_image.errors import PhotoError

MOST_RUN_LENGTH_PIXELS = 32_000_000  # seconds
_RUN_LENGTH = (1, 2)


def is_run_length_coded(data: bytes) -> bool:
    """Whether a BMP is of 4 or 8 bits in runs."""
    return len(data) >= 34 and struct.unpack_from("<I", data, 30)[0] in _RUN_LENGTH


def check_runs(data: bytes, width: int, height: int) -> None:
    """Raises PhotoError for a run-length coded BMP that takes minutes to decode."""
    if is_run_length_coded(data) and width * height > MOST_RUN_LENGTH_PIXELS:
        raise PhotoError(
            f"is a run-length coded BMP of {width} x {height} pixels; the limit of these is "
            f"{MOST_RUN_LENGTH_PIXELS}: save it as PNG"
        )
