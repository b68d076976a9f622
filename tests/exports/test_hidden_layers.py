"""Heads with hidden layers in the exports: every variable is rewritten, in every format."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import retrain.cli.main
from label_image.model import load_model, load_saved_model, pixels_runner, tflite_runner
from retrain.backbones.backbone import find_backbone
from retrain.backbones.network import load_network
from retrain.core.tensorflow import tf
from retrain.exports.classifier import Classifier
from retrain.exports.formats.saved_model import make_template, put_top_in
from retrain.exports.formats.tflite import convert, exchange_top
from retrain.exports.proof.parity import bytes_runner
from retrain.exports.template import covers, kept_folder
from retrain.exports.top import Top, placeholder_head
from retrain.training.head import Head, Hidden

FAKE = find_backbone("fake", Path("."))
PIXELS = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8)


def head(*units: int, activation: str = "relu", seed: int = 0) -> Head:
    random = np.random.default_rng(seed)
    sizes = [3, *units, 3]
    kernels = [random.normal(size=shape).astype(np.float32) for shape in pairwise(sizes)]
    biases = [random.normal(size=kernel.shape[1]).astype(np.float32) for kernel in kernels]
    layers = zip(kernels[:-1], biases[:-1], strict=True)
    return Head(kernels[-1], biases[-1], tuple(Hidden(*layer, activation) for layer in layers))


@pytest.mark.parametrize(
    ("units", "activation"), [((5,), "relu"), ((6, 4), "gelu"), ((4, 4, 4), "tanh"), ((2,), "relu")]
)
def test_every_layer_is_exchanged_in_both_formats(units: tuple[int, ...], activation: str, tmp_path: Path) -> None:
    wanted = Top(head(*units, activation=activation), np.eye(3, dtype=np.float32))
    known = placeholder_head(wanted)
    assert (known.head.sizes, known.head.activations) == (wanted.head.sizes, wanted.head.activations)
    network = load_network(FAKE)
    expected = wanted.outputs(network(tf.constant(PIXELS, tf.float32)).numpy())
    classifier = Classifier(network, known, ("a", "b", "c"))
    assert np.abs(expected.probabilities - classifier(tf.constant(PIXELS, tf.float32))["scores"].numpy()).max() > 0.05
    make_template(classifier, tmp_path / "template")
    put_top_in(tmp_path / "template", tmp_path, known, wanted)
    (tmp_path / "model.tflite").write_bytes(exchange_top(convert(classifier), known, wanted))
    loaded = load_saved_model(tmp_path)
    for run in (pixels_runner(loaded), bytes_runner(loaded), tflite_runner(tmp_path / "model.tflite")):
        said = run(PIXELS)
        assert np.allclose(said.probabilities, expected.probabilities, atol=1e-5)
        assert np.allclose(said.similarity, expected.similarity, atol=1e-5)


def test_template_is_that_of_the_structure() -> None:
    def kept(wanted: Head) -> Path:
        return kept_folder(Path("b"), covers("saved_model", FAKE, ("a", "b", "c"), wanted.hidden))

    structures = [head(), head(5), head(6), head(5, 5), head(5, activation="tanh")]
    assert len({kept(structure) for structure in structures}) == len(structures)
    assert kept(head(5)) == kept(head(5, seed=1))


def test_whole_command_with_hidden_layers_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for index, name in enumerate("abc"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(8):
            colour = np.roll([200 + number, 40, 40 + number], index)
            Image.new("RGB", (9, 9), tuple(map(int, colour))).save(tmp_path / "photos" / name / f"{number}.png")
    command = "--image_dir photos --architecture fake --hidden_units 9,5 --activation gelu --learning_rate 0.05"
    for epochs in ("30", "60"):
        retrain.cli.main.main([*command.split(), "--epochs", epochs, "--output_graph", "g.pb", "--resume"])
        manifest = json.loads(Path("tf_files/model/model.json").read_text(encoding="utf-8"))
        assert set(manifest["parity"]) == {"saved_model", "saved_model_bytes", "tflite", "graph_def"}
        assert all(proof["greatest_difference"] <= 1e-5 for proof in manifest["parity"].values())
        assert (manifest["head"]["hidden_units"], manifest["head"]["activation"]) == ([9, 5], "gelu")
    assert len(list(Path("tf_files/bottlenecks/templates").iterdir())) == 2  # a format's one served both runs
    model = load_model(Path("tf_files/model"))
    pixels = np.stack([np.full((8, 8, 3), np.roll([204, 40, 44], index), np.uint8) for index in range(3)])
    assert model.run(pixels).probabilities.argmax(axis=1).tolist() == [0, 1, 2]
