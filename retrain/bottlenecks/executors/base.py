"""What an executor is: it is told which photos to run a network on, and gives back their bottlenecks.

What it is told (`Backbone`, the function that starts its engine, `Work`) are plain values that can be pickled, so that
photos may be read and computed in other processes, and on other machines, wherever the paths of the photos lead. The
store, and what is known of the photos' contents, stay with the caller.
"""

from collections.abc import Callable, Generator, Mapping, Sequence, Set
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from label_image.preprocessing import Pixels
from retrain.backbones.backbone import Backbone
from retrain.backbones.engines.base import Engine, Vectors
from retrain.bottlenecks.digests import Digests
from retrain.bottlenecks.shard_writer import ShardWriter
from retrain.photos.dataset import PhotoFile
from retrain.photos.reading import ReadPhoto
from retrain.photos.views import View

REPORT_FILES = 1000  # files read between two reports, where nothing has to be computed

StartEngine = Callable[[Backbone], Engine]


@dataclass(frozen=True)
class Work:
    """Which photos to compute: `wanted` are indices of `files`; `known` has the SHA-256 of each, None where unknown.

    A wanted file whose content turns out to be among `stored` is read, and not computed; neither is a second file of
    the same content. `accept_truncated`: JPEGs that end early are computed as far as they go. `writer` is for executors
    whose workers keep what they compute.
    """

    files: Sequence[PhotoFile]
    known: Sequence[str | None]
    wanted: Sequence[int]
    stored: Set[str] | Digests
    view: View
    accept_truncated: bool = False
    writer: ShardWriter | None = None


@dataclass(frozen=True)
class Batch:
    """Some files that were read, without their pixels, and the contents among them that are computed.

    `vectors()` waits for the bottlenecks of `sha256s`, float32 (n, dim). It is asked for before the next batch, unless
    they are `kept`: then their rows are in the store. `seconds` are those that workers spent, by stage.
    """

    photos: Sequence[ReadPhoto]
    sha256s: Sequence[str]
    vectors: Callable[[], Vectors]
    kept: bool = False
    seconds: Mapping[str, float] = field(default_factory=dict)


class Session(Protocol):
    """A network that is at hand for a while. It is built when it is needed first, and once.

    `keeps`: what is computed is kept by the workers that compute it, with `Work.writer`, each with a network of its
    own. `embed` is asked before, for the store, as soon as there are photos to read.
    """

    keeps: bool

    def embed(self, pixels: Pixels) -> Vectors:
        """The bottlenecks (n, dim) of a few pictures, uint8 (n, size, size, 3), by the network that `run` uses."""

    def run(self, work: Work) -> Generator[Batch, None, None]:
        """Read and compute the wanted photos in their order; a batch at least for every REPORT_FILES files.

        Who closes it has no need of the rest. It needs no network until the vectors of a batch are asked for. What is
        wrong with a photo is in its `problem`; what is wrong with the network is raised.
        """


class Executor(Protocol):
    """Where networks run."""

    def open(self, backbone: Backbone, start: StartEngine) -> AbstractContextManager[Session]:
        """A session with one backbone; `start` makes its engine, wherever that is to run."""
