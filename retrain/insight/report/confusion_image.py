"""A confusion matrix as a picture, for TensorBoard, which shows no tables."""

import numpy as np
from PIL import Image, ImageDraw

from label_image.lettering import font_for, shortened, typeset
from label_image.preprocessing import Pixels
from retrain.insight.report.evidence import confusion_of
from retrain.training.metrics import Metrics

CELL, NAMES, MARGIN, SIZE = 28, 150, 8, 12  # pixels: a field, the room for names, around everything, letters
RIGHT, WRONG = np.array((0, 105, 173)), np.array((194, 68, 0))
PAPER, INK, EDGE = (255, 255, 255), (27, 30, 35), (227, 228, 225)


def draw_confusion(metrics: Metrics) -> Pixels:
    """The matrix as uint8 RGB (height, width, 3): rows are the truth, columns the answers.

    Of many classes those of the most frequent mistakes.
    """
    confusion = confusion_of(metrics)
    count = len(confusion.rows)
    origin = NAMES + MARGIN
    side = origin + count * CELL + MARGIN
    picture = Image.new("RGB", (side, side), PAPER)
    draw, digits = ImageDraw.Draw(picture), font_for("0123456789", SIZE)
    upright = Image.new("L", (NAMES, count * CELL))  # the names of the columns, before they are turned
    for place, row in enumerate(confusion.rows):
        middle = place * CELL + CELL / 2
        name, font = typeset(row.label, SIZE)
        name = shortened(name, font, NAMES - 12)
        draw.text((origin - 6, origin + middle), name, INK, font, anchor="rm")
        ImageDraw.Draw(upright).text((6, middle), name, 255, font, anchor="lm")
        for column, (number, share) in enumerate(zip(row.counts, row.shares, strict=True)):
            x, y = origin + column * CELL, origin + place * CELL
            strength = 0.15 + 0.85 * share if number else 0
            colour = PAPER + strength * ((RIGHT if column == place else WRONG) - PAPER)
            draw.rectangle((x, y, x + CELL, y + CELL), tuple(colour.round().astype(int).tolist()), EDGE)
            if number:
                ink = PAPER if share > 0.55 else INK
                draw.text((x + CELL / 2, y + CELL / 2), str(number), ink, digits, anchor="mm")
    # Turned to the left, the first name is the leftmost, and all begin at the matrix.
    picture.paste(INK, (origin, MARGIN), upright.transpose(Image.Transpose.ROTATE_90))
    return np.asarray(picture)
