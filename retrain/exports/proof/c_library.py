"""A SavedModel run by TensorFlow's C library, which lies in its package: what TensorFlow Serving, Java and Go run.

`import tensorflow` takes two seconds and more, loading this library a tenth of that. So an export of which only a few
numbers are new is proven by it alone, on the CPU. Its functions: https://www.tensorflow.org/install/lang_c.
"""

import ctypes
import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ctypes import POINTER, Structure, c_char_p, c_int, c_int64, c_size_t, c_void_p
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from label_image.errors import ModelError
from label_image.plain_paths import plain_path
from label_image.quiet import quiet
from label_image.strangers import set_switches

NAMES = ("libtensorflow_cc.so.2", "libtensorflow_cc.2.dylib")
TAGS = (c_char_p * 1)(b"serve")
WITHOUT_GPU = b"\x0a\x07\x0a\x03GPU\x10\x00"  # a ConfigProto of device_count {"GPU": 0}
FLOAT, STRING, STRING_BYTES = 1, 7, 24  # TF_FLOAT, TF_STRING, and the size of one TF_TString


class _Output(Structure):
    _fields_ = (("operation", c_void_p), ("index", c_int))


_ANY, _ANYS, _OUTPUTS = c_void_p, POINTER(c_void_p), POINTER(_Output)
# What each function returns, and what it takes.
_FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "TF_NewStatus": (_ANY,),
    "TF_GetCode": (c_int, _ANY),
    "TF_Message": (c_char_p, _ANY),
    "TF_DeleteStatus": (None, _ANY),
    "TF_NewGraph": (_ANY,),
    "TF_DeleteGraph": (None, _ANY),
    "TF_GraphOperationByName": (_ANY, _ANY, c_char_p),
    "TF_NewSessionOptions": (_ANY,),
    "TF_SetConfig": (None, _ANY, c_char_p, c_size_t, _ANY),
    "TF_DeleteSessionOptions": (None, _ANY),
    "TF_LoadSessionFromSavedModel": (_ANY, _ANY, _ANY, c_char_p, POINTER(c_char_p), c_int, _ANY, _ANY, _ANY),
    "TF_SessionRun": (None, _ANY, _ANY, *(_OUTPUTS, _ANYS, c_int) * 2, _ANY, c_int, _ANY, _ANY),
    "TF_CloseSession": (None, _ANY, _ANY),
    "TF_DeleteSession": (None, _ANY, _ANY),
    "TF_AllocateTensor": (_ANY, c_int, POINTER(c_int64), c_int, c_size_t),
    "TF_TensorType": (c_int, _ANY),
    "TF_TensorData": (_ANY, _ANY),
    "TF_NumDims": (c_int, _ANY),
    "TF_Dim": (c_int64, _ANY, c_int),
    "TF_DeleteTensor": (None, _ANY),
    "TF_StringInit": (None, _ANY),
    "TF_StringCopy": (None, _ANY, c_char_p, c_size_t),
    "TF_StringDealloc": (None, _ANY),
}


@functools.cache
def c_library() -> ctypes.CDLL | None:
    """The library, loaded once; None where TensorFlow brings none, or one without these functions."""
    spec = find_spec("tensorflow")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for path in (Path(folder, name) for name in NAMES):
            if path.is_file():
                return _load(path)
    return None


def _load(path: Path) -> ctypes.CDLL | None:
    set_switches()
    try:
        with quiet():
            library = ctypes.CDLL(str(path))
        for name, (result, *arguments) in _FUNCTIONS.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError):
        return None
    return library


@dataclass(frozen=True, eq=False)
class Session:
    """A loaded SavedModel. Two threads may run it at once for different outputs, which have kernels of their own."""

    library: ctypes.CDLL
    folder: Path
    graph: int
    session: int

    def run(
        self, feed: str, values: npt.NDArray[np.float32] | Sequence[bytes], fetches: Sequence[str]
    ) -> list[npt.NDArray[np.float32]]:
        """The float32 tensors `fetches` for the one that is fed; tensors are called as `name:0`. Raises ModelError."""
        library, count = self.library, len(fetches)
        given = _texts(library, values) if isinstance(values, Sequence) else _numbers(library, values)
        found = (c_void_p * count)()
        try:
            with _status(library, self.folder) as status, quiet():
                library.TF_SessionRun(
                    self.session, None, (_Output * 1)(self._output(feed)), (c_void_p * 1)(given), 1,
                    (_Output * count)(*map(self._output, fetches)), found, count, None, 0, None, status,
                )  # fmt: skip
            return [_array(library, tensor) for tensor in found if tensor is not None]
        finally:
            for tensor in (*found, given):
                _delete(library, tensor)

    def _output(self, tensor: str) -> _Output:
        name, _, index = tensor.partition(":")
        operation = self.library.TF_GraphOperationByName(self.graph, name.encode())
        if operation is None:
            raise ModelError(f"The SavedModel {self.folder} cannot be run: it has no tensor {tensor}.")
        return _Output(operation, int(index or 0))


@contextmanager
def c_session(library: ctypes.CDLL, folder: Path) -> Iterator[Session]:
    """A SavedModel, loaded as TensorFlow Serving loads it. Raises ModelError if it cannot be."""
    options, graph, session = library.TF_NewSessionOptions(), library.TF_NewGraph(), None
    try:
        with _status(library, folder) as status, plain_path(folder) as plain, quiet():
            library.TF_SetConfig(options, WITHOUT_GPU, len(WITHOUT_GPU), status)
            session = library.TF_LoadSessionFromSavedModel(
                options, None, str(plain).encode(), TAGS, len(TAGS), graph, None, status
            )
        yield Session(library, folder, graph, session)
    finally:
        with _status(library, folder) as status:
            if session is not None:
                library.TF_CloseSession(session, status)
                library.TF_DeleteSession(session, status)
        library.TF_DeleteGraph(graph)
        library.TF_DeleteSessionOptions(options)


@contextmanager
def _status(library: ctypes.CDLL, folder: Path) -> Iterator[int]:
    """Where the functions called in here say what went wrong: a ModelError at the end."""
    status = library.TF_NewStatus()
    try:
        yield status
        if library.TF_GetCode(status):
            reason = next(iter(library.TF_Message(status).decode(errors="replace").splitlines()), "no reason is given")
            raise ModelError(f"The SavedModel {folder} cannot be run: {reason}")
    finally:
        library.TF_DeleteStatus(status)


def _numbers(library: ctypes.CDLL, values: npt.NDArray[np.float32]) -> int:
    values = np.ascontiguousarray(values, np.float32)
    tensor: int = library.TF_AllocateTensor(FLOAT, (c_int64 * values.ndim)(*values.shape), values.ndim, values.nbytes)
    ctypes.memmove(library.TF_TensorData(tensor), values.ctypes.data, values.nbytes)
    return tensor


def _texts(library: ctypes.CDLL, values: Sequence[bytes]) -> int:
    count = len(values)
    tensor: int = library.TF_AllocateTensor(STRING, (c_int64 * 1)(count), 1, count * STRING_BYTES)
    for place, text in zip(_places(library, tensor), values, strict=True):
        library.TF_StringInit(place)
        library.TF_StringCopy(place, text, len(text))
    return tensor


def _places(library: ctypes.CDLL, tensor: int) -> Iterator[int]:
    """Where the texts of a tensor (n,) lie."""
    first = library.TF_TensorData(tensor)
    return (first + index * STRING_BYTES for index in range(library.TF_Dim(tensor, 0)))


def _array(library: ctypes.CDLL, tensor: int) -> npt.NDArray[np.float32]:
    """The numbers of a tensor, copied."""
    assert library.TF_TensorType(tensor) == FLOAT
    shape = tuple(library.TF_Dim(tensor, axis) for axis in range(library.TF_NumDims(tensor)))
    count = int(np.prod(shape))
    numbers = ctypes.cast(library.TF_TensorData(tensor), POINTER(ctypes.c_float * count)).contents
    return np.array(numbers, np.float32).reshape(shape)


def _delete(library: ctypes.CDLL, tensor: int | None) -> None:
    if tensor is None:
        return
    if library.TF_TensorType(tensor) == STRING:
        for place in _places(library, tensor):
            library.TF_StringDealloc(place)
    library.TF_DeleteTensor(tensor)
