"""Imports other projects' packages so that they talk to no server and write nothing into anybody's home folder.

What they would do otherwise, when they are imported or first used:

- onnxruntime (since 1.29) sends what it runs to its maker, and keeps a device number in ~/.cache/Microsoft;
- openvino sends that it was imported to an analytics host, and keeps a client number in ~/intel; nncf does the
  same, prints what it does among the answers, and changes the kind of every logger that is made later;
- Keras, tf_keras and TensorFlow's copy of Keras write ~/.keras/keras.json, and obey one that is there;
- matplotlib, which Keras imports where it finds it, fills ~/.config/matplotlib and ~/.cache/matplotlib;
- pandas, which Ray brings, is imported by pyarrow and Keras where they find it: half a second in every run, and pyarrow
  swallows the Ctrl-C that comes meanwhile;
- scikit-learn, which nncf brings, is imported by Keras where it finds it, and takes SciPy's statistics along: more than
  a second in every run that builds a network;
- requests, which TensorFlow, Keras and tf2onnx import, tries with a socket whether there is IPv6.

tests/strangers/ watches every command. Imports are lazy: this module itself needs no package.
"""

import contextlib
import gc
import io
import logging
import os
import sys
from collections.abc import Iterator
from typing import Any

from label_image.quiet import quiet

# A folder that is there and in which no file can be: Keras has nothing to read, and its attempt to write ends quietly.
_KERAS = {"KERAS_HOME": os.devnull, "KERAS_BACKEND": "tensorflow"}

# What TensorFlow and scikit-learn put into the environment when they are imported.
_SET_WHEN_IMPORTED = {
    "TF2_BEHAVIOR": "1",
    "ENABLE_RUNTIME_UPTIME_TELEMETRY": "1",
    "TPU_ML_PLATFORM": "Tensorflow",
    "TPU_ML_PLATFORM_VERSION": "",
    "HDF5_PLUGIN_PATH": "disable",
    "KMP_DUPLICATE_LIB_OK": "True",
    "KMP_INIT_AT_FORK": "FALSE",
}


@contextlib.contextmanager
def without_modules(*names: str) -> Iterator[None]:
    """For everyone who would import them in here, these packages are not installed. Those already imported stay."""
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # Python's own way to say: not there
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextlib.contextmanager
def without_bytecode() -> Iterator[None]:
    """Python keeps no compiled form of what is imported in here."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def set_switches() -> None:
    """Set the variables that libraries in C read, or set themselves: to be called while there is but one thread.

    A new variable may move the C library's list of them, and a thread that reads it meanwhile (libjpeg does for each
    photo) then ends the process with a segmentation fault.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    for name, value in _SET_WHEN_IMPORTED.items():
        os.environ.setdefault(name, value)
    if os.environ.get("ORT_DISABLE_TELEMETRY") != "1":
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"


class _WithoutPandasAndSklearn:
    """Asked first for each module. An entry of None in `sys.modules` would not do: Cython takes it for the module."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        if fullname in ("pandas", "sklearn"):
            raise ModuleNotFoundError(f"{fullname} is hidden from this command", name=fullname)


def hide_pandas_and_sklearn() -> None:
    """Let a command find neither pandas nor scikit-learn, whoever asks, until `show_pandas_and_sklearn`."""
    sys.meta_path.insert(0, _WithoutPandasAndSklearn())


def show_pandas_and_sklearn() -> None:
    """Let what needs pandas or scikit-learn import them from here on."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _WithoutPandasAndSklearn)]


@contextlib.contextmanager
def environment(**settings: str) -> Iterator[None]:
    """These environment variables, while in here, for whoever asks Python: C's own list stays, see `set_switches`."""
    known: dict[Any, Any] = os.environ._data  # type: ignore[attr-defined]
    asked = {os.environ.encodekey(name): os.environ.encodevalue(value) for name, value in settings.items()}
    before = {name: known.get(name) for name in asked}
    known.update(asked)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del known[name]
            else:
                known[name] = value


@contextlib.contextmanager
def without_trying_ipv6() -> Iterator[None]:
    """requests, imported in here, takes it that there is IPv6; where there is none, it goes on to the next address."""
    import socket

    there = socket.has_ipv6
    first = "urllib3" not in sys.modules
    socket.has_ipv6 = False  # else urllib3 opens a socket to see
    try:
        yield
    finally:
        socket.has_ipv6 = there
        if first and "urllib3.util.connection" in sys.modules:
            sys.modules["urllib3.util.connection"].HAS_IPV6 = there  # type: ignore[attr-defined]


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """What is imported in here stays, so that Python does not look for garbage in it, neither meanwhile nor later.

    TensorFlow and Keras are 300,000 objects. Looking through all of them, again and again, was a third of the time
    until a network is built.
    """
    gc.collect()  # what is garbage by now goes first: none is found later among what stays
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


@contextlib.contextmanager
def keras_apart() -> Iterator[None]:
    """Whatever imports Keras in here gets it as it comes: no settings of the user's are read, and none are written."""
    with environment(**_KERAS), without_modules("matplotlib"), without_trying_ipv6():
        yield


def import_tensorflow() -> Any:
    """TensorFlow, without its chatter. Raises ImportError.

    It imports Keras at its end and does not need it. Keras (and scikit-learn, matplotlib and what else it finds) is up
    to half of TensorFlow's import; where a network is built it is imported then, an export from a template takes none.
    """
    set_switches()
    first = contextlib.nullcontext() if "tensorflow" in sys.modules else uncollected()
    with quiet(), keras_apart(), without_modules("keras"), first:
        import tensorflow
    return tensorflow


def import_onnxruntime() -> Any:
    """onnxruntime, which reads its switch when it first runs anything. Raises ImportError."""
    set_switches()
    import onnxruntime

    return onnxruntime


def import_openvino() -> Any:
    """openvino, which does without the package that reports for it where that is not installed. Raises ImportError."""
    with without_modules("openvino_telemetry"):
        import openvino
    return openvino


def import_nncf() -> Any:
    """nncf, which says nothing and reports to nobody. Raises ImportError."""
    before = logging.getLoggerClass()
    try:
        with without_modules("openvino_telemetry"), without_output():  # it keeps the standard output of its import
            import nncf
    finally:
        logging.setLoggerClass(before)
    nncf.disable_logging()
    return nncf


@contextlib.contextmanager
def without_output() -> Iterator[None]:
    """What Python prints on standard output in here goes nowhere."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield


@contextlib.contextmanager
def matplotlib_apart() -> Iterator[None]:
    """matplotlib is imported in here: with the fonts that it brings, its cache in a folder that goes again."""
    from label_image.files import scratch_folder

    with (
        scratch_folder() as folder,
        environment(MPLCONFIGDIR=str(folder), MPL_IGNORE_SYSTEM_FONTS="1"),
    ):
        yield
