"""Everything that `retrain` raises on purpose, and what `label_image` raises below it.

    RetrainError                exit code 1: the run failed
    ├── PhotoError              one photo cannot be used; the run goes on without it   (of label_image)
    ├── PreprocessingError      a preprocessing string that does not parse             (of label_image)
    ├── ModelError              an export that cannot be used                          (of label_image)
    ├── OptionError             exit code 2: the call was wrong
    ├── DatasetError            the photos as a whole cannot be used
    ├── DownloadError           a file that could not be fetched: weights, a data set   (of label_image)
    ├── ClusterError            a cluster of Ray that cannot be reached or used        (of label_image)
    ├── StorageError            an object storage that cannot be used                  (of label_image)
    │   └── CredentialsError        it lacks credentials, or refuses them              (of label_image)
    ├── BackboneError           an unknown architecture, or weights that do not fit it
    ├── GpuError                a GPU is required, and there is none
    ├── CheckpointError         a checkpoint is damaged, or belongs to another training
    ├── Stopped                 a function that was passed as `observe` ended the step
    ├── StoreError              the bottleneck store cannot be read or written
    │   └── UnwritableStoreError    it lacks something, which cannot be added to it
    ├── ExportError             an export cannot be written or read
    │   ├── UnfitError              a format is not for such a network
    │   └── ParityError             an export does not behave like the model it came from
    └── StudioError             what a page of the studio asks for cannot be done

Each message is one sentence (or two) that names the file or field and says what to do. A field stands in backticks, as
in `image_dir`: the command line makes an option of it (`retrain.cli.dashes`).
"""

from label_image.errors import ClusterError as ClusterError
from label_image.errors import DownloadError as DownloadError
from label_image.errors import RetrainError as RetrainError


class OptionError(RetrainError):
    """An option, or a combination of options, that makes no sense."""

    exit_code = 2


class DatasetError(RetrainError):
    """The source of photos cannot be read, or does not hold a classification problem."""


class BackboneError(RetrainError):
    """An unknown architecture, missing weights, or weights of another architecture."""


class GpuError(RetrainError):
    """A GPU is required, and there is none that TensorFlow can use."""


class CheckpointError(RetrainError):
    """A checkpoint that is damaged, or belongs to another training."""


class Stopped(RetrainError):
    """A step was ended by the function that observed it."""


class StoreError(RetrainError):
    """The bottleneck store or a side table of it cannot be read or written."""


class UnwritableStoreError(StoreError):
    """The bottleneck store is incomplete, and this user cannot write into it."""


class ExportError(RetrainError):
    """An export cannot be written, or is not an export of this project."""


class UnfitError(ExportError):
    """A format is not for such a network, whatever else is done about it."""


class ParityError(ExportError):
    """An exported model answers differently from the model it was made from."""


class StudioError(RetrainError):
    """What a page of the studio asks for cannot be done: a name that no class can have, photos that are gone."""
