"""What the user decided on earlier visits: in fixes.csv, and in fixes.new.csv beside it."""

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from retrain.core.errors import DatasetError
from retrain.photos.fixes import KEEP, Fix, name_in, read_fixes

FIXES, NEW_FIXES = "fixes.csv", "fixes.new.csv"


@dataclass(frozen=True)
class Decisions:
    """`actions` other than keep, by the photo's name as seen from the folder of the photos.

    `gone` are photos that were decided on and are not there any more; `unread` the files that are no files of fixes;
    `overruled` the photos that fixes.csv decides on otherwise than fixes.new.csv.
    """

    actions: dict[str, str] = field(default_factory=dict)
    gone: tuple[str, ...] = ()
    unread: tuple[Path, ...] = ()
    overruled: tuple[str, ...] = ()

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was not carried over, in sentences."""
        remarks = [f"{path} is not a file of decisions: nothing was carried over from it." for path in self.unread]
        if self.gone:
            remarks.append(f"Decisions on photos that are gone were dropped: {_some(self.gone)}.")
        if self.overruled:
            names = _some(self.overruled)
            remarks.append(f"{FIXES} decides otherwise than {NEW_FIXES}, whose decision was carried over: {names}.")
        return tuple(remarks)


def earlier_decisions(folder: Path, image_dir: Path, names: Collection[str]) -> Decisions:
    """The decisions in both files of `folder`; on the same photo those in fixes.new.csv win.

    `names` are photos that are known to be there.
    """
    actions: dict[str, str] = {}
    unread, overruled = [], []
    written = 0
    for path in (folder / FIXES, folder / NEW_FIXES):
        if not path.exists():
            continue
        try:
            rows = _by_photo(read_fixes(path), image_dir)
        except DatasetError:
            unread.append(path)
            continue
        # The rows of a fixes.new.csv that is older than fixes.csv may say keep because nothing was decided yet.
        before, written = written, path.stat().st_mtime_ns
        for name, action in rows.items():
            if action != KEEP:
                if actions.get(name, action) != action:
                    overruled.append(name)
                actions[name] = action
            elif written >= before:
                actions.pop(name, None)
    there = {name for name in actions if name in names or _exists(image_dir, name)}
    return Decisions(
        {name: action for name, action in actions.items() if name in there},
        tuple(sorted(actions.keys() - there)),
        tuple(unread),
        tuple(name for name in overruled if name in there),
    )


def _by_photo(fixes: tuple[Fix, ...], image_dir: Path) -> dict[str, str]:
    """The action for each photo; of two rows on one photo the one that is not keep."""
    actions: dict[str, str] = {}
    for fix in fixes:
        name = name_in(image_dir, fix.file)
        if not _exists(image_dir, name):
            name = name_in(image_dir, fix.file.replace("\\", "/"))
        if fix.action != KEEP or name not in actions:
            actions[name] = fix.action
    return actions


def _some(names: Sequence[str]) -> str:
    return f"{', '.join(map(repr, names[:3]))}{f' and {len(names) - 3} more' if len(names) > 3 else ''}"


def _exists(image_dir: Path, name: str) -> bool:
    return os.path.isfile(name) or os.path.isfile(os.path.join(image_dir, name))
