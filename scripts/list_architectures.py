"""Print the table of docs/architectures.md: every architecture of the registry, built once to count its parameters.

    python scripts/list_architectures.py

Architectures that differ only in the size of their photos share a row.
"""

from __future__ import annotations

import re
from pathlib import Path

import click

from retrain.backbones.backbone import find_backbone
from retrain.backbones.families.base import CAFFE_BGR, IMAGENET_STATISTICS, MINUS_ONE_TO_ONE, Architecture
from retrain.backbones.families.efficientnet_lite import LITE
from retrain.backbones.registry import ARCHITECTURES

HEADER = """\
| architecture | bottleneck | photo | pixels | parameters | weights |
|---|---|---|---|---|---|"""
PIXELS = {
    MINUS_ONE_TO_ONE: "-1..1",
    IMAGENET_STATISTICS: "mean and deviation",
    CAFFE_BGR: "BGR minus mean",
    LITE: "(x - 127) / 128",
}


def families() -> list[list[Architecture]]:
    """The registry without `fake`; architectures that differ only in size are together."""
    together: dict[str, list[Architecture]] = {}
    for entry in ARCHITECTURES.values():
        if entry.name != "fake":
            together.setdefault(re.sub(rf"_{entry.input_size}$", "", entry.name), []).append(entry)
    return list(together.values())


def row(family: list[Architecture], parameters: str) -> str:
    """One row of the table; `parameters` in millions."""
    first = family[0]
    sizes = ", ".join(str(entry.input_size) for entry in family)
    name = first.name
    if len(family) > 1:
        name = re.sub(r"_\d+$", f"_{{{sizes.replace(' ', '')}}}", name)
    cells = (f"`{name}`", str(first.dim), sizes, PIXELS[first.arithmetic], parameters, origin(first))
    return f"| {' | '.join(cells)} |"


def origin(entry: Architecture) -> str:
    """Where the weights come from, in a word or two."""
    if entry.package:
        return "installed"
    return "torchvision" if entry.set_weights else "Keras"


def count_parameters(name: str) -> str:
    """Parameters of the backbone, without any classifier, in millions."""
    # Here, and not above: the rows need no TensorFlow.
    from retrain.backbones.network import load_network

    backbone = find_backbone(name, Path(), "random", image_size=96)
    return f"{load_network(backbone).model.count_params() / 1e6:.1f}"


@click.command()
def main() -> None:
    """Print the table of all architectures."""
    click.echo(HEADER)
    for family in families():
        click.echo(row(family, count_parameters(family[0].name)))


if __name__ == "__main__":
    main()
