"""Photos labelled one after the other, each with its pictures (`--plot`, `--heatmap`)."""

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack

from label_image.errors import PhotoError
from label_image.folders import PassedOver
from label_image.one_photo import bytes_of
from label_image.pictures import Pictures
from label_image.rows import Asked, Row, row_of

Answer = Callable[[Row, Mapping[str, str]], None]  # told of a photo and its pictures


def label_with_pictures(photos: Iterable[str | PassedOver], asked: Asked, pictures: Pictures, answer: Answer) -> bool:
    """Label photos and draw them; whether each could be read. Raises ModelError and PictureError."""
    failed = False
    for position, found in enumerate(photos):
        row, drawn = _drawn(found, position, asked, pictures)
        failed = failed or bool(row.error)
        answer(row, drawn)
    return not failed


def _drawn(found: str | PassedOver, position: int, asked: Asked, pictures: Pictures) -> tuple[Row, Mapping[str, str]]:
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
