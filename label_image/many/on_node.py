"""What runs in a process of a cluster: a model of its own, which labels photos block by block.

Blocks go and come as tables of Arrow: in, where each photo is; out, what `label_image.rows.Row` holds of it. Texts are
bytes there, since a path need not be UTF-8. Ray is not imported here.
"""

import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from label_image.errors import ModelError, PhotoError
from label_image.files import scratch_folder
from label_image.folders import Found, PassedOver
from label_image.from_file import FromFile
from label_image.in_order import map_in_order
from label_image.installing import versions
from label_image.model import Model, load_model
from label_image.not_paths import is_no_path
from label_image.one_photo import bytes_of
from label_image.rows import Row, State, row_of, state_of
from label_image.strangers import set_switches

SAME = ("retrain", "pillow", "pillow-heif", "numpy", "ai-edge-litert")  # other versions may give other numbers
READERS = 8  # threads that read from object storage, where most of the time is waiting
AHEAD = 16  # photos that are read before one is labelled


@dataclass(frozen=True)
class Export:
    """The files of a model by their names, to be loaded where they do not lie; "" is the name of a single file."""

    name: str
    files: Mapping[str, bytes]
    trust: bool
    versions: Mapping[str, str]  # of the packages where it was loaded first

    @classmethod
    def of(cls, model: Model) -> "Export":
        """Of a model that was loaded. Raises ModelError if it was changed since."""
        assert isinstance(model.run, FromFile)
        return cls(model.run.path.name, model.run.content(), model.run.trust, versions(SAME))

    def loaded(self) -> Model:
        """The model; its labels are those of its files. Raises ModelError, and OSError."""
        for package, version in versions(SAME).items():
            if version != self.versions[package]:
                raise ModelError(
                    f"{package} is {version} there, and {self.versions[package]} here: install the same on all nodes."
                )
        with scratch_folder() as folder:
            path = folder / self.name
            for name, data in self.files.items():
                file = path / name if name else path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data)
            return load_model(path, trust=self.trust)


class OnNode:
    """A model in this process. Paths that are not absolute are below `folder`.

    What keeps it from labelling is told of instead of rows: if it were raised, Ray would try again, and show it all.
    """

    def __init__(self, export: Export, folder: str) -> None:
        set_switches()
        self._model: Model | None = None
        self._refusal = ""
        try:
            self._model = export.loaded()
        except (ModelError, OSError) as error:
            self._refusal = str(error)
        self._folder = folder
        self._node = platform.node()
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="reading")

    def __call__(self, block: Any) -> Any:
        """From a table of `block_of` to one for `rows_of`; one row without a path if there is no model."""
        found = found_in(block)
        if self._model is None:
            return table_of([Row("", error=self._refusal)], self._node)
        read: Iterator[tuple[State | None, bytes | str]]
        if any(isinstance(one, str) and is_no_path(one) for one in found):
            read = map_in_order(self._read, found, self._threads, AHEAD)
        else:  # files are near: threads would cost a third of the time of a small photo
            read = map(self._read, found)
        rows = [row_on_node(self._model, one, *photo) for one, photo in zip(found, read, strict=True)]
        return table_of(rows, self._node)

    def _read(self, found: Found) -> tuple[State | None, bytes | str]:
        """A photo's state and bytes, or why there are none."""
        if isinstance(found, PassedOver):
            return None, found.reason
        path = found if is_no_path(found) else os.path.join(self._folder, found)
        state = None if is_no_path(found) else state_of(path)
        try:
            with bytes_of(path) as data:
                return state, data
        except PhotoError as error:
            return state, str(error)


def row_on_node(model: Model, found: Found, state: State | None, data: bytes | str) -> Row:
    """The row of a photo that was read, or the reason why it was not."""
    name = found.path if isinstance(found, PassedOver) else found
    if isinstance(data, str):
        return Row(name, state, error=data)
    try:
        return row_of(name, data, model, state)
    except PhotoError as error:
        return Row(name, state, error=str(error))


def block_of(found: Sequence[Found]) -> Any:
    """A table (n,) of photos that were found."""
    import pyarrow as pa

    paths = [_packed(one.path if isinstance(one, PassedOver) else one) for one in found]
    kinds = [_packed(one.kind) if isinstance(one, PassedOver) else None for one in found]
    reasons = [_packed(one.reason) if isinstance(one, PassedOver) else None for one in found]
    return pa.table(
        {
            name: pa.array(column, pa.binary())
            for name, column in {"path": paths, "kind": kinds, "reason": reasons}.items()
        }
    )


def found_in(block: Any) -> list[Found]:
    """The photos of a table that `block_of` made."""
    paths, kinds, reasons = (map(_unpacked, block.column(name).to_pylist()) for name in ("path", "kind", "reason"))
    return [
        path if kind is None else PassedOver(path, kind, reason)
        for path, kind, reason in zip(paths, kinds, reasons, strict=True)
    ]


def table_of(rows: Sequence[Row], node: str) -> Any:
    """A table (n,) of rows that were labelled on a node; one without a path says why it labels nothing."""
    import pyarrow as pa

    numbers = [row.probabilities for row in rows]
    flat = np.concatenate([np.zeros(0, np.float32), *(one for one in numbers if one is not None)])
    ends = np.cumsum([0, *(0 if one is None else len(one) for one in numbers)], dtype=np.int32)
    return pa.table(
        {
            "path": pa.array([_packed(row.path) for row in rows], pa.binary()),
            "size": pa.array([None if row.state is None else row.state[0] for row in rows], pa.int64()),
            "written": pa.array([None if row.state is None else row.state[1] for row in rows], pa.int64()),
            "probabilities": pa.ListArray.from_arrays(pa.array(ends), pa.array(flat, pa.float32())),
            "similarity": pa.array([row.similarity for row in rows], pa.float64()),
            "error": pa.array([_packed(row.error) for row in rows], pa.binary()),
            "node": pa.array([node] * len(rows), pa.string()),
        }
    )


def rows_of(table: Any) -> list[tuple[Row, str]]:
    """The rows of a table that `table_of` made, each with its node."""
    texts = {
        name: table.column(name).to_pylist() for name in ("path", "size", "written", "similarity", "error", "node")
    }
    numbers = table.column("probabilities").combine_chunks()
    flat, ends = numbers.flatten().to_numpy(), numbers.offsets.to_numpy() - numbers.offsets[0].as_py()
    rows = []
    for number, error in enumerate(map(_unpacked, texts["error"])):
        size, written = texts["size"][number], texts["written"][number]
        row = Row(
            str(_unpacked(texts["path"][number])),
            None if size is None else (size, written),
            None if error else flat[ends[number] : ends[number + 1]],
            texts["similarity"][number],
            error or "",
        )
        rows.append((row, texts["node"][number]))
    return rows


def _packed(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _unpacked(data: bytes | None) -> Any:
    return None if data is None else data.decode("utf-8", "surrogatepass")
