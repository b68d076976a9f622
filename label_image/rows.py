"""What is known of one photo that was labelled, or could not be."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from label_image.errors import PhotoError
from label_image.files import sha256_of_bytes
from label_image.folders import Found, PassedOver
from label_image.model import Model, Outputs, Verdict
from label_image.not_paths import STANDARD_INPUT, is_no_path
from label_image.one_photo import bytes_of
from label_image.terminal import shown

if TYPE_CHECKING:  # loaded where it is asked for
    from label_image.embedding import Embed

State = tuple[int, int]  # of a file: its size, and when it was last written to


@dataclass(frozen=True)
class Row:
    """One photo: the model's numbers or, where it could not be read, the `error` as a phrase that continues its path.

    `state` is that of its file before it was read; None of what is no file. `to` is where it was copied or moved to.
    Where bottlenecks are asked for, there are an `embedding` and the `sha256` of the photo instead of answers.
    """

    path: str
    state: State | None = None
    probabilities: npt.NDArray[np.float32] | None = None  # (labels,)
    similarity: float | None = None
    error: str = ""
    to: str = ""
    embedding: npt.NDArray[np.float32] | None = None  # (dim,)
    sha256: str = ""

    @property
    def sentence(self) -> str:
        """The error, as it is told."""
        name = "Standard input" if self.path == STANDARD_INPUT else self.path
        return shown(f"{name} {self.error}.")  # a server's words may be in it


@dataclass(frozen=True)
class Asked:
    """Whom to ask, and how its answers are meant; with `embed` bottlenecks are wanted, and no answers."""

    model: Model
    top_k: int
    always_answer: bool
    embed: "Embed | None" = None

    @property
    def done(self) -> str:
        """What is done to photos, in the past."""
        return "labelled" if self.embed is None else "embedded"

    def is_whole(self, row: Row) -> bool:
        """Whether a row of an earlier run has what is asked for."""
        if self.embed is not None:
            return row.embedding is not None
        return row.probabilities is not None and len(row.probabilities) == len(self.model.labels)

    def rows(self) -> Callable[[Found], Row]:
        """What makes the row of a photo; any number of threads may call it."""
        return labels_photos(self.model) if self.embed is None else embeds_photos(self.model, self.embed)

    def verdict(self, row: Row) -> Verdict:
        """What the model says of a photo that was read."""
        verdict = self.model.verdict(_outputs(row), self.top_k)
        return replace(verdict, unknown=False) if self.always_answer else verdict

    def best(self, row: Row) -> tuple[str, float, bool]:
        """The first answer of that verdict, its probability, and whether the photo is unknown; in less time."""
        outputs = _outputs(row)
        best = int(outputs.probabilities[0].argmax())
        refused = None if self.always_answer else self.model.refuses(outputs)
        return self.model.labels[best], float(outputs.probabilities[0, best]), refused is not None and bool(refused[0])


def _outputs(row: Row) -> Outputs:
    assert row.probabilities is not None
    similarity = None if row.similarity is None else np.array([row.similarity], np.float32)
    return Outputs(row.probabilities[None], similarity)


def state_of(path: str) -> State | None:
    """The state of a file; None if there is none."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_size, status.st_mtime_ns


def labels_photos(model: Model) -> Callable[[Found], Row]:
    """What labels one photo; any number of threads may call it."""
    return _rows_by(lambda path, data, state: row_of(path, data, model, state))


def embeds_photos(model: Model, embed: "Embed") -> Callable[[Found], Row]:
    """What gives one photo its bottleneck; any number of threads may call it."""

    def row(path: str, data: bytes, state: State | None) -> Row:
        embedding = embed(model.preprocessing.pixels(data)[None])[0]
        return Row(path, state, embedding=embedding, sha256=sha256_of_bytes(data))

    return _rows_by(row)


def _rows_by(make: Callable[[str, bytes, State | None], Row]) -> Callable[[Found], Row]:
    """From the bytes of photos, where these can be read."""

    def row(found: Found) -> Row:
        if isinstance(found, PassedOver):
            return Row(found.path, error=found.reason)
        state = None if is_no_path(found) else state_of(found)
        try:
            with bytes_of(found) as data:
                return make(found, data, state)
        except PhotoError as error:
            return Row(found, state, error=str(error))

    return row


def row_of(path: str, data: bytes, model: Model, state: State | None = None) -> Row:
    """The row of a photo from its bytes. Raises PhotoError."""
    outputs = model.run(model.preprocessing.pixels(data)[None])
    similarity = None if outputs.similarity is None else float(outputs.similarity[0])
    return Row(path, state, outputs.probabilities[0], similarity)
