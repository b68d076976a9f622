"""Convert torchvision's published weights of AlexNet, VGG-11 or VGG-13 into the file that `retrain` loads.

    python scripts/convert_torchvision_weights.py vgg13-19584684.pth

writes tf_files/models/vgg13.weights.h5, where ``retrain --architecture vgg13`` finds it; any other place will do with
``--weights``. docs/architectures.md says where the checkpoints are published.

A checkpoint is read with PyTorch, which nothing else in this project needs: ``python -m pip install torch`` (with
NumPy), best in an environment of its own, whose Python ``--python`` names. It runs in a process of its own, because
TensorFlow and PyTorch do not always bear each other in one, and with ``weights_only=True``, so that a checkpoint cannot
run code. The last eight digits in a published checkpoint's name are the beginning of its SHA-256, and are compared.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt

from retrain.architectures import ARCHITECTURES
from retrain.backbones import file_sha256
from retrain.errors import BackboneError, OptionError, RetrainError
from retrain.files import temporary_folder

# All that PyTorch does here: checkpoint in, .npz out. Without the classifier, which is most of the file.
READER = """
import sys
try:
    import numpy, torch
except ImportError as error:
    print(error, file=sys.stderr)
    sys.exit(3)
state = torch.load(sys.argv[1], map_location="cpu", weights_only=True)
arrays = {name: tensor.detach().float().numpy() for name, tensor in state.items()}
numpy.savez(sys.argv[2], **{name: array for name, array in arrays.items() if not name.startswith("classifier.")})
"""
NO_TORCH = 3

NAMES = [entry.name for entry in ARCHITECTURES.values() if entry.checkpoint]


def check_digest(checkpoint: Path) -> None:
    """Compare a file with the digest in its name, where there is one. Raises BackboneError."""
    promised = re.search(r"-([0-9a-f]{8})\.pth$", checkpoint.name)
    digest = file_sha256(checkpoint)
    if promised and not digest.startswith(promised[1]):
        raise BackboneError(
            f"{checkpoint} is damaged: its SHA-256 begins with {digest[:8]}, not as its name says. Download it again."
        )


def read_checkpoint(checkpoint: Path, python: str = sys.executable) -> dict[str, npt.NDArray[np.float32]]:
    """The names and arrays of a PyTorch checkpoint, without the classifier. Raises BackboneError."""
    with tempfile.TemporaryDirectory() as folder:
        arrays = Path(folder) / "arrays.npz"
        try:
            run = subprocess.run(
                [python, "-c", READER, str(checkpoint), str(arrays)], stderr=subprocess.PIPE, text=True
            )
        except OSError as error:
            raise OptionError(f"--python {python} cannot be run: {error.strerror}.") from None
        if run.returncode == NO_TORCH:
            raise BackboneError(
                f"PyTorch is needed to read {checkpoint}, and {python} cannot import it ({run.stderr.strip()}): "
                "python -m pip install torch numpy, in any environment, and name its Python with --python."
            )
        if run.returncode != 0:  # PyTorch's own words advise to switch its safety off
            raise BackboneError(f"{checkpoint} is not a checkpoint of tensors and their names.")
        with np.load(arrays, allow_pickle=False) as opened:
            return dict(opened)


def write_weights(architecture: str, arrays: Mapping[str, npt.NDArray[np.floating]], output: Path) -> None:
    """Write a checkpoint's arrays as Keras weights; `output` is there whole or not at all. Raises BackboneError."""
    # Here, and not above: `--help` and wrong calls need no TensorFlow.
    from retrain.networks import tensorflow  # noqa: F401  turns TensorFlow's chatter down
    from retrain.networks.torchvision_networks import build_network, set_weights

    model = build_network(architecture, ARCHITECTURES[architecture].input_size)
    set_weights(model, arrays)
    try:
        with temporary_folder(output.parent) as temporary:
            model.save_weights(str(temporary / output.name))
            os.replace(temporary / output.name, output)
    except OSError as error:
        raise BackboneError(f"{output} cannot be written: {error.strerror or error}.") from None


def convert(checkpoint: Path, architecture: str | None, output: Path | None, force: bool, python: str) -> Path:
    """Convert one checkpoint; see the options. Returns what was written. Raises RetrainError."""
    if architecture is None:
        architecture = re.split("[-.]", checkpoint.name)[0]
        if architecture not in NAMES:
            raise OptionError(f"Say with --architecture whose weights {checkpoint} holds: {', '.join(NAMES)}.")
    output = output or Path("tf_files/models") / f"{architecture}.weights.h5"
    if not output.name.endswith(".weights.h5"):
        raise OptionError(f"--output {output} must end in .weights.h5.")
    if output.exists() and not force:
        raise OptionError(f"{output} is there already; --force replaces it.")
    check_digest(checkpoint)
    write_weights(architecture, read_checkpoint(checkpoint, python), output)
    return output


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("checkpoint", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--architecture", type=click.Choice(NAMES), help="Whose weights these are.  [the file name's beginning]")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="What to write.  [tf_files/models/<architecture>.weights.h5]",
)
@click.option("--force", is_flag=True, help="Replace the output if it is there already.")
@click.option("--python", default=sys.executable, help="The Python that has PyTorch.  [the one that runs this]")
def main(checkpoint: Path, architecture: str | None, output: Path | None, force: bool, python: str) -> None:
    """Convert CHECKPOINT, torchvision's weights of AlexNet, VGG-11 or VGG-13, for `retrain`."""
    try:
        click.echo(f"Wrote {convert(checkpoint, architecture, output, force, python)}")
    except RetrainError as error:
        refusal = click.ClickException(str(error))
        refusal.exit_code = error.exit_code
        raise refusal from None


if __name__ == "__main__":
    main()
