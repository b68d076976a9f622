"""GIF files up to their first picture."""

from label_image.errors import PhotoError

MOST_BLOCKS = 200_000  # of comments and the like, up to 255 bytes each
EXTENSION, PICTURE, END = 0x21, 0x2C, 0x3B


def check_extensions(data: bytes) -> None:
    """Raises PhotoError if so much stands before the first picture that going through it takes minutes."""
    at, inside = _behind_colours(data), False
    for _ in range(MOST_BLOCKS):
        if at >= len(data):
            return
        if inside:
            inside, at = data[at] > 0, at + 1 + data[at]
        elif data[at] in (PICTURE, END):
            return
        elif data[at] == EXTENSION:
            inside, at = True, at + 2
        else:  # as Pillow: what is neither is passed over, byte by byte
            at += 1
    raise PhotoError(f"has more than {MOST_BLOCKS} blocks before its first picture, which no picture needs")


def _behind_colours(data: bytes) -> int:
    """Where the blocks begin: behind the header and the colours for all pictures."""
    flags = data[10] if len(data) > 10 else 0
    return 13 + (3 * 2 ** ((flags & 7) + 1) if flags & 128 else 0)
