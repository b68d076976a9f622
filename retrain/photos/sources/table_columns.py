"""Which column of a table names the photos, which their classes, and which the side of the split.

By the names of the columns where they have known ones, and by what is in them: paths are where there are files. Nothing
is guessed between two columns that may both be meant: then the user is asked to leave one of them.
"""

import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from retrain.core.errors import DatasetError
from retrain.photos.dataset import SPLIT_FOLDERS
from retrain.photos.sources.table_files import SAMPLE, Row, Table
from retrain.photos.sources.table_places import EXTENSIONS, Place, Surroundings, find_place, found_in

PHOTO_NAMES = [
    "path", "paths", "file", "files", "filename", "filenames", "filepath", "filepaths", "image", "images", "img",
    "imgs", "imagepath", "imagefile", "imagefilename", "imagename", "imageid", "imgpath", "imgname", "imgid",
    "photo", "photos", "photopath", "photoname", "photoid", "picture", "relativepath", "relpath", "id", "ids",
]  # fmt: skip
WEAK_PHOTO_NAMES = ["id", "ids"]  # which may count something else
LABEL_NAMES = [
    "class", "classes", "classname", "classlabel", "category", "categories", "categoryname", "breed", "breeds",
    "breedname", "species", "speciesname", "target", "targets", "targetname", "labelname", "labeltext", "variety",
    "diagnosis", "classid", "labelid", "categoryid", "breedid", "targetid",
]  # fmt: skip
PLAIN_LABEL_NAMES = ["label", "labels"]  # who has such a column means it, whatever others there are
WEAK_LABEL_NAMES = ["type", "kind", "tag", "y"]  # only where no other column can be meant
SPLIT_NAMES = ["split", "splits", "set", "dataset", "subset", "partition", "side", "fold", "phase", "usage"]
MOST_COLUMNS = 1000
SHOWN = 5
MOST_SEARCHED = 20  # columns in which paths are looked for
INDEX_NAMES = ["", "unnamed0", "index", "indexlevel0", "level0", "rowid", "no"]


@dataclass(frozen=True)
class Columns:
    """What was understood: positions of columns, what they are called, and where the photos lie.

    `twins` are columns that could be the classes as well, and must say the same; `unused` those that are not read.
    """

    photo: int
    label: int
    split: int | None
    names: tuple[str, ...]
    place: Place
    has_header: bool
    unused: tuple[int, ...] = ()
    twins: tuple[int, ...] = ()

    @property
    def are_usual(self) -> bool:
        """Whether the table is just path,label or path,label,split, with that header or none, and paths as they are.

        A column that only numbers the rows may stand beside these.
        """
        order, header = (self.photo, self.label, self.split), [name.lower() for name in self.names[:2]]
        is_named = not self.has_header or header == ["column path", "column label"]
        is_all = order in ((0, 1, None), (0, 1, 2)) and len(self.names) <= 3 and not self.unused
        return is_named and is_all and self.place.is_plain


def as_text(cell: Any) -> str | None:
    """The text of a cell; None for what is no name of anything, such as 0.5 or a list."""
    if cell is None:
        return ""
    if isinstance(cell, int) and not isinstance(cell, bool):
        return str(cell)
    return cell if isinstance(cell, str) else None


def choose_columns(table: Table) -> Columns:
    """The columns of a table, by its names and first rows. Raises DatasetError that says what is missing."""
    sample = table.sample()
    if not sample:
        raise DatasetError(f"{table.path} has no rows; it needs one for each photo, with its path and its class.")
    return _Choice(table, sample).columns()


class _Choice:
    """The first rows of a table, and what is found out about them."""

    def __init__(self, table: Table, sample: Sequence[Row]) -> None:
        self.table = table
        self.around = Surroundings(table.path)
        self.rows = [[as_text(cell) for cell in cells] for _, cells in sample]
        if max(map(len, self.rows)) > MOST_COLUMNS:
            raise DatasetError(f"{table.path} has more than {MOST_COLUMNS} columns; is it a table of photos?")
        self.header: list[str] | None = None
        self.width = len(self.rows[0])
        if table.header is not None:
            self.header = list(table.header)
        elif _is_header(self.rows, self.around):
            self._take_header()
        if not self.rows:
            raise DatasetError(f"{table.path} has a header and no rows; it needs one for each photo.")
        # As tables always were, path,label or path,label,split; a row may have the split, or not.
        self.is_usual = self.keys[:2] == ["path", "label"] if self.header else self.width in (2, 3)
        if self.is_usual and self.width == 2:
            self.width = 3

    @property
    def keys(self) -> list[str]:
        """What the columns are called, in small letters alone."""
        return [_key(self._title(column)) for column in range(self.width)]

    def columns(self) -> Columns:
        photo, place = self._photo_column()
        if self.is_usual and (photo != 0 or not place.is_plain):
            self.is_usual, self.width = False, len(self.header or self.rows[0])
        may_be_headed = self.header is None and (not self.is_usual or len(self.rows[0]) > 2)
        if may_be_headed and self._has_unknown_header(photo, place):
            self._take_header()
            self.is_usual = False
        split = self._split_column(photo)
        label, twins = self._label_column({photo, split})
        if split is None:
            split = self._split_by_content({photo, label, *twins})
        names = tuple(self._name(column) for column in range(self.width))
        is_headed = self.header is not None and self.table.header is None
        return Columns(photo, label, split, names, place, is_headed, self._unused({photo, label, split, *twins}), twins)

    def _take_header(self) -> None:
        self.header = [cell or "" for cell in self.rows.pop(0)]

    def _title(self, column: int) -> str:
        return self.header[column].strip() if self.header and column < len(self.header) else ""

    def _unused(self, taken: Collection[int | None]) -> tuple[int, ...]:
        lists = [one for one in range(self.width) if any(row[one : one + 1] == [None] for row in self.rows)]
        return tuple(one for one in range(self.width) if one not in taken and (one in lists or not self._is_index(one)))

    def _column(self, column: int) -> list[str]:
        """The cells of a column; those that are no text are left out."""
        return [cell for row in self.rows for cell in row[column : column + 1] if cell is not None]

    def _name(self, column: int) -> str:
        return f"column {self._title(column) or column + 1}"

    def _known(self, names: Collection[str]) -> list[int]:
        return [column for column, key in enumerate(self.keys) if key in names]

    # The photos

    def _photo_column(self) -> tuple[int, Place]:
        plain = Place(self.around.root)
        if self.is_usual:
            # Whatever else there may be: photos are where the first column says; without a header half of them at
            # least, as a class may have the name of a file.
            names = [sorted(set(self._column(column))) for column in (0, 1)]
            first, second = (len(found_in(plain, column)) for column in names)
            if first and (self.header is not None or (first >= second and 2 * first >= len(names[0]))):
                return 0, plain
        by_name = self._known(PHOTO_NAMES)
        sure = [column for column in by_name if self.keys[column] not in WEAK_PHOTO_NAMES]
        others = [one for one in range(self.width) if one in by_name or self._may_hold_paths(one)]
        for columns in (sure, others):
            if found := self._places(columns[:MOST_SEARCHED]):
                return self._most(found)
        likely = sure or by_name or [one for one in others if _looks_like_photos(self._column(one))]
        if not likely and self.is_usual and (len(self.rows[0]) == 2 or len(self.rows) >= SAMPLE - 1):
            likely = [0]
        if likely:
            return likely[0], plain  # none of them exists, or later ones do
        raise DatasetError(
            f"{self.table.path} has no column with photos or their paths (path, file, image, id …): its columns are "
            f"{self._shown()}, and none of them names files (the first row: {self.rows[0][:SHOWN]}). Paths are written "
            "from the folder of the table."
        )

    def _may_hold_paths(self, column: int) -> bool:
        is_of_labels = self.keys[column] in (*PLAIN_LABEL_NAMES, *LABEL_NAMES, *SPLIT_NAMES)
        return not is_of_labels and not all(map(_is_number, self._column(column)))

    def _places(self, columns: Sequence[int]) -> list[tuple[int, Place, int]]:
        found = []
        for column in columns:
            at = find_place(self.around, self._column(column))
            if at is not None:
                found.append((column, *at))
        return found

    def _most(self, found: Sequence[tuple[int, Place, int]]) -> tuple[int, Place]:
        """The column of the most files. Raises DatasetError where another has as many different ones."""
        best, place, hits = max(found, key=lambda one: (one[2], one[1].is_plain))
        files = found_in(place, self._column(best))
        for column, other, other_hits in found:
            if column == best or 2 * other_hits < hits:
                continue
            others = found_in(other, self._column(column))
            pairs = ((row[best], row[column]) for row in self.rows if len(row) > max(best, column))
            same = all(
                os.path.normpath(files[one]) == os.path.normpath(others[two])
                for one, two in pairs
                if one in files and two in others
            )
            if not same:
                raise DatasetError(
                    f"{self.table.path} names files in {self._name(best)} and others in {self._name(column)}; "
                    "leave one of these columns in the table."
                )
        return best, place

    def _shown(self) -> str:
        return ", ".join(name.removeprefix("column ") for name in map(self._name, range(self.width)))

    def _has_unknown_header(self, photo: int, place: Place) -> bool:
        """Whether the first row is a header in words that nobody knows: it names no photo, and stands nowhere else."""
        first, *rest = self.rows
        if len(rest) < 2 or found_in(place, [first[photo] or ""]):
            return False
        again = any(cell and row[column : column + 1] == [cell] for row in rest for column, cell in enumerate(first))
        return not again and not _is_photo_name(first[photo] or "")

    # The sides of the split

    def _split_column(self, photo: int) -> int | None:
        """The column that is called so, if there are sides in it; folds are often numbers."""
        for column in self._known(SPLIT_NAMES):
            values = {cell.strip().lower() for cell in self._column(column)} - {""}
            if column != photo and (self.keys[column] == "split" or values & SPLIT_FOLDERS.keys()):
                return column
        if self.is_usual and self.header is not None and not self.keys[2]:
            return 2  # path,label over rows that have a split, too
        if self.is_usual and self.header is None and (_all_sides(self._column(2)) or not _all_sides(self._column(1))):
            return 2
        return None

    def _split_by_content(self, taken: Collection[int]) -> int | None:
        of_sides = [column for column in range(self.width) if column not in taken and _all_sides(self._column(column))]
        return of_sides[0] if len(of_sides) == 1 else None

    # The classes

    def _label_column(self, taken: Collection[int | None]) -> tuple[int, tuple[int, ...]]:
        """The column of the classes, and those that must say the same."""
        for names in (PLAIN_LABEL_NAMES, LABEL_NAMES, WEAK_LABEL_NAMES):
            known = [column for column in self._known(names) if column not in taken]
            if known:
                words = [column for column in known if not all(map(_is_number, self._column(column)))]
                label = (words or known)[0]
                return label, tuple(column for column in known if column != label)
        left = [one for one in range(self.width) if one not in taken and self.keys[one] not in PHOTO_NAMES]
        left = [column for column in left if not self._is_index(column)] or left
        if len(left) == 2:
            left = [column for column in left if not _all_sides(self._column(column))] or left
        if len(left) == 1:
            return left[0], ()
        raise DatasetError(
            f"{self.table.path} does not say which column holds the classes; its columns are: {self._shown()}. "
            "Call one of them label."
        )

    def _is_index(self, column: int) -> bool:
        """Whether a column is empty, or only numbers the rows, as pandas writes it."""
        cells = self._column(column)
        if not any(cells):
            return True
        is_called_so = self.keys[column] in INDEX_NAMES and (self.header is not None or len(set(cells)) == len(cells))
        return is_called_so and all(map(_is_number, cells))


def _key(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).lower()


def _is_header(rows: Sequence[Sequence[str | None]], around: Surroundings) -> bool:
    """Whether the first row has names of columns that are known, and no photo."""
    first = [cell or "" for cell in rows[0]]
    keys = [_key(cell) for cell in first]
    if [cell.strip().lower() for cell in first[:2]] == ["path", "label"]:
        return True
    if any(_is_photo_name(cell) for cell in first) or found_in(Place(around.root), first):
        return False
    known = {*PHOTO_NAMES, *PLAIN_LABEL_NAMES, *LABEL_NAMES, *WEAK_LABEL_NAMES, *SPLIT_NAMES}
    at = [column for column, key in enumerate(keys) if key in known]
    again = any(row[column : column + 1] == [first[column]] for row in rows[1:] for column in at)
    return bool(at) and not again


def _is_photo_name(cell: str) -> bool:
    return cell.strip().lower().endswith(EXTENSIONS)


def _is_number(cell: str) -> bool:
    return cell.isascii() and cell.isdecimal() and len(cell) < 20


def _looks_like_photos(cells: Sequence[str]) -> bool:
    return any(map(_is_photo_name, cells))


def _all_sides(cells: Sequence[str]) -> bool:
    """Whether a column says nothing but sides of the split."""
    values = {cell.strip().lower() for cell in cells} - {""}
    return bool(values) and values <= SPLIT_FOLDERS.keys()
