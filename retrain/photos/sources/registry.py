"""All layouts in which photos may be given, in the order in which they are asked; a new one is one line here."""

from retrain.photos.sources.addresses import ADDRESSES
from retrain.photos.sources.archives import ARCHIVES
from retrain.photos.sources.folders import FOLDERS
from retrain.photos.sources.hugging_face import HUGGING_FACE
from retrain.photos.sources.manifests import MANIFESTS
from retrain.photos.sources.objects import OBJECTS
from retrain.photos.sources.parquet import PARQUET
from retrain.photos.sources.recorded import RECORDED
from retrain.photos.sources.tfds import TFDS

SOURCES = (
    OBJECTS,  # before all other addresses
    ADDRESSES,
    TFDS,
    HUGGING_FACE,
    RECORDED,  # before all other Parquet files
    PARQUET,
    FOLDERS,  # after those that are folders, too
    MANIFESTS,
    ARCHIVES,  # after those that are known by their names, for this one looks inside
)
