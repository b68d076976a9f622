"""Folders of photos in an object storage, s3://bucket/cats: listed, and read where they are, as folders of a disk are.

    s3://bucket/cats/Bengal/1.jpg
    gs://bucket/flowers/train/daisy/1.jpg
    hdfs://namenode/pets/great_pyrenees_12.jpg

Nothing is fetched but the photos that have to be read. A single file there, an archive or a table, and a folder of such
files without photos, is fetched as from any other address.
"""

from pathlib import PurePosixPath

from label_image.errors import StorageError
from label_image.not_paths import is_object_address
from label_image.object_storage import list_objects
from retrain.core.collecting import no_collecting
from retrain.core.errors import DatasetError
from retrain.photos.archives.kinds import OTHER_NAMES, is_named_archive
from retrain.photos.dataset import Dataset
from retrain.photos.layouts.shape import has_photos, others_below
from retrain.photos.sources.addresses import read_address
from retrain.photos.sources.base import Source, Unpacking
from retrain.photos.sources.folders import read_listing
from retrain.photos.sources.listing import InStorage
from retrain.photos.sources.table_files import JSON_LINES, TEXT

TABLES = (*TEXT, *JSON_LINES, ".parquet")


def is_folder_of_storage(source: str) -> bool:
    """Whether a source is an address of a storage, and not by its name that of one file."""
    is_chain = "://" in source.partition("::")[2]  # of addresses, as fsspec knows them
    return is_object_address(source) and not is_chain and not _is_one_file(PurePosixPath(source.rstrip("/")).name)


def read_objects(source: str, unpacking: Unpacking) -> Dataset:
    """The photos below an address. Raises DatasetError, and OptionError."""
    root = root_of(source)
    try:
        with no_collecting():
            listing = InStorage(root, list_objects(root))
            tree = listing.tree()
            if not has_photos(tree) and any(map(_is_one_file, others_below(tree))):
                return read_address(source, unpacking)
            return read_listing(listing, unpacking.layout, unpacking.class_name)
    except FileNotFoundError:
        raise DatasetError(f"There is nothing at {source}: check `image_dir`.") from None
    except StorageError as error:
        raise DatasetError(str(error)) from None


def root_of(source: str) -> str:
    """The address of a folder as its photos' addresses begin."""
    scheme, _, place = source.partition("://")
    return f"{scheme.lower()}://{place.rstrip('/')}"


def _is_one_file(name: str) -> bool:
    """Whether a name, or its end, is that of a file that holds photos or their paths."""
    return is_named_archive(name) or OTHER_NAMES.search(name) is not None or name.lower().endswith(TABLES)


OBJECTS = Source("objects", is_folder_of_storage, read_objects, holds_others=True)
