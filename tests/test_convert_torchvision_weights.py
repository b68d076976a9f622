"""`scripts/convert_torchvision_weights.py`, with a stand-in for PyTorch that reads `.npz`."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import convert_torchvision_weights as script
import numpy as np
import pytest
from click.testing import CliRunner, Result

from retrain.backbones import find_backbone
from retrain.errors import BackboneError
from retrain.networks.network import load_network
from retrain.networks.torchvision_networks import build_network

SCRIPT = Path(__file__).parents[1] / "scripts" / "convert_torchvision_weights.py"
STAND_IN = """
import numpy

class Tensor:
    def __init__(self, array): self.array = array
    def detach(self): return self
    def float(self): return Tensor(self.array.astype("float32"))
    def numpy(self): return self.array

def load(path, map_location, weights_only):
    assert map_location == "cpu" and weights_only is True
    with open(path, "rb") as file:
        return {name: Tensor(array) for name, array in numpy.load(file).items()}
"""


@pytest.fixture
def torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """PyTorch in the processes that are started is this text."""
    folder = tmp_path / "torch"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return (folder / "torch.py").write_text


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, torch) -> Callable[..., Result]:
    """Run the command in an empty folder."""
    torch(STAND_IN)
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return lambda *arguments: CliRunner().invoke(script.main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    """AlexNet's, with a classifier as the published file has one."""
    rng = np.random.default_rng(0)
    shapes = {0: (64, 3, 11, 11), 3: (192, 64, 5, 5), 6: (384, 192, 3, 3), 8: (256, 384, 3, 3), 10: (256, 256, 3, 3)}
    arrays = {"classifier.6.bias": rng.normal(size=1000)}
    for number, shape in shapes.items():
        arrays[f"features.{number}.weight"] = rng.normal(0, 0.05, shape).astype(np.float32)
        arrays[f"features.{number}.bias"] = rng.normal(0, 0.05, shape[0]).astype(np.float32)
    return arrays


@pytest.fixture
def checkpoint(arrays: dict[str, np.ndarray], tmp_path: Path) -> Path:
    """A file whose name ends in the beginning of its digest."""
    return save(tmp_path, arrays)


def save(folder: Path, arrays: dict[str, np.ndarray]) -> Path:
    path = folder / "checkpoint"
    with open(path, "wb") as file:
        np.savez(file, **arrays)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return path.rename(folder / f"alexnet-owt-{digest[:8]}.pth")


def everything_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def refused(result: Result, code: int = 1) -> str:
    """The sentence of a refusal, which leaves no file."""
    assert result.exit_code == code, result.output
    assert result.output.count("Error: ") == 1 and "Traceback" not in result.output
    assert [name for name in everything_in(Path.cwd()) if "weights" in name] == []
    return result.output


def test_retrain_finds_and_loads_what_was_converted(run, checkpoint: Path, arrays: dict[str, np.ndarray]) -> None:
    result = run(checkpoint)
    assert result.output == "Wrote tf_files/models/alexnet.weights.h5\n"
    assert everything_in(Path.cwd()) == ["tf_files/models/alexnet.weights.h5"]
    backbone = find_backbone("alexnet", Path("tf_files/models"), image_size=63)
    assert backbone.weights_file == Path("tf_files/models/alexnet.weights.h5")
    model = load_network(backbone).model
    for number in (0, 3, 6, 8, 10):
        kernel, bias = model.get_layer(f"features_{number}").get_weights()
        assert np.array_equal(kernel.transpose(3, 2, 0, 1), arrays[f"features.{number}.weight"])
        assert np.array_equal(bias, arrays[f"features.{number}.bias"])


def test_the_same_file_serves_as_weights(run, checkpoint: Path) -> None:
    assert run(checkpoint, "--output", "here/mine.weights.h5").exit_code == 0
    load_network(find_backbone("alexnet", Path("none"), "here/mine.weights.h5", image_size=63))


def test_the_checkpoint_itself_is_no_weights_file(checkpoint: Path) -> None:
    with pytest.raises(BackboneError, match=r"convert_torchvision_weights\.py makes one"):
        load_network(find_backbone("alexnet", Path("none"), str(checkpoint), image_size=63))


def test_what_is_there_is_replaced_only_when_told(run, checkpoint: Path) -> None:
    output = Path("alexnet.weights.h5")
    output.write_text("mine")
    result = run(checkpoint, "--output", output)
    assert result.exit_code == 2
    assert "alexnet.weights.h5 is there already; --force replaces it" in result.output
    assert output.read_text() == "mine"
    assert run(checkpoint, "--output", output, "--force").exit_code == 0
    load_network(find_backbone("alexnet", Path("none"), str(output), image_size=63))


def test_a_failure_leaves_the_earlier_file_alone(run, arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    bad = save(tmp_path, {**arrays, "features.3.bias": np.full(192, np.nan)})
    output = Path("alexnet.weights.h5")
    output.write_text("mine")
    result = run(bad, "--output", output, "--force")
    assert result.exit_code == 1
    assert "features.3.bias holds numbers that are not finite" in result.output
    assert everything_in(Path.cwd()) == ["alexnet.weights.h5"]
    assert output.read_text() == "mine"


def test_a_failure_while_writing_leaves_nothing(
    run, checkpoint: Path, monkeypatch: pytest.MonkeyPatch, arrays: dict[str, np.ndarray]
) -> None:
    def fill_the_disk(self: object, path: str) -> None:
        Path(path).write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(build_network("alexnet", 63)), "save_weights", fill_the_disk)
    assert "cannot be written: No space left on device" in refused(run(checkpoint))


def test_a_damaged_file_is_refused_by_its_name(run, checkpoint: Path) -> None:
    renamed = checkpoint.rename(checkpoint.with_name("alexnet-owt-7be5be79.pth"))
    assert "is damaged" in refused(run(renamed))


def test_a_file_of_ones_own_needs_no_digest(run, checkpoint: Path) -> None:
    own = checkpoint.rename(checkpoint.with_name("mine.pth"))
    assert "--architecture" in refused(run(own), code=2)
    assert run(own, "--architecture", "alexnet").exit_code == 0


def test_a_network_that_is_not_known_is_not_guessed(run, checkpoint: Path) -> None:
    other = checkpoint.rename(checkpoint.with_name("vgg13_bn-abd245e5.pth"))
    assert "alexnet, vgg11, vgg13" in refused(run(other), code=2)


def test_the_weights_of_another_network_are_refused(run, checkpoint: Path) -> None:
    assert "not the weights of vgg11" in refused(run(checkpoint, "--architecture", "vgg11"))


def test_a_file_that_is_no_checkpoint_is_refused(run, tmp_path: Path) -> None:
    path = tmp_path / "vgg11.pth"
    path.write_bytes(b"<html>not found</html>")
    assert "vgg11.pth is not a checkpoint of tensors and their names" in refused(run(path))


def test_without_pytorch_a_sentence_says_how_to_get_it(run, torch, checkpoint: Path) -> None:
    torch("raise ImportError('libcudnn.so.9: cannot open shared object file')")
    sentence = refused(run(checkpoint))
    assert "docs/architectures.md" in sentence and "libcudnn.so.9" in sentence


def test_a_python_that_is_not_there_is_an_error_of_the_call(run, checkpoint: Path) -> None:
    assert "--python nowhere/python cannot be run" in refused(run(checkpoint, "--python", "nowhere/python"), code=2)


def test_an_output_of_another_kind_is_refused(run, checkpoint: Path) -> None:
    assert "must end in .weights.h5" in refused(run(checkpoint, "--output", "alexnet.h5"), code=2)


def test_an_output_that_cannot_be_is_refused(run, checkpoint: Path) -> None:
    Path("file").touch()
    assert "cannot be written" in refused(run(checkpoint, "--output", "file/alexnet.weights.h5"))
