"""What holds for every family of the registry; what is special to one is tested beside its file."""

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from retrain.backbones.backbone import find_backbone
from retrain.backbones.families.base import Architecture
from retrain.backbones.registry import ARCHITECTURES, FAMILIES, architecture
from retrain.backbones.weights import digest_in_name
from retrain.bottlenecks.probe import relative_error

ROOT = Path(__file__).resolve().parents[2]
SIZE = 75  # the smallest that each of them takes
PIXELS = np.random.default_rng(0).integers(0, 256, (2, SIZE, SIZE, 3)).astype(np.float32)
SMALLEST = {name: min(family, key=lambda entry: (entry.dim, entry.input_size)) for name, family in FAMILIES.items()}
# Of what the fingerprint of a bottleneck covers, with weights of zeros: the beginnings of the SHA-256 in float32 and
# bfloat16 together. Another one means that stores of before are no longer served.
COVERED = {
    "fake": "571acb45b9b0b6bd",
    "efficientnet_lite0": "a6fc9286a612808c",
    "efficientnet_lite2": "278a0ec64a81df0a",
    "mobilenet_1.0_224": "41c51d334b8753f8",
    "mobilenet_v2_1.0_224": "675a5619331fbce1",
    "mobilenet_v3_small": "7edf3dd78b56131f",
    "inception_v3": "3c01d6364ac65d15",
    "efficientnet_v2_b0": "f8e1dd99a2d663b9",
    "resnet50": "11374d74159fecd1",
    "resnet50v2": "ba3bf1122f92e85c",
    "vgg16": "f94f1332fe189ae2",
    "densenet121": "3ee9802b614b807e",
    "nasnet_mobile": "bd6668b9d414ebc1",
    "convnext_tiny": "7dd5f21664017784",
    "alexnet": "748ec40f767e4f06",
    "resnet50_torchvision": "74319f1abc0861d7",
}


# What is declared


@pytest.mark.parametrize("entry", ARCHITECTURES.values(), ids=ARCHITECTURES)
def test_what_it_declares_is_sound(entry: Architecture) -> None:
    assert re.fullmatch(r"[a-z0-9_.]+", entry.name) and entry.dim > 0 and entry.licence
    assert entry.preprocessing.size == entry.input_size
    assert str(entry.preprocessing).startswith("decode(2)|orient|resize(")
    assert not entry.namesake or entry.namesake in ARCHITECTURES
    if not entry.weights_file:
        assert (entry.weights_url, entry.checksum, entry.package, entry.set_weights) == ("", None, "", None)
        return
    digits = digest_in_name(entry.weights_file)
    if entry.set_weights is not None:
        assert entry.weights_file.endswith(".pth") and digits
    else:
        assert entry.weights_file.endswith(".h5")
    # From a package or from an address, never both, and checked where it can be.
    assert bool(entry.package) != entry.weights_url.startswith("https://")
    assert entry.checksum is None or re.fullmatch("[0-9a-f]{32}|[0-9a-f]{64}", entry.checksum)
    assert bool(entry.package) <= bool(entry.checksum)
    assert not (entry.checksum and digits) or entry.checksum.startswith(digits)


def test_no_two_have_a_name_or_weights_in_common() -> None:
    entries = [entry for family in FAMILIES.values() for entry in family]
    assert len(entries) == len(ARCHITECTURES)
    published = [entry.weights_file for entry in entries if entry.weights_file]
    assert len(set(published)) == len(published) == len(entries) - 1  # not fake
    assert architecture("efficientnet_lite1").weights_file == "efficientnet-lite1-77cc7160.pth"


@pytest.mark.parametrize("name", FAMILIES)
def test_its_licence_is_in_the_documentation(name: str) -> None:
    page = (ROOT / "docs" / "architectures.md").read_text(encoding="utf-8")
    licences = page[page.index("## Licences of the weights") :]
    for entry in FAMILIES[name]:
        assert not entry.weights_file or entry.licence in licences


@pytest.mark.parametrize("name", COVERED)
def test_stores_of_before_are_served(name: str) -> None:
    backbone = find_backbone(name, Path("unused"), "random")
    if backbone.has_weights:
        backbone = replace(backbone, weights_sha256="0" * 64)
    covered = [backbone.covers(), backbone.computed_in("bfloat16").covers()]
    text = json.dumps(covered, sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == COVERED[name]


# What is built


@pytest.fixture(scope="module", params=SMALLEST)
def entry(request: pytest.FixtureRequest) -> Architecture:
    return SMALLEST[request.param]


@pytest.fixture(scope="module")
def network(entry: Architecture) -> object:
    from retrain.backbones.network import load_network

    return load_network(find_backbone(entry.name, Path("unused"), "random", image_size=SIZE))


def answers_of(network: object) -> np.ndarray:
    """Through the graph that is frozen, too: eager layers take longer."""
    from retrain.core.tensorflow import tf

    answers: np.ndarray = network.function(tf.constant(PIXELS)).numpy()
    return answers


def test_it_gives_as_many_numbers_as_it_declares(entry: Architecture, network: object) -> None:
    features = answers_of(network)
    assert features.shape == (2, entry.dim) and features.dtype == np.float32
    assert np.isfinite(features).all() and np.ptp(features) > 0
    assert relative_error(features[:1], features[1:]) > 1e-6  # photos do differ


def test_its_frozen_graph_is_plain_and_answers_as_it_does(entry: Architecture, network: object) -> None:
    from retrain.core.tensorflow import tf

    frozen = network.frozen
    ops = {node.op for node in frozen.graph_def.node}
    assert ops & {"Conv2D", "Mean"}
    assert not ops & {"ReadVariableOp", "VarHandleOp"}
    if not network.function.graph.as_graph_def().library.function:  # ConvNeXt calls functions of Keras's
        assert not ops & {"StatefulPartitionedCall", "PartitionedCall", "NoOp"}
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(frozen.graph_def, name="")
        with tf.compat.v1.Session(graph=graph) as session:
            answers = session.run(frozen.output, {frozen.input: PIXELS})
    assert relative_error(answers, answers_of(network)) < 1e-5
