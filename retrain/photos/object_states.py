"""What storages say of many objects, asked with as few questions as there can be: by listing folders that hold many."""

import errno
import os
import stat
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import NamedTuple

from label_image.not_paths import is_object_address
from label_image.object_storage import Object, list_objects, objects_at, split_address
from retrain.photos.dataset import Status

PAGE = 1000  # objects that one question lists
MANY = 100  # wanted ones in a folder, from which on it is listed
AT_ONCE = 1000


class ObjectStatus(NamedTuple):
    """What a storage says of an object, as a file's status: it has no inode, and one time for all that changes."""

    st_size: int
    st_mtime_ns: int

    @property
    def st_ino(self) -> int:
        return 0

    @property
    def st_ctime_ns(self) -> int:
        return self.st_mtime_ns

    @property
    def st_mode(self) -> int:
        return stat.S_IFREG

    @classmethod
    def of(cls, found: Object) -> "ObjectStatus":
        """That of an object that was listed or asked for."""
        return cls(found.size, found.mtime_ns)


def states_of(names: Iterable[str]) -> Mapping[str, ObjectStatus]:
    """The state of each object among these names, which may be other things too; none of those that are not there.

    A folder is listed for MANY of its objects, unless it holds so many others that asking for each costs less. Raises
    StorageError.
    """
    by_folder: defaultdict[str, set[str]] = defaultdict(set)
    for name in names:
        if is_object_address(name):
            by_folder[name.rpartition("/")[0]].add(name)
    found: dict[str, ObjectStatus] = {}
    for folder, wanted in by_folder.items():
        if len(wanted) >= MANY:
            found |= _listed(folder, wanted)
    by_bucket: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for name in (name for wanted in by_folder.values() for name in wanted if name not in found):
        by_bucket[split_address(name)[:2]].append(name)
    for left in by_bucket.values():
        for start in range(0, len(left), AT_ONCE):
            states = objects_at(left[start : start + AT_ONCE])
            found |= {one.address: ObjectStatus.of(one) for one in states if one is not None}
    return found


def status_of(path: str) -> Status:
    """What is known of one file, wherever it is. Raises OSError, and StorageError."""
    if not is_object_address(path):
        return os.stat(path)
    found = states_of([path]).get(path)
    if found is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    return found


def _listed(folder: str, wanted: set[str]) -> Mapping[str, ObjectStatus]:
    """The wanted objects among the first of a folder, as many as one question for each of them would list."""
    found = {}
    try:
        for one in islice(list_objects(folder), PAGE * len(wanted)):
            if one.address in wanted:
                found[one.address] = ObjectStatus.of(one)
                if len(found) == len(wanted):
                    break
    except FileNotFoundError:  # then none of them is there
        pass
    return found
