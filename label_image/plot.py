"""A photo with a bar for each of its answers."""

from collections.abc import Sequence
from typing import Protocol

from PIL import Image, ImageDraw

from label_image.lettering import shortened, typeset, wrapped

MARGIN = 24
LINE, TEXT, NAME = 28, 20, 16  # heights: of a line of text, of its letters, of those of a file's name
# Heights of the first answer, which stands out, and of the others: of all, of the letters, of the bar.
FIRST_ROW, OTHER_ROW = (72, 30, 16), (46, 18, 8)
PANEL = 360  # width of the bars beside a photo, and the least below one
WIDE = 1.6  # photos wider than that have the bars below, others beside
# The colours of the report, `retrain/insight/html/templates/style.css`.
PAPER, INK, QUIET, TRACK = (255, 255, 255), (27, 30, 35), (93, 101, 112), (239, 240, 237)
FIRST, OTHER = (0, 105, 173), (154, 160, 166)  # the first answer stands out, the rest is gray


class Answer(Protocol):
    """A label with its probability in 0..1."""

    @property
    def label(self) -> str: ...
    @property
    def probability(self) -> float: ...


def plot(photo: Image.Image, answers: Sequence[Answer], title: str | None = None, name: str = "") -> Image.Image:
    """Draw a photo, RGB of any proportions, with horizontal bars beside it, or below a wide one.

    A `title` stands in their place: for a photo that is none of the labels, whose probabilities mean nothing. The
    `name` of the file is below everything.
    """
    below = photo.width > WIDE * photo.height
    width = max(PANEL, photo.width) if below else PANEL
    bars = _paragraph(title, width) if title else _bars(answers, width)
    if below:
        width, height = max(photo.width, bars.width), photo.height + MARGIN + bars.height
        photo_at, bars_at = ((width - photo.width) // 2, 0), (0, photo.height + MARGIN)
    else:
        width, height = photo.width + MARGIN + bars.width, max(photo.height, bars.height)
        photo_at, bars_at = (0, (height - photo.height) // 2), (photo.width + MARGIN, (height - bars.height) // 2)
    page = Image.new("RGB", (width + 2 * MARGIN, height + 2 * MARGIN + (LINE if name else 0)), PAPER)
    for image, (left, top) in ((photo, photo_at), (bars, bars_at)):
        page.paste(image, (left + MARGIN, top + MARGIN))
    if name:
        text, font = typeset(name, NAME)
        text = shortened(text, font, width)
        ImageDraw.Draw(page).text((MARGIN, height + MARGIN + LINE), text, QUIET, font, anchor="ls")
    return page


def captioned(photo: Image.Image, text: str) -> Image.Image:
    """A photo, RGB of any proportions, with a text below it."""
    caption = _paragraph(text, max(photo.width, PANEL))
    width = max(photo.width, caption.width)
    page = Image.new("RGB", (width + 2 * MARGIN, photo.height + caption.height + 3 * MARGIN), PAPER)
    page.paste(photo, (MARGIN + (width - photo.width) // 2, MARGIN))
    page.paste(caption, (MARGIN + (width - caption.width) // 2, photo.height + 2 * MARGIN))
    return page


def _paragraph(text: str, width: int) -> Image.Image:
    """A text on as many lines as it takes, and no wider than its longest line."""
    text, font = typeset(text, TEXT)
    lines = wrapped(text, font, width)
    page = Image.new(
        "RGB", (min(width, max(int(font.getlength(line)) + 1 for line in lines)), LINE * len(lines)), PAPER
    )
    draw = ImageDraw.Draw(page)
    for number, line in enumerate(lines):
        draw.text((0, LINE * number + TEXT), line, INK, font, anchor="ls")
    return page


def _bars(answers: Sequence[Answer], width: int) -> Image.Image:
    rows = [FIRST_ROW, *[OTHER_ROW] * (len(answers) - 1)]
    page = Image.new("RGB", (width, sum(height for height, _, _ in rows)), PAPER)
    draw, top = ImageDraw.Draw(page), 0
    for answer, (height, size, thick) in zip(answers, rows, strict=True):
        first = top == 0
        percent, figures = typeset(f"{answer.probability:.1%}", size)
        draw.text((width, top + size), percent, INK if first else QUIET, figures, anchor="rs")
        label, font = typeset(answer.label, size)
        label = shortened(label, font, width - figures.getlength(percent) - size)
        draw.text((0, top + size), label, INK if first else QUIET, font, anchor="ls")
        bar, length = top + height - thick - 14, round(width * answer.probability)
        draw.rectangle((0, bar, width - 1, bar + thick - 1), TRACK)
        if length:
            draw.rectangle((0, bar, length - 1, bar + thick - 1), FIRST if first else OTHER)
        top += height
    return page
