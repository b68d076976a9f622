"""Names that come from a page: of classes, which are checked, and of photos, which are made harmless."""

import os
import re
import unicodedata
from collections.abc import Iterable, Sequence

from label_image.many.placing import LONGEST
from label_image.many.sorted_folders import NOT_IN_NAMES
from label_image.photo_files.kinds import EXTENSIONS
from label_image.photo_files.kinds import kind_of as kind_of_photo
from label_image.terminal import shown
from retrain.core.errors import DatasetError, OptionError, StudioError
from retrain.core.language import translated
from retrain.photos.layouts import words
from retrain.photos.layouts.recognise import recognise
from retrain.photos.layouts.tree import tree_of

FORBIDDEN = '/\\<>:"|?*'  # by Linux, macOS and Windows; a folder of photos goes from one to the other
RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)  # by Windows
JOINERS = "\u200c\u200d"  # invisible, but part of words in Persian and Hindi, and of many emoji
SHOWN_IN_PHOTOS = frozenset(("mask", "masks", "boxes"))  # called like annotations, and a class in its own right
ROOM = 8  # bytes of a photo's name that are left for a number


def check_class_name(name: str, others: Iterable[str] = ()) -> str:
    """A new class's name without space around it. Raises StudioError, with a sentence, for what no class can be called.

    `others` are the classes that are there; a name may not look like one of theirs.
    """
    name = unicodedata.normalize("NFC", name.strip())
    if not name:
        raise StudioError(translated("A class needs a name."))
    _check_characters(name)
    if name.startswith("."):
        raise StudioError(translated("A class name cannot begin with a dot: such folders are hidden."))
    if name.endswith("."):
        raise StudioError(translated("A class name cannot end with a dot, which Windows does not keep."))
    if RESERVED.fullmatch(name):
        raise StudioError(
            translated("{name} is a name that Windows keeps for itself: choose another.", name=shown(name))
        )
    if len(name.encode()) > LONGEST:
        raise StudioError(
            translated(
                "This class name is too long: it takes {size:,} bytes, and {most:,} are allowed.",
                size=len(name.encode()),
                most=LONGEST,
            )
        )
    others = list(others)
    _check_unlike(name, others)
    check_meaning(name, others)
    return name


def photo_name(given: str, data: bytes) -> str:
    """A harmless name for a photo: the last part of what was given, with the extension that its bytes say.

    Raises PhotoError, which says what the bytes are instead, for what is no photo.
    """
    fitting = EXTENSIONS[kind_of_photo(data)]
    name = unicodedata.normalize("NFC", re.split(r"[/\\]", given)[-1])
    name = NOT_IN_NAMES.sub("_", name).strip(" ").lstrip(".")
    stem, extension = os.path.splitext(name)
    if extension.lower() not in fitting:
        if words.kind_of(name) not in ("photo", "other"):  # a dot in a title is no extension
            stem = name
        extension = fitting[0]
    stem = stem.rstrip(" .") or "photo"
    stem = f"_{stem}" if RESERVED.fullmatch(stem) else stem
    while len(os.fsencode(stem + extension)) > LONGEST - ROOM:
        stem = stem[:-1]
    return stem.rstrip(" .") + extension


def _check_characters(name: str) -> None:
    if found := next((one for one in name if one in FORBIDDEN), ""):
        raise StudioError(
            translated(
                "A class name cannot have a {sign} in it: a folder's name may not, here or on Windows.", sign=found
            )
        )
    hidden = (one for one in name if unicodedata.category(one) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp"))
    if any(one not in JOINERS for one in hidden):
        raise StudioError(
            translated("The class name {name} has an invisible character in it: type it anew.", name=repr(shown(name)))
        )


def _check_unlike(name: str, others: list[str]) -> None:
    """Not equal to another's, nor in all but case, nor in what can be seen."""
    if name in others:
        raise StudioError(translated("There is a class {name} already.", name=shown(name)))
    for other in others:
        if _appearance(other) == _appearance(name):
            raise StudioError(
                translated(
                    "There is a class {name} already, which looks the same: choose another name.", name=shown(other)
                )
            )


def _appearance(name: str) -> str:
    plain = "".join(one for one in name if unicodedata.category(one) != "Cf")
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", plain).casefold()).strip()


def check_meaning(name: str, others: Sequence[str] = ()) -> None:
    """Raise StudioError for a name by which a folder is read as something else than a class."""
    what = ""
    if words.side_of(name):
        what = translated("the part of a data set that is trained or tested on")
    elif words.is_unlabelled(name):
        what = translated("photos without classes")
    elif words.is_images(name) or name.lower() in words.AROUND:
        what = translated("the folder around all classes")
    elif words.is_annotations(name) and SHOWN_IN_PHOTOS.isdisjoint(re.findall(r"[^\W\d_]+", name.lower())):
        what = translated("notes about photos")
    elif words.is_litter_folder(name):
        what = translated("what a system or a tool leaves behind")
    elif _is_read_otherwise(name, others):
        what = translated("something else than a class")
    if what:
        raise StudioError(
            translated(
                "A folder called {name} is read as {what}: choose a name that says what its photos show.",
                name=shown(name),
                what=what,
            )
        )


def _is_read_otherwise(name: str, others: Sequence[str]) -> bool:
    """Whether the reader of folders, which sees these classes as they are, would see others with this one."""
    return _are_classes(others) and not _are_classes([*others, name])


def _are_classes(names: Sequence[str]) -> bool:
    if len(names) < 2:
        return True
    files = [f"{name}/{number}.jpg" for name in names for number in range(2)]
    try:
        reading = recognise(tree_of(files), "", lambda path: ["0.jpg", "1.jpg"])
    except (DatasetError, OptionError):
        return False
    return reading.ordinary and set(reading.classes) == set(names)
