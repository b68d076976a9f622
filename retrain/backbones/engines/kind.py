"""What an engine declares of itself. Nothing heavy is imported here: the command line needs the names."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retrain.backbones.backbone import Backbone
    from retrain.backbones.engines.base import Engine


@dataclass(frozen=True)
class EngineKind:
    """An engine, and what has to be there for it.

    `start` makes one for a backbone; it computes in `backbone.compute_dtype`, one of `precisions`. `package` is the
    Python package that it needs, which our `extra` installs. One that is `cpu_only` is not chosen by itself where there
    is a GPU. One that has an `architecture` runs that one alone, whatever engine was asked for.
    """

    name: str
    start: Callable[["Backbone"], "Engine"]
    precisions: tuple[str, ...] = ("float32", "bfloat16", "float16")
    package: str = ""
    extra: str = ""
    cpu_only: bool = False
    architecture: str = ""
