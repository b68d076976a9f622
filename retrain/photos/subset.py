"""Fewer photos per class, chosen so that the choice stays: `--max_images_per_class`."""

import hashlib
import heapq
import os
from collections import defaultdict
from dataclasses import replace

from retrain.core.errors import OptionError
from retrain.core.typed import require_whole
from retrain.photos.dataset import Dataset, PhotoFile, Split
from retrain.photos.layouts.words import kind_of


def limit_per_class(dataset: Dataset, limit: int | None) -> Dataset:
    """At most `limit` photos of each class, on each side of the split where the source gives one.

    The photos whose names have the lowest hashes stay, so the choice neither follows the order of
    names nor changes when photos are added, but for those that the new ones displace. What is no photo by
    its name takes nobody's place. A remark says how many photos are left out. Raises OptionError for a limit below 1.
    """
    if limit is None:
        return dataset
    if require_whole(limit, "max_images_per_class") < 1:
        raise OptionError(f"`max_images_per_class` {limit} must be at least 1.")
    members: dict[tuple[str, Split | None], list[PhotoFile]] = defaultdict(list)
    kept = set[str]()
    for file in dataset.files:
        if kind_of(os.path.basename(file.path)) == "other":
            kept.add(file.path)  # it is skipped, with the reason, when it is read
        else:
            members[file.label, file.split].append(file)
    kept.update(file.path for files in members.values() for file in heapq.nsmallest(limit, files, key=_rank))
    files = tuple(file for file in dataset.files if file.path in kept)
    left_out = len(dataset.files) - len(files)
    if not left_out:
        return replace(dataset, max_images_per_class=limit)
    classes = len({label for (label, _), files in members.items() if len(files) > limit})
    given = " and side of the given split" if any(split for _, split in members) else ""
    remark = (
        f"{left_out} photos of {classes} classes are left out: `max_images_per_class` {limit} "
        f"keeps at most {limit} per class{given}."
    )
    return replace(dataset, files=files, remarks=(*dataset.remarks, remark), max_images_per_class=limit)


def _rank(file: PhotoFile) -> tuple[bytes, str]:
    """Where a photo stands among its class. By name, not path: the photos may be mounted elsewhere."""
    name = os.fsencode(os.path.basename(file.path))
    return hashlib.sha256(name).digest(), file.path
