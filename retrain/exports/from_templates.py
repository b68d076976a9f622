"""The formats that a training writes at once, from their templates, each loaded again and run.

One thread makes and runs the others while this one does the same with the first, the SavedModel: TFLite's converter and
LiteRT use one core, and loading TensorFlow another.
"""

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from label_image.runtimes import Outputs
from retrain.exports.formats.base import Filling, Template
from retrain.exports.registry import FORMATS, TRAINING_FORMATS

if TYPE_CHECKING:
    from retrain.exports.classifier import Classifier

Result = TypeVar("Result")


def write_formats(
    formats: Collection[str],
    filling: Filling,
    new: Collection[str],
    make: Callable[[], "Classifier"],
    reference: Callable[[], Result],
) -> tuple[list[dict[str, Outputs]], Result]:
    """Write the formats with a top into a folder; returns what each, loaded again, answers, and the reference.

    `filling` is that of all formats: its template is a folder with one for each. There are answers to each of its
    groups of photos, some to a `spread` of it. The templates of the formats in `new` are written first, from the
    classifier with `placeholder_head` that `make` makes. `reference` is called while the thread is still at work.
    Raises ExportError.
    """
    classifier = make() if new else None

    def make_new(name: str) -> None:
        if classifier is not None and name in new:
            template_of(name).make(classifier, filling.template / name)

    def fill(name: str) -> list[dict[str, Outputs]]:
        return template_of(name).fill(replace(filling, template=filling.template / name))

    def write(name: str) -> list[dict[str, Outputs]]:
        make_new(name)
        return fill(name)

    first, *others = [name for name in TRAINING_FORMATS if name in formats]
    make_new(first)
    with ThreadPoolExecutor(1, thread_name_prefix="formats") as thread:
        written = [thread.submit(write, name) for name in others]
        answers = fill(first)
        expected = reference()
        for future in written:
            answers = [before | more for before, more in zip(answers, future.result(), strict=True)]
    return answers, expected


def template_of(name: str) -> Template:
    """How a training writes one of TRAINING_FORMATS."""
    template = FORMATS[name].template
    assert template is not None
    return template
