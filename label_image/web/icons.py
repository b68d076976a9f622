"""The page's icon: the corners of a viewfinder around a dot, drawn, so that there is no picture to keep."""

import io

from PIL import Image, ImageDraw

ICONS = {"icon-192.png": 192, "icon-512.png": 512, "apple-touch-icon.png": 180}
GROUND, FRAME, DOT = "#14161a", "#ffffff", "#5db4f5"
FINER = 4  # drawn so many times larger, and made smaller


def icon(side: int) -> bytes:
    """A PNG of the icon. It fills its square: systems cut the shape that they want, and leave the inner 80 %."""
    large = side * FINER
    image = Image.new("RGB", (large, large), GROUND)
    draw = ImageDraw.Draw(image)
    low, high, width, arm, bend = (round(large * share) for share in (0.24, 0.76, 0.055, 0.17, 0.1))
    draw.rounded_rectangle((low, low, high, high), bend, outline=FRAME, width=width)
    inner = (low + arm, high - arm)
    draw.rectangle((inner[0], 0, inner[1], large), fill=GROUND)
    draw.rectangle((0, inner[0], large, inner[1]), fill=GROUND)
    for x, y in ((inner[0], low), (inner[1], low), (inner[0], high - width), (inner[1], high - width)):
        _round_end(draw, x, y + width / 2, width)
        _round_end(draw, y + width / 2, x, width)
    middle, radius = large / 2, large * 0.1
    draw.ellipse((middle - radius, middle - radius, middle + radius, middle + radius), fill=DOT)
    file = io.BytesIO()
    image.resize((side, side), Image.Resampling.BOX).quantize(32, dither=Image.Dither.NONE).save(file, "PNG")
    return file.getvalue()


def _round_end(draw: ImageDraw.ImageDraw, x: float, y: float, width: float) -> None:
    draw.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=FRAME)
