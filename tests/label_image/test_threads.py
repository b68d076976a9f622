"""One loaded model in many threads, and in other processes: the answers are those of one thread, in every format."""

import copy
import json
import multiprocessing
import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from label_image.heatmap import activation_maps
from label_image.model import Model, ModelError, load_model, tflite_runner
from label_image.preprocessing import Pixels
from retrain.core.tensorflow import quiet, tf
from retrain.exports.formats.graph_def import write_graph_def
from retrain.exports.formats.tflite import append_files

SIZE, FILTERS, BLOCKS, CLASSES = 32, 16, 12, 5
THREADS, ROUNDS = 8, 12
FORMATS = ("model.tflite", "saved_model", "graph.pb", "model.onnx")
PHOTOS = np.random.default_rng(0).integers(0, 256, (24, SIZE, SIZE, 3), np.uint8)
MANIFEST: dict[str, Any] = {
    "format": "retrain-export",
    "format_version": 1,
    "preprocessing": f"decode(2)|orient|resize({SIZE},bilinear)|value_range(-1,1)",
    "input": {"name": "image", "size": SIZE, "channels": "RGB", "range": [0, 255]},
    "labels": [f"class {number}" for number in range(CLASSES)],
}


@pytest.fixture(autouse=True)
def as_many_as_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine of many cores."""
    monkeypatch.setattr("label_image.pool.MOST", THREADS)
    monkeypatch.setattr("label_image.runtimes.MOST", THREADS)


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One residual network with a head, as every format."""
    folder = tmp_path_factory.mktemp("exports")
    numbers = np.random.default_rng(1)

    def variable(*shape: int, scale: float) -> Any:
        return tf.Variable(numbers.normal(scale=scale, size=shape).astype(np.float32))

    network = tf.Module()
    network.stem = variable(3, 3, 3, FILTERS, scale=0.003)
    network.kernels = [variable(1, 1, FILTERS, FILTERS, scale=0.5 / FILTERS**0.5) for _ in range(BLOCKS)]
    network.biases = [variable(FILTERS, scale=0.1) for _ in range(BLOCKS)]
    network.head = variable(FILTERS, CLASSES, scale=0.1)

    def answer(image: Any) -> dict[str, Any]:
        found = tf.nn.conv2d(image, network.stem, 2, "SAME")
        for kernel, bias in zip(network.kernels, network.biases, strict=True):
            found = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(found, kernel, 1, "SAME"), bias) + found)
        return {"scores": tf.nn.softmax(tf.matmul(tf.reduce_mean(found, axis=[1, 2]), network.head))}

    def signature(photos: int | None) -> Any:
        spec = tf.TensorSpec((photos, SIZE, SIZE, 3), tf.float32, name="image")
        return tf.function(answer, autograph=False).get_concrete_function(spec)

    manifest = json.dumps(MANIFEST)
    with quiet():
        tf.saved_model.save(network, str(folder / "saved_model"), signatures={"serving_default": signature(None)})
        tf.saved_model.save(network, str(folder / "one_photo"), signatures={"serving_default": signature(1)})
        tflite = tf.lite.TFLiteConverter.from_saved_model(
            str(folder / "one_photo"), signature_keys=["serving_default"]
        ).convert()
    (folder / "saved_model" / "model.json").write_text(manifest)
    (folder / "model.tflite").write_bytes(append_files(tflite, {"model.json": manifest}))
    write_graph_def(answer, SIZE, folder / "graph.pb", manifest=MANIFEST)
    return folder


def load(exports: Path, format: str) -> Model:
    if format == "model.onnx" and not (exports / format).exists():
        pytest.importorskip("onnx")
        from retrain.exports.formats.base import Source
        from retrain.exports.formats.onnx import write_onnx

        write_onnx(Source(exports / "saved_model", MANIFEST, calibration=None, made=None), exports / format)
    return load_model(exports / format)


def wrong_answers(exports: Path, format: str) -> int:
    """How many photos of `ROUNDS` rounds in `THREADS` threads get other probabilities than in one thread."""
    model = load(exports, format)

    def probabilities(photo: Pixels) -> Any:
        return model.run(photo[None]).probabilities[0]

    alone = np.stack([probabilities(photo) for photo in PHOTOS])
    assert np.ptp(alone, axis=0).max() > 0.01  # photos do differ
    with ThreadPoolExecutor(THREADS) as threads:
        together = np.stack(list(threads.map(probabilities, [*PHOTOS] * ROUNDS)))
    return int((np.abs(together - np.tile(alone, (ROUNDS, 1))).max(axis=1) > 1e-5).sum())


@pytest.mark.parametrize("format", FORMATS)
def test_many_threads_get_the_answers_of_one(format: str, exports: Path) -> None:
    # In a process of its own, since a kernel that two threads are in may well end it.
    load(exports, format)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path;"
        "import label_image.pool, label_image.runtimes, test_threads as tests;"
        "label_image.pool.MOST = label_image.runtimes.MOST = tests.THREADS;"
        "sys.exit(min(tests.wrong_answers(Path(sys.argv[2]), sys.argv[3]), 99))"
    )
    command = [sys.executable, "-c", code, str(Path(__file__).parent), str(exports), format]
    assert subprocess.run(command).returncode == 0


def test_heat_maps_are_those_of_one_thread_too(exports: Path) -> None:
    maps = activation_maps(exports / "model.tflite")
    alone = np.stack([maps(photo) for photo in PHOTOS])
    with ThreadPoolExecutor(THREADS) as threads:
        together = np.stack(list(threads.map(maps, [*PHOTOS] * 3)))
    assert np.array_equal(together, np.tile(alone, (3, 1, 1, 1)))


def test_a_later_thread_is_of_the_same_file(exports: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes((exports / "model.tflite").read_bytes())
    model = load_model(path)
    expected = model.run(PHOTOS).probabilities
    path.write_bytes(b"something else")
    with ThreadPoolExecutor(THREADS) as threads:
        found = list(threads.map(lambda _: model.run(PHOTOS).probabilities, range(2 * THREADS)))
    assert all(np.array_equal(each, expected) for each in found)


def test_a_model_that_is_replaced_while_it_is_loaded_is_one_of_both(
    exports: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = write_folder(exports, tmp_path / "model", "old")
    times = []

    def replaced_before(path: Path) -> Any:
        times.append(path)
        if len(times) == 1:
            model.rename(tmp_path / "previous")
            write_folder(exports, model, "new")
        return tflite_runner(path)

    monkeypatch.setattr("label_image.model.tflite_runner", replaced_before)
    assert load_model(model).labels[0] == "new 0", "and not the labels of one with the numbers of the other"

    def replaced_every_time(path: Path) -> Any:
        (model / "model.json").touch()
        return tflite_runner(path)

    monkeypatch.setattr("label_image.model.tflite_runner", replaced_every_time)
    with pytest.raises(ModelError, match="is being replaced again and again"):
        load_model(model)


def write_folder(exports: Path, folder: Path, name: str) -> Path:
    folder.mkdir()
    labels = [f"{name} {number}" for number in range(CLASSES)]
    manifest = json.dumps({**MANIFEST, "labels": labels})
    (folder / "model.json").write_text(manifest)
    with_manifest = (exports / "model.tflite").read_bytes()
    network = with_manifest[: with_manifest.rindex(b"PK\x03\x04")]
    (folder / "model.tflite").write_bytes(append_files(network, {"model.json": manifest}))
    return folder


# In other processes


@pytest.mark.parametrize("format", FORMATS)
def test_a_model_is_pickled_as_its_path(format: str, exports: Path) -> None:
    model = load(exports, format)
    pickled = pickle.dumps(model)
    assert len(pickled) < 2000
    again = pickle.loads(pickled)
    assert (again.labels, again.preprocessing, again.threshold) == (model.labels, model.preprocessing, model.threshold)
    np.testing.assert_allclose(again.run(PHOTOS).probabilities, model.run(PHOTOS).probabilities, atol=1e-6)
    assert pickle.loads(pickled).run is again.run  # a process loads it once, however often it is sent
    assert copy.copy(model).run is model.run


def test_other_labels_are_kept(exports: Path, tmp_path: Path) -> None:
    names = [f"name {number}" for number in range(CLASSES)]
    (tmp_path / "labels.txt").write_text("\n".join(names))
    model = load_model(exports / "model.tflite", tmp_path / "labels.txt")
    (tmp_path / "labels.txt").unlink()
    assert pickle.loads(pickle.dumps(model)).labels == tuple(names)


def test_a_file_that_was_changed_is_another_model(exports: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes((exports / "model.tflite").read_bytes())
    model = load_model(path)
    pickled = pickle.dumps(model)
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ModelError, match="was changed after it was loaded"):
        pickle.dumps(model)
    with pytest.raises(ModelError, match="is not the model that was pickled"):
        pickle.loads(pickled)
    path.unlink()
    with pytest.raises(ModelError, match="There is no model"):
        pickle.loads(pickled)


def test_a_folder_s_files_are_all_its_own(exports: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(exports / "saved_model", tmp_path / "model")
    model = load_model(folder)
    pickled = pickle.dumps(model)
    (folder / "variables" / "more").write_bytes(b"")
    with pytest.raises(ModelError, match="was changed after it was loaded"):
        pickle.dumps(model)
    with pytest.raises(ModelError, match="is not the model that was pickled"):
        pickle.loads(pickled)


@pytest.mark.parametrize(
    "start", ["spawn", pytest.param("fork", marks=pytest.mark.skipif(sys.platform == "win32", reason="Unix only"))]
)
def test_processes_of_one_s_own_label_too(start: str, exports: Path) -> None:
    # In a process without TensorFlow, which a fork would take along.
    code = f"""
import sys, numpy as np
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from label_image.model import load_model
def work(model):
    return model.run(np.zeros((1, {SIZE}, {SIZE}, 3), np.uint8)).probabilities
if __name__ == "__main__":
    model = load_model(sys.argv[1])
    with ProcessPoolExecutor(2, mp_context=get_context("{start}")) as processes:
        found = list(processes.map(work, [model] * 4))
    assert all(np.array_equal(each, work(model)) for each in found)
    assert "tensorflow" not in sys.modules
"""
    script = exports / f"{start}.py"
    script.write_text(code)
    assert subprocess.run([sys.executable, "-W", "ignore", script, exports / "model.tflite"]).returncode == 0


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="only Unix forks")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning", "ignore:.*os.fork:RuntimeWarning")
@pytest.mark.parametrize("format", ["saved_model", "graph.pb"])
def test_tensorflow_in_a_forked_process_is_refused_with_a_sentence(format: str, exports: Path) -> None:
    _model.append(load(exports, format))
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as processes:
        refused = processes.submit(_run_inherited)
        with pytest.raises(RuntimeError, match="spawn"):
            refused.result(timeout=60)
    _model.clear()


_model: list[Model] = []


def _run_inherited() -> Any:
    return _model[0].run(PHOTOS[:1]).probabilities
