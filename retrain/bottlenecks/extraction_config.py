"""How bottlenecks are computed and where they are kept; and what this machine then does for it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from retrain.backbones.backbone import Backbone
from retrain.backbones.engines.registry import ENGINES, choose_engine
from retrain.backbones.engines.tensorflow import require_gpu
from retrain.core.defaults import BOTTLENECK_DIR, STORE_DTYPES
from retrain.core.errors import GpuError, OptionError
from retrain.core.machine import PRECISIONS, choose_precision, do_without_gpu, gpu_remark, has_gpu
from retrain.core.places import place_of
from retrain.core.progress import SILENT, Progress
from retrain.core.typed import check_fields

Found = TypeVar("Found")


@dataclass(frozen=True)
class ExtractionConfig:
    """Where bottlenecks are kept, and how those that are missing are computed.

    `bottleneck_dir` is a folder, or an address of object storage (s3://, gs://, hdfs://).
    `precision` is auto, float32, bfloat16, float16 or int8, `engine` auto, tensorflow or openvino. They are kept in
    `store_dtype`, float32 or float16. `require_gpu`: not without one. `paranoid`: read every photo again, whatever its
    size and dates say. `accept_truncated`: read JPEGs that end early as far as they go. `executor` is where networks
    run: local, or ray, which is then the one at `ray_address` (by default that of the variable RAY_ADDRESS, or else one
    that is started on this machine).
    """

    bottleneck_dir: Path | str = Path(BOTTLENECK_DIR)
    precision: str = "auto"
    engine: str = "auto"
    require_gpu: bool = False
    paranoid: bool = False
    accept_truncated: bool = False
    executor: str = "local"
    ray_address: str | None = None
    store_dtype: str = STORE_DTYPES[0]

    def __post_init__(self) -> None:
        check_fields(self)
        known = {"precision": PRECISIONS, "engine": ENGINES, "store_dtype": STORE_DTYPES}
        for name, names in known.items():
            if getattr(self, name) not in names:
                raise OptionError(f"`{name}` {getattr(self, name)} is not known; choose from {', '.join(names)}.")
        if self.ray_address is not None and self.executor != "ray":
            raise OptionError("`ray_address` is for `executor` ray: give both, or neither.")
        if self.require_gpu and self.executor == "ray":
            raise OptionError(
                "`require_gpu` looks for a GPU in this machine: with `executor` ray give `precision` float16 instead, "
                "which is computed on the GPUs of the cluster alone."
            )
        if self.precision == "int8" and self.executor == "ray":
            raise OptionError(
                "`precision` int8 is computed on this machine: leave `executor` ray out, or choose another precision."
            )
        object.__setattr__(self, "bottleneck_dir", place_of(self.bottleneck_dir).where)  # a path is taken as text, too

    @property
    def local_dir(self) -> Path:
        """What lies on this machine: `bottleneck_dir`, or the default one where that is on object storage."""
        return place_of(self.bottleneck_dir).local_dir

    def look_for_gpu(self, progress: Progress = SILENT) -> None:
        """Say if a GPU is there or asked for and cannot be used. Raises GpuError if one is required."""
        if self.require_gpu:
            require_gpu()
        remark = gpu_remark()
        if remark is not None:
            progress.say(remark)

    def choose_precision(self) -> str:
        """The precision on this machine. Raises OptionError for one, or an engine, that it does not have."""
        in_cluster = self.executor == "ray" and self.precision != "auto"  # whose machines may be others
        precision = self.precision if in_cluster else choose_precision(self.precision)
        choose_engine(self.engine, precision)
        return precision

    def computed_and_kept(self, backbone: Backbone) -> Backbone:
        """The backbone with bottlenecks in the precision and the dtype that are asked for. Raises OptionError."""
        return backbone.computed_in(self.choose_precision()).stored_in(self.store_dtype)

    def with_cpu_fallback(
        self, backbone: Backbone, work: Callable[[Backbone], Found], progress: Progress = SILENT
    ) -> tuple[Backbone, Found]:
        """`work(backbone)`, which may start an engine; returns the backbone that it was done with, too.

        Where TensorFlow then finds no GPU, although its libraries are there, `auto` goes on in the CPU's precision,
        which has bottlenecks of its own. A precision that was asked for is not exchanged: GpuError.
        """
        try:
            return backbone, work(backbone)
        except GpuError:
            if self.precision != "auto":
                raise
        if has_gpu():  # as it was believed until now; of a second backbone it is known and said
            do_without_gpu()
            self.look_for_gpu(progress)
        backbone = backbone.computed_in(choose_precision("auto"))
        return backbone, work(backbone)
