"""The architectures by their names."""

from pathlib import Path

import pytest

from retrain.backbones.backbone import Backbone, find_backbone
from retrain.backbones.families.base import TORCHVISION_WEIGHTS_URL
from retrain.backbones.registry import ARCHITECTURES, DEFAULT_ARCHITECTURE, architecture
from retrain.cli.main import train
from retrain.core.errors import OptionError

# The registry

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.usefixtures("nothing_from_outside")


def test_every_architecture_of_the_2017_script_is_there() -> None:
    assert architecture("inception_v3").dim == 2048
    assert architecture("inception_v3").input_size == 299
    for alpha, dim in (("1.0", 1024), ("0.75", 768), ("0.50", 512), ("0.25", 256)):
        for size in (224, 192, 160, 128):
            entry = architecture(f"mobilenet_{alpha}_{size}")
            assert (entry.dim, entry.input_size) == (dim, size)  # pooled features, not the 1001-way softmax


@pytest.mark.parametrize(
    ("name", "dim"),
    [
        ("mobilenet_v2_1.0_224", 1280),
        ("mobilenet_v2_1.4_224", 1792),
        ("mobilenet_v3_small", 576),
        ("mobilenet_v3_large", 960),
        ("efficientnet_v2_b0", 1280),
        ("resnet50", 2048),
        ("vgg16", 512),
        ("densenet121", 1024),
        ("convnext_tiny", 768),
        ("nasnet_mobile", 1056),
        ("efficientnet_lite0", 1280),
        ("efficientnet_lite2", 1280),
        ("alexnet", 256),
        ("vgg11", 512),
        ("vgg13", 512),
        ("fake", 3),
    ],
)
def test_todays_architectures_are_there(name: str, dim: int) -> None:
    assert architecture(name).dim == dim


def test_a_misspelt_name_gets_suggestions() -> None:
    with pytest.raises(OptionError, match=r"'mobilnet_1.0_224' is unknown; did you mean .*\bmobilenet_1\.0_224\b"):
        architecture("mobilnet_1.0_224")


def test_weights_for_the_fake_backbone_are_refused() -> None:
    with pytest.raises(OptionError, match=r"`weights` x\.h5: the fake backbone has none"):
        find_backbone("fake", Path("x"), "x.h5")


@pytest.mark.parametrize("name", ["", "!", "猫"])
def test_a_name_like_nothing_gets_suggestions_too(name: str) -> None:
    with pytest.raises(OptionError, match="did you mean efficientnet_lite0"):
        architecture(name)


def test_a_quantized_name_of_2017_is_explained() -> None:
    with pytest.raises(OptionError, match=r"use mobilenet_1\.0_224; quantisation belongs to the export"):
        architecture("mobilenet_1.0_224_quantized")


def test_the_table_in_the_documentation_is_that_of_the_registry() -> None:
    import list_architectures as script

    page = (ROOT / "docs" / "architectures.md").read_text(encoding="utf-8")
    table = page[page.index(script.HEADER) :].split("\n\n")[0].splitlines()[2:]
    parameters = [line.split(" | ")[4] for line in table]  # tests/backbones/test_network.py looks at those
    assert table == [script.row(family, number) for family, number in zip(script.families(), parameters, strict=True)]


def test_the_documentation_names_every_checkpoint() -> None:
    page = (ROOT / "docs" / "architectures.md").read_text(encoding="utf-8")
    for entry in ARCHITECTURES.values():
        if entry.package:
            assert f"`{entry.package}`" in page
        elif entry.set_weights:
            assert f"({TORCHVISION_WEIGHTS_URL}{entry.weights_file})" in page


def test_the_default_needs_no_download(tmp_path: Path) -> None:
    """Its weights are a locked dependency: the same on every machine."""
    backbone = Backbone.find(model_dir=tmp_path)
    assert (backbone.architecture, backbone.dim, backbone.input_size) == ("efficientnet_lite0", 1280, 224)
    assert backbone.weights_sha256 == architecture("efficientnet_lite0").checksum
    assert backbone.describe() == "efficientnet_lite0, 1280 numbers from 224 x 224 pixels"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["auto", "builtin"])
def test_a_name_of_before_says_what_took_its_place(name: str) -> None:
    with pytest.raises(OptionError, match=f"`architecture` {name}: it .*efficientnet_lite0"):
        find_backbone(name, Path("x"))


def test_the_help_of_the_option_names_the_default() -> None:
    (option,) = [option for option in train.params if option.name == "architecture"]
    assert f"[default: {DEFAULT_ARCHITECTURE}]" in option.help
