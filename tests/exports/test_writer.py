import contextlib
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import retrain.cli.main
from label_image.model import (
    Outputs,
    load_model,
    load_saved_model,
    named_outputs,
    pixels_runner,
    saved_model_runner,
    tflite_runner,
)
from label_image.preprocessing import Preprocessing
from retrain.backbones.backbone import find_backbone
from retrain.backbones.network import load_network
from retrain.core.errors import ExportError, ParityError
from retrain.core.tensorflow import tf
from retrain.exports import writer
from retrain.exports.classifier import Classifier
from retrain.exports.formats import tflite
from retrain.exports.formats.graph_def import write_graph_def
from retrain.exports.formats.saved_model import attach_head, decode, take_top_out, write_saved_model
from retrain.exports.formats.tflite import append_files, convert, exchange_top
from retrain.exports.frozen_graph import name_captures
from retrain.exports.proof import parity
from retrain.exports.proof.parity import bytes_runner, compare, graph_def_runner
from retrain.exports.top import Top
from retrain.training.head import Head

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
LABELS = ("猫", "犬", "cow")
PIXELS = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8)
CLEAR = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [0.5, 0.3, 0.2], [0.4, 0.1, 0.5]], np.float32)


def encoded(pixels: np.ndarray | Image.Image, format: str, **options: object) -> bytes:
    file = io.BytesIO()
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(file, format, **options)
    return file.getvalue()


def top_with(head: Head) -> Top:
    """A head with class means that are not those of anything."""
    means = np.random.default_rng(5).normal(size=(head.sizes[0], head.sizes[-1]))
    return Top(head, (means / np.linalg.norm(means, axis=0)).astype(np.float32))


def assert_same(said: Outputs, expected: Outputs, atol: float = 1e-5) -> None:
    assert np.allclose(said.probabilities, expected.probabilities, atol=atol)
    assert said.similarity is not None and expected.similarity is not None
    assert np.allclose(said.similarity, expected.similarity, atol=atol)


def answers_of(classifier: Classifier, pixels: np.ndarray = PIXELS) -> Outputs:
    return named_outputs({name: value.numpy() for name, value in classifier(tf.constant(pixels, tf.float32)).items()})


@pytest.fixture(scope="module")
def top() -> Top:
    random = np.random.default_rng(1)
    head = Head(random.normal(size=(3, 3)).astype(np.float32) * 3, random.normal(size=3).astype(np.float32))
    return top_with(head)


@pytest.fixture(scope="module")
def classifier(top: Top) -> Classifier:
    return Classifier(load_network(find_backbone("fake", Path("."))), top, LABELS)


# Parity


def test_export_that_answers_the_same_passes() -> None:
    proof = compare("It", Outputs(CLEAR + np.float32(5e-5)), Outputs(CLEAR))
    assert proof.greatest_difference == pytest.approx(5e-5, rel=0.01)
    assert (proof.top_1_agreement, proof.photos) == (1.0, 5)


@pytest.mark.parametrize(
    "answers",
    [
        CLEAR[:, ::-1],
        CLEAR + np.float32(2e-4),
        np.full_like(CLEAR, np.nan),
        np.where(np.eye(5, 3) > 0, np.nan, CLEAR),
        np.full_like(CLEAR, np.inf),
        np.zeros_like(CLEAR),
    ],
    ids=["classes swapped", "off by 2e-4", "all NaN", "some NaN", "infinite", "zeros"],
)
def test_export_that_answers_otherwise_is_refused(answers: np.ndarray) -> None:
    with pytest.raises(ParityError, match="It was not kept"):
        compare("It", Outputs(answers), Outputs(CLEAR))


@pytest.mark.parametrize("answers", [CLEAR[:, :2], CLEAR[:1], CLEAR[:, :1], CLEAR[0]])
def test_answers_of_another_shape_are_refused(answers: np.ndarray) -> None:
    with pytest.raises(ParityError):
        compare("It", Outputs(answers), Outputs(CLEAR))


def test_equal_scores_may_swap_places() -> None:
    tie = np.array([[0.5, 0.5 - 2e-5, 0]], np.float32)
    proof = compare("It", Outputs(tie[:, [1, 0, 2]]), Outputs(tie))
    assert proof.top_1_agreement == 0.0


def test_no_photo_proves_nothing() -> None:
    with pytest.raises(ParityError, match="no photo"):
        compare("It", Outputs(CLEAR[:0]), Outputs(CLEAR[:0]))


def test_similarities_are_compared_too() -> None:
    similarity = np.linspace(0, 1, 5, dtype=np.float32)
    proof = compare("It", Outputs(CLEAR, similarity + np.float32(5e-5)), Outputs(CLEAR, similarity))
    assert proof.similarity_difference == pytest.approx(5e-5, rel=0.01)
    for wrong in (similarity[::-1], np.full_like(similarity, np.nan)):
        with pytest.raises(ParityError, match="similarities"):
            compare("It", Outputs(CLEAR, wrong), Outputs(CLEAR, similarity))


# The formats


def test_all_formats_answer_like_the_classifier(classifier: Classifier, tmp_path: Path) -> None:
    write_saved_model(classifier, tmp_path / "saved_model")
    (tmp_path / "model.tflite").write_bytes(convert(classifier))
    write_graph_def(classifier, 8, tmp_path / "graph.pb", "answer")
    reference = answers_of(classifier)
    assert np.ptp(reference.probabilities) > 0.1 and np.ptp(reference.similarity) > 0.01
    runners = {
        "saved_model": saved_model_runner(tmp_path / "saved_model", batch=2),
        "bytes": bytes_runner(load_saved_model(tmp_path / "saved_model")),
        "tflite": tflite_runner(tmp_path / "model.tflite"),
    }
    for run in runners.values():
        assert_same(run(PIXELS), reference)
    said = graph_def_runner(tmp_path / "graph.pb", "answer")(PIXELS)
    assert np.allclose(said.probabilities, reference.probabilities, atol=1e-5)
    assert said.similarity is None


def test_a_top_says_what_the_classifier_says(classifier: Classifier, top: Top) -> None:
    bottlenecks = load_network(find_backbone("fake", Path(".")))(tf.constant(PIXELS, tf.float32)).numpy()
    assert_same(top.outputs(bottlenecks), answers_of(classifier))


def test_frozen_graph_is_the_same_file_every_time(classifier: Classifier, tmp_path: Path) -> None:
    for name in ("1.pb", "2.pb"):
        write_graph_def(classifier, 8, tmp_path / name)
    assert (tmp_path / "1.pb").read_bytes() == (tmp_path / "2.pb").read_bytes()


def test_frozen_graph_of_a_saved_model_is_the_same_file_every_time(classifier: Classifier, tmp_path: Path) -> None:
    write_saved_model(classifier, tmp_path)
    for name in ("1.pb", "2.pb"):
        loaded = load_saved_model(tmp_path)
        serve = loaded.signatures["serving_default"]
        write_graph_def(lambda image, serve=serve: serve(image=image), 8, tmp_path / name)
    assert (tmp_path / "1.pb").read_bytes() == (tmp_path / "2.pb").read_bytes()
    said = graph_def_runner(tmp_path / "1.pb", "final_result")(PIXELS)
    assert np.allclose(said.probabilities, answers_of(classifier).probabilities, atol=1e-5)


def test_captures_are_renamed_wherever_they_are_named() -> None:
    graph = tf.compat.v1.GraphDef()
    for name, op, inputs in (
        ("constant_0", "Const", []),
        ("77", "Const", []),
        ("5", "Identity", ["77:0", "^77", "constant_0", "770"]),
        ("770", "Const", []),
    ):
        graph.node.add(name=name, op=op, input=inputs)
    graph.node[2].attr["_class"].list.s.append(b"loc:@77")
    named = name_captures(graph).node
    assert [node.name for node in named] == ["constant_0", "constant_1", "5", "constant_2"]
    assert list(named[2].input) == ["constant_1:0", "^constant_1", "constant_0", "constant_2"]
    assert list(named[2].attr["_class"].list.s) == [b"loc:@constant_1"]


def test_tflite_file_holds_the_weights(tmp_path: Path) -> None:
    """From a Keras model the converter can make, without a word, a file without weights."""
    network = load_network(find_backbone("mobilenet_0.25_128", Path("."), weights="random"))
    random = np.random.default_rng(0)
    head = Head(random.normal(size=(256, 3)).astype(np.float32), np.zeros(3, np.float32))
    classifier = Classifier(network, top_with(head), LABELS)
    (tmp_path / "model.tflite").write_bytes(convert(classifier))
    # Batch normalisation is folded into the kernels, so only those count.
    kernels = sum(int(np.prod(v.shape)) for v in network.model.trainable_weights + network.model.weights if v.ndim > 1)
    assert (tmp_path / "model.tflite").stat().st_size > kernels * 4 > 500_000
    pixels = random.integers(0, 256, (3, 128, 128, 3), np.uint8)
    answers = tflite_runner(tmp_path / "model.tflite")(pixels)
    assert np.isfinite(answers.probabilities).all()
    assert_same(answers, answers_of(classifier, pixels), atol=1e-4)


def test_text_files_ride_along_the_same_every_time() -> None:
    files = {"labels.txt": "猫\n犬\n", "model.json": "{}"}
    data = append_files(b"TFL3" * 100, files)
    assert data == append_files(b"TFL3" * 100, files)
    assert data.startswith(b"TFL3" * 100)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert {name: archive.read(name).decode() for name in archive.namelist()} == files


# Another top in a written export


def test_top_can_be_exchanged_in_both_formats(classifier: Classifier, top: Top, tmp_path: Path) -> None:
    head = Head(np.eye(3, dtype=np.float32) * 2, np.array([0.5, 0, -0.5], np.float32))
    other = Top(head, np.eye(3, dtype=np.float32))
    network = load_network(find_backbone("fake", Path(".")))
    expected = other.outputs(network(tf.constant(PIXELS, tf.float32)).numpy())
    assert np.abs(expected.probabilities - answers_of(classifier).probabilities).max() > 0.1
    write_saved_model(classifier, tmp_path)
    take_top_out(tmp_path)
    with pytest.raises(Exception, match="variables"):
        saved_model_runner(tmp_path)
    attach_head(tmp_path, other)
    (tmp_path / "model.tflite").write_bytes(exchange_top(convert(classifier), top, other))
    loaded = load_saved_model(tmp_path)
    for run in (pixels_runner(loaded), bytes_runner(loaded), tflite_runner(tmp_path / "model.tflite")):
        assert_same(run(PIXELS), expected)
    assert sorted(path.name for path in (tmp_path / "variables").iterdir()) == [
        "variables.data-00000-of-00002",
        "variables.data-00001-of-00002",
        "variables.index",
    ]


@pytest.mark.parametrize("copies", [0, 2])
def test_top_that_is_not_in_the_file_exactly_once_is_not_exchanged(copies: int) -> None:
    random = np.random.default_rng(0)
    old = Top(
        Head(random.normal(size=(4, 3)).astype(np.float32), random.normal(size=3).astype(np.float32)),
        random.normal(size=(4, 3)).astype(np.float32),
    )
    new = Top(Head(old.head.kernel + 1, old.head.bias + 1), old.means + 1)
    kernel, bias, means = (array.tobytes() for array in old.arrays)
    exchanged = b"b".join(array.tobytes() for array in new.arrays)
    assert exchange_top(b"a" + kernel + b"b" + bias + b"b" + means, old, new) == b"a" + exchanged
    for data in (kernel * copies + bias + means, kernel + bias * copies + means, kernel + bias + means * copies):
        with pytest.raises(ExportError, match="exactly once"):
            exchange_top(data, old, new)


def test_weights_are_in_the_saved_model_once(tmp_path: Path) -> None:
    network = load_network(find_backbone("mobilenet_0.25_128", Path("."), weights="random"))
    head = Head(np.zeros((256, 3), np.float32), np.zeros(3, np.float32))
    write_saved_model(Classifier(network, top_with(head), LABELS), tmp_path)
    size = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    weights = sum(int(np.prod(weight.shape)) for weight in network.model.weights) * 4
    assert weights * 0.9 < size < weights + 800_000


# The signature that takes encoded photos


def worst_difference(data: bytes, size: int) -> int:
    """Greatest difference in grey levels between TensorFlow's decoding and Pillow's."""
    expected = Preprocessing.parse(f"decode|resize({size},bilinear)").pixels(data)
    pixels = decode(tf.constant(data), size).numpy()
    assert pixels.shape == expected.shape
    return int(np.abs(pixels - expected.astype(np.float32)).max())


def photo(width: int, height: int, channels: int = 3) -> np.ndarray:
    """Smooth shapes with some noise, as photos have."""
    y, x = np.mgrid[0:height, 0:width]
    waves = np.stack([np.sin(x / (9 + 3 * c)) * np.cos(y / (7 + 2 * c)) for c in range(channels)], axis=-1)
    noise = np.random.default_rng(0).normal(0, 4, waves.shape)
    return np.clip(128 + 100 * waves + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("width", "height"), [(200, 150), (64, 64), (33, 190), (20, 13)])
@pytest.mark.parametrize("size", [64, 128])
def test_jpeg_is_decoded_as_in_training(width: int, height: int, size: int) -> None:
    assert worst_difference(encoded(photo(width, height), "JPEG", quality=85), size) <= 1


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "16-bit gray", "palette with transparency"])
def test_png_of_every_kind_is_decoded_as_in_training(mode: str) -> None:
    rgba = Image.fromarray(photo(90, 70, 4))
    if mode == "16-bit gray":
        image = Image.fromarray((photo(90, 70)[..., 0].astype(np.uint16) << 8) + 77)
    elif mode == "palette with transparency":
        image = rgba.convert("RGB").quantize(16)
        image.info["transparency"] = 3
    else:
        image = rgba.convert("RGB").convert(mode) if mode in ("L", "P", "1", "RGB") else rgba.convert(mode)
    options = {"transparency": 3} if "transparency" in mode else {}
    assert worst_difference(encoded(image, "PNG", **options), 64) <= 1


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_png_with_few_bits_of_gray_is_decoded_as_in_training(bits: int) -> None:
    assert worst_difference(gray_png(bits), 16) <= 1


def gray_png(bits: int) -> bytes:
    """A 16 x 8 PNG of all gray levels of so few bits, which Pillow itself writes for 1 bit only."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    levels = "".join(f"{column % 2**bits:0{bits}b}" for column in range(16))
    row = b"\0" + int(levels, 2).to_bytes(2 * bits, "big")
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 8, bits, 0, 0, 0, 0)),
            chunk(b"IDAT", zlib.compress(row * 8)),
            chunk(b"IEND", b""),
        ]
    )


@pytest.mark.parametrize("format", ["GIF", "BMP"])
def test_gif_and_bmp_are_decoded_as_in_training(format: str) -> None:
    assert worst_difference(encoded(photo(90, 70), format), 64) <= 1


@pytest.mark.real
def test_real_photos_are_decoded_as_in_training() -> None:
    cats = sorted((SHARED / "data/cats").rglob("*.jpg"))[::80]
    if not cats:
        pytest.skip(f"{SHARED}/data/cats is absent")
    differences = [worst_difference(path.read_bytes(), 224) for path in cats]
    assert len(differences) >= 30
    assert max(differences) <= 1


# Writing it all


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    for index, name in enumerate(("a", "b")):
        (folder / "photos" / name).mkdir(parents=True)
        for n in range(4):
            Image.new("RGB", (9, 9), (index * 200, n, 0)).save(folder / "photos" / name / f"{n}.png")
    return folder


@pytest.fixture
def train(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """Runs `retrain` in a folder of its own: exit code and standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str]:
        err = io.StringIO()
        with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
            try:
                retrain.cli.main.main(["--image_dir", str(made / "photos"), "--architecture", "fake", *arguments])
            except SystemExit as leave:
                return leave.code, err.getvalue()
        return 0, err.getvalue()

    return run


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "format", ["The SavedModel", "The SavedModel (serve_bytes)", "model.tflite", "The frozen graph"]
)
def test_export_that_fails_its_proof_leaves_everything_as_it_was(
    format: str, train: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "tf_files/model"
    model.mkdir(parents=True)
    (model / "model.json").write_text('{"format": "retrain-export"}')
    before = contents(model)

    def fail(name: str, said: Outputs, expected: Outputs) -> parity.Parity:
        wrong = Outputs(expected.probabilities[:, ::-1])
        return compare(name, wrong if name == format else said, expected)

    monkeypatch.setattr(writer, "compare", fail)
    code, said = train("--output_graph", "graph.pb", "--output_labels", "labels.txt", "--saved_model_dir", "sm")
    assert code == 1
    assert f"{format} was not kept" in said
    assert contents(model) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tf_files"]
    assert sorted(path.name for path in (tmp_path / "tf_files").iterdir()) == ["bottlenecks", "model"]


def test_full_disk_is_a_sentence_and_leaves_nothing(
    train: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tflite, "append_files", full)
    code, said = train()
    assert code == 1
    assert said.splitlines()[-1] == "Error: The export to tf_files/model failed: No space left on device."
    assert sorted(path.name for path in (tmp_path / "tf_files").iterdir()) == ["bottlenecks"]


def test_output_that_cannot_be_written_is_a_sentence(train: object, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, said = train("--output_dir", "file/model")
    assert code == 1
    assert said.splitlines()[-1].startswith("Error: ")
    code, said = train("--output_graph", "file/graph.pb")
    assert code == 1
    assert said.splitlines()[-1].startswith("Error: ")


def test_equal_runs_make_equal_models(train: object, tmp_path: Path) -> None:
    for name in ("one", "other"):
        assert train("--output_dir", name, "--bottleneck_dir", f"b_{name}")[0] == 0
    one, other = contents(tmp_path / "one"), contents(tmp_path / "other")
    assert one.keys() == other.keys()
    differing = {name for name in one if one[name] != other[name]}
    # TensorFlow numbers each SavedModel at random, when its template is made.
    assert differing <= {"saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00002"}


def test_manifest_rides_in_the_tflite_file(train: object, tmp_path: Path) -> None:
    assert train()[0] == 0
    with zipfile.ZipFile(tmp_path / "tf_files/model/model.tflite") as archive:
        inside = json.loads(archive.read("model.json"))
        labels = archive.read("labels.txt").decode()
    beside = json.loads((tmp_path / "tf_files/model/model.json").read_text())
    assert beside.pop("parity") and beside.pop("template")
    assert inside == beside
    assert labels == "a\nb\n"
    assert load_model(tmp_path / "tf_files/model/model.tflite").labels == ("a", "b")
