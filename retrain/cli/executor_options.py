"""The options of where networks run."""

from collections.abc import Callable
from typing import TypeVar

import click

from label_image.user_path import Text

Command = TypeVar("Command", bound=Callable[..., object])

_executor = click.option(
    "--executor",
    type=click.Choice(("local", "ray")),
    default="local",
    show_default=True,
    help="Where bottlenecks are computed: in this process, or by Ray, on the machines of a cluster.",
)
_ray_address = click.option(
    "--ray_address",
    type=Text,
    metavar="ADDRESS",
    help="With --executor ray: the cluster, as in 10.0.0.1:6379.  [default: $RAY_ADDRESS, else one started here]",
)


def executor_options(command: Command) -> Command:
    """Adds --executor and --ray_address to a command."""
    return _executor(_ray_address(command))
