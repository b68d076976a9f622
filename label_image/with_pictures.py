"""Photos labelled one after the other, each with its pictures (`--plot`, `--heatmap`)."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from label_image.errors import PhotoError
from label_image.folders import Found, PassedOver
from label_image.many.errors import no_photo_in
from label_image.many.screen import say_passed_over
from label_image.many.wanted import Wanted
from label_image.one_photo import bytes_of
from label_image.picture_files import is_earlier_picture
from label_image.pictures import Pictures
from label_image.rows import Asked, Row, row_of

Answer = Callable[[Row, Mapping[str, str]], None]  # told of a photo and its pictures


@dataclass(frozen=True)
class Drawing:
    """The photos that are labelled and drawn, what lies beside them and is passed over, and the pictures."""

    photos: Sequence[Found]
    videos: Sequence[str]
    no_photos: Sequence[str]
    pictures: Pictures


def drawing_of(wanted: Wanted, files: Mapping[str, Path]) -> Drawing:
    """What is to be drawn into files that are named after these, by "plot" and "heatmap".

    What an earlier call drew there is no photo. Raises ManyError where there is none, and PictureError.
    """
    photos: list[Found] = []
    beside: dict[str, list[str]] = {"video": [], "no photo": []}
    for found in wanted.photos():
        if isinstance(found, PassedOver) and found.kind in beside:
            beside[found.kind].append(found.path)
        elif isinstance(found, PassedOver) or not any(is_earlier_picture(found, file) for file in files.values()):
            photos.append(found)
    pictures = Pictures(files, len(photos))
    if not photos:
        raise no_photo_in(wanted.images)
    return Drawing(photos, beside["video"], beside["no photo"], pictures)


def label_with_pictures(drawing: Drawing, asked: Asked, model: str, answer: Answer) -> bool:
    """Label photos and draw them by the model at a path; whether each could be read.

    Raises ModelError and PictureError.
    """
    drawing.pictures.load(asked.model, model)
    failed = False
    for position, found in enumerate(drawing.photos):
        row, drawn = _drawn(found, position, asked, drawing.pictures)
        failed = failed or bool(row.error)
        answer(row, drawn)
    say_passed_over(drawing.videos, drawing.no_photos)
    return not failed


def _drawn(found: Found, position: int, asked: Asked, pictures: Pictures) -> tuple[Row, Mapping[str, str]]:
    if isinstance(found, PassedOver):
        return Row(found.path, error=found.reason), {}
    with ExitStack() as stack:
        try:
            data = stack.enter_context(bytes_of(found))
            row = row_of(found, data, asked.model)
            verdict = asked.verdict(row)
            title = str(verdict) if verdict.unknown else None
            return row, pictures.save(position, data, verdict.answers, title, os.path.basename(found))
        except PhotoError as error:
            return Row(found, error=str(error)), {}
