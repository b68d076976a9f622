"""What the user decided on earlier visits: in fixes.csv, in fixes.new.csv beside it, and in the file of `--fixes`."""

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from retrain.core.errors import DatasetError
from retrain.photos.composed import ways_to_compose
from retrain.photos.dataset import Root
from retrain.photos.fixes import KEEP, Fix, read_fixes
from retrain.photos.photo_names import name_in, places_of

FIXES, NEW_FIXES = "fixes.csv", "fixes.new.csv"


@dataclass(frozen=True)
class Decisions:
    """`actions` other than keep, by the photo's name (`photo_names.name_in`).

    `gone` are photos that were decided on and are not there any more; `unread` the files that are no files of fixes;
    `overruled` the photos on which a file decides otherwise than one before it, each with the name of that file.
    """

    actions: dict[str, str] = field(default_factory=dict)
    gone: tuple[str, ...] = ()
    unread: tuple[Path, ...] = ()
    overruled: tuple[tuple[str, str], ...] = ()

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was not carried over, in sentences."""
        remarks = [f"{path} is not a file of decisions: nothing was carried over from it." for path in self.unread]
        if self.gone:
            remarks.append(f"Decisions on photos that are gone were dropped: {_some(self.gone)}.")
        for file in dict.fromkeys(file for _, file in self.overruled):
            names = _some([name for name, by in self.overruled if by == file])
            remarks.append(f"{file} overrules what was decided elsewhere, and its decision was carried over: {names}.")
        return tuple(remarks)


def earlier_decisions(
    folder: Path,
    image_dir: Path,
    names: Collection[str],
    roots: tuple[Root, ...] = (),
    given: Path | None = None,
) -> Decisions:
    """The decisions in both files of `folder`, and in one that was `given`; on the same photo the last of them wins.

    `names` are photos that are known to be there, below `image_dir` or `roots`.
    """
    actions: dict[str, str] = {}
    unread, overruled = [], []
    written = 0
    for path in _files(folder, given):
        try:
            rows = _by_photo(read_fixes(path), lambda file: _name(file, image_dir, names, roots))
        except DatasetError:
            unread.append(path)
            continue
        # The rows of a fixes.new.csv that is older than fixes.csv may say keep because nothing was decided yet.
        before, written = written, path.stat().st_mtime_ns
        for name, action in rows.items():
            if action != KEEP:
                if actions.get(name, action) != action:
                    overruled.append((name, str(path) if path == given else path.name))
                actions[name] = action
            elif written >= before:
                actions.pop(name, None)
    there = {name for name in actions if name in names or _exists(name, image_dir, roots)}
    return Decisions(
        {name: action for name, action in actions.items() if name in there},
        tuple(sorted(actions.keys() - there)),
        tuple(unread),
        tuple((name, file) for name, file in overruled if name in there),
    )


def _files(folder: Path, given: Path | None) -> list[Path]:
    """Those that are there, each once, though the one that was given may be one of the folder."""
    files = [path for path in (folder / FIXES, folder / NEW_FIXES) if path.exists()]
    if given is not None and not any(map(given.samefile, files)):
        files.append(given)
    return files


def _by_photo(fixes: tuple[Fix, ...], name_of: Callable[[str], str]) -> dict[str, str]:
    """The action for each photo; of two rows on one photo the one that is not keep."""
    actions: dict[str, str] = {}
    for fix in fixes:
        name = name_of(fix.file)
        if fix.action != KEEP or name not in actions:
            actions[name] = fix.action
    return actions


def _name(file: str, image_dir: Path, names: Collection[str], roots: tuple[Root, ...]) -> str:
    """What a photo is called now that was once written as `file`, by a run to which the source had another path."""
    written = (file, *ways_to_compose(file.replace("\\", "/")))
    names_here = [name_in(image_dir, one, roots) for one in written]
    whole = [replace(root, folder=os.path.abspath(root.folder)) for root in roots]
    names_there = [name_in(os.path.abspath(image_dir), os.path.abspath(one), whole) for one in written]
    known = [name for name in (*names_here, *names_there) if name in names]
    known += [name for name in names_here if _exists(name, image_dir, roots)]
    return (known or names_here[1:])[0]


def _some(names: Sequence[str]) -> str:
    return f"{', '.join(map(repr, names[:3]))}{f' and {len(names) - 3} more' if len(names) > 3 else ''}"


def _exists(name: str, image_dir: Path, roots: tuple[Root, ...]) -> bool:
    return any(map(os.path.isfile, places_of(name, image_dir, roots)))
