"""What a photo is called where people decide about it: in fixes.csv, in findings.csv and on the doctor's page.

That is its path from the folder of the photos. Where these come from a table it is the path from the table's folder,
where they were unpacked the path in what was unpacked: neither depends on where a run is started, on where sources are
kept, or on what else is in an archive.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from retrain.photos.composed import ways_to_compose
from retrain.photos.dataset import Dataset, Root
from retrain.photos.reading import absolute_paths

Source = str | os.PathLike[str]


def name_in(source: Source, path: str, roots: Iterable[Root] = ()) -> str:
    """The path of a photo as seen from the folder it comes from, with slashes; else as it is."""
    for root in (Root(os.fspath(source)), *roots):
        folder = os.path.join(root.folder, "")
        if path.startswith(folder):
            return os.path.join(root.name, path[len(folder) :]).replace(os.sep, "/")
    return path


def places_of(name: str, source: Source, roots: Iterable[Root] = ()) -> Iterator[str]:
    """Where the photo of a name may be: at that path, below the first source, or below an added one named with it."""
    yield name
    yield os.path.join(source, name)
    for root in roots:
        if not root.name:
            yield os.path.join(root.folder, name)
            continue
        inside, top = os.path.abspath(name), os.path.join(os.path.abspath(root.name), "")
        if inside.startswith(top):
            yield os.path.join(root.folder, inside[len(top) :])


@dataclass(frozen=True)
class PhotoNames:
    """The photos of a source, and of those that were `added`, by whatever names they may have.

    `paths` are those of the photos by these paths, and by the absolute ones.
    """

    source: Source
    added: tuple[Source, ...]
    roots: tuple[Root, ...]
    paths: Mapping[str, str]

    @classmethod
    def of(cls, dataset: Dataset, source: Source, added: Sequence[Source] = ()) -> "PhotoNames":
        """Those of all photos of a data set."""
        paths = [file.path for file in dataset.files]
        known = {**dict(zip(absolute_paths(paths), paths, strict=True)), **dict(zip(paths, paths, strict=True))}
        return cls(source, tuple(added), dataset.roots, known)

    def meant(self, name: str) -> list[str]:
        """The paths of the photos that a name may mean; where it means none of the first source, of the added ones."""
        for written in ways_to_compose(name):
            found = self._at(places_of(written, self.source, self.roots)) or self._at(self._below_added(written))
            if found:
                return found
        return []

    def _below_added(self, name: str) -> Iterator[str]:
        yield from (os.path.join(source, name) for source in self.added)
        yield from (os.path.join(root.folder, name) for root in self.roots if root.name)

    def _at(self, places: Iterable[str]) -> list[str]:
        found = list(places)
        both = zip(found, absolute_paths(found), strict=True)
        paths = (self.paths.get(place) or self.paths.get(absolute) for place, absolute in both)
        return sorted({path for path in paths if path is not None})
