"""A photo squeezed to a square by the same two passes in every version of Pillow.

Pillow resizes along one side and then along the other, and rounds to 8 bits in between, so the order is seen in the
pixels: a level of rounding in some of them, and up to 0.03 of a probability in int8. Pillow 12 begins with the rows,
13 with the columns where those are to lose much more (its pull request 9549). Here the order is asked for, pass by
pass, by the rule of Pillow 13; the page that labels on a phone (`label_image/web`) has it, too.
"""

from PIL import Image

Box = tuple[float, float, float, float]


def squeezed(
    image: Image.Image, side: int, resample: Image.Resampling = Image.Resampling.BILINEAR, box: Box | None = None
) -> Image.Image:
    """The picture, 8 bits of gray or RGB, as `side` x `side` pixels. `box` is what is taken of it, if not all."""
    if resample is Image.Resampling.NEAREST:  # picks pixels, and rounds nothing
        return image.resize((side, side), resample, box)
    width, height = image.size
    left, top, right, bottom = box or (0, 0, width, height)
    if is_columns_first(width, height, side):
        low = image.resize((width, side), resample, (0, top, width, bottom))
        return low.resize((side, side), resample, (left, 0, right, side))
    narrow = image.resize((side, height), resample, (left, 0, right, height))
    return narrow.resize((side, side), resample, (0, top, side, bottom))


def is_columns_first(width: int, height: int, side: int) -> bool:
    """Whether the height is made smaller before the width: where it is to lose more than twice as many pixels."""
    return height > side and height - side > 2 * (width - side)
