"""The value: how a folder is read, and the line that says so."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from label_image.terminal import shown
from retrain.photos.dataset import Split

Layout = Literal["auto", "folders", "splits", "names"]
LAYOUTS: tuple[Layout, ...] = ("auto", "folders", "splits", "names")
NAMED = 6  # classes and folders in the line


@dataclass(frozen=True)
class Place:
    """A folder in which class folders lie, or photos whose names say their classes, by its relative path."""

    path: str
    side: Split | None = None


@dataclass(frozen=True)
class LeftOut:
    """A folder of which no photo is used, by its relative path, and why, as a phrase that continues it."""

    path: str
    reason: str


@dataclass(frozen=True)
class Reading:
    """How a folder is read.

    `folders`: each folder in the one place is a class; `splits`: so in several places, which may be sides of a given
    split; `names`: the class is in the name of each file, by `pattern`; `class`: all photos in the place are of one
    class, or of none, which is called nothing. `classes` are those that the listing saw.
    """

    layout: Layout | Literal["class"]
    places: tuple[Place, ...]
    classes: tuple[str, ...]
    left_out: tuple[LeftOut, ...] = ()
    pattern: str = ""

    @property
    def ordinary(self) -> bool:
        """Whether there are class folders alone, in the folder itself, or photos of one class."""
        return self.layout in ("folders", "class") and self.places == (Place(""),) and not self.left_out

    def summary(self) -> str:
        """What is read as what, as in `train, val with the classes ants, bees; left out: logs, __pycache__`."""
        classes = f"the classes {some(self.classes)}"
        where = some([place.path for place in self.places if place.path])
        if self.layout == "class":
            words = f"photos of the class {some(self.classes)}" if any(self.classes) else "photos without a class"
        elif self.layout == "names":
            example = self.pattern.replace("class", self.classes[0] if self.classes else "class")
            words = f"{f'file names in {where}' if where else 'file names'} such as {example} with {classes}"
        elif where:
            words = f"{where} with {classes}"
        else:
            words = f"class folders {some(self.classes)}"
        left_out = some([one.path for one in self.left_out])
        return f"{words}; left out: {left_out}" if left_out else words


def some(names: Sequence[str]) -> str:
    """Names with commas between them, the first few of many, as they can be shown."""
    more = f" … ({len(names):,} in all)" if len(names) > NAMED else ""
    return f"{', '.join(map(shown, names[:NAMED]))}{more}"
