"""What `retrain store` shows."""

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from retrain.bottlenecks.compaction import CompactedFolder
from retrain.bottlenecks.inspection import StoreInfo, Verification
from retrain.bottlenecks.merging import Merged
from retrain.bottlenecks.pruning import Pruning
from retrain.bottlenecks.store_folders import DamagedFile
from retrain.exports.template import KeptTemplates
from retrain.insight.terminal_text import escape
from retrain.photos.dataset import Dataset
from retrain.photos.left_out import in_words

DIGITS = 12  # of a fingerprint, which tell it from all others that one ever has


def show_info(info: StoreInfo, templates: KeptTemplates, console: Console) -> None:
    """A line for each fingerprint; templates, which may take more room than all of them, on one of their own."""
    if info.folders:
        console.print(_table(info))
    else:
        _show_none(info.path, console)
    console.print(f"Photo files whose content is known: {info.known_files}")
    if templates.bytes:
        size, where = f"{templates.bytes / 1e6:.1f} MB", escape(str(templates.folder))
        console.print(f"Templates of exports: {templates.number}, {size}, in {where}", soft_wrap=True)
    if damaged := sum(folder.damaged for folder in info.folders):
        console.print(f"Damaged files: {damaged}; `retrain store verify` names them.")
    if aside := sum(folder.set_aside for folder in info.folders):
        console.print(f"Files that were damaged and set aside: {aside}; they may be deleted.")


def _table(info: StoreInfo) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("fingerprint", no_wrap=True)
    table.add_column("backbone", overflow="fold")
    for name in ("photos", "bottlenecks", "shards", "MB"):
        table.add_column(name, justify="right", no_wrap=True)
    for folder in info.folders:
        numbers = (folder.photos, folder.vectors, folder.shards)
        megabytes = f"{folder.bytes / 1e6:.1f}"
        table.add_row(folder.fingerprint[:DIGITS], escape(folder.backbone), *map(str, numbers), megabytes)
    return table


def info_summary(info: StoreInfo, templates: KeptTemplates) -> dict[str, object]:
    """The object that `--json` prints."""
    return {
        "bottleneck_dir": str(info.path),
        "fingerprints": [
            {
                "fingerprint": folder.fingerprint,
                "backbone": folder.backbone,
                "photos": folder.photos,
                "bottlenecks": folder.vectors,
                "shards": folder.shards,
                "bytes": folder.bytes,
                "damaged": folder.damaged,
                "set_aside": folder.set_aside,
            }
            for folder in info.folders
        ],
        "known_files": info.known_files,
        "templates": {"number": templates.number, "bytes": templates.bytes},
    }


def show_verification(found: Verification, path: Path | str, console: Console) -> None:
    """What is sound of the store at a path, and each file that is not."""
    _show_damaged(found.damaged, console)
    if found.is_empty:
        _show_none(path, console)
    else:
        _show_sound(found, console)
    if found.damaged and found.repaired:
        console.print(f"Set aside: {len(found.damaged)}; their photos are computed again by the next run.")


def _show_none(path: Path | str, console: Console) -> None:
    console.print(f"{escape(str(path))} holds no bottlenecks.", soft_wrap=True)


def _show_sound(found: Verification, console: Console) -> None:
    shards = "1 shard" if found.shards == 1 else f"{found.shards} shards"
    others = "The others are sound" if found.damaged else "Sound"
    console.print(
        f"{others}: {shards} with {found.vectors} bottlenecks (those of the built-in probe pictures among them)."
    )


def show_kept(listing: Dataset, console: Console) -> None:
    """As what photos are read whose bottlenecks are kept, and how many files are passed over."""
    for sentence in listing.told():
        console.print(escape(sentence), soft_wrap=True)
    if listing.skipped:
        passed_over = in_words(one.reason for one in listing.skipped)
        console.print(f"Passed over, and not kept: {escape(passed_over)}.", soft_wrap=True)


def show_pruning(pruning: Pruning, left: Sequence[Path | str], done: bool, console: Console) -> None:
    """What is removed of each folder."""
    for planned in pruning.folders:
        what = "all of it" if planned.whole else f"{planned.kept} stay"
        folder = planned.folder
        console.print(
            f"{folder.fingerprint[:DIGITS]} ({escape(folder.backbone)}): {planned.removed} bottlenecks go, {what}.",
            soft_wrap=True,
        )
    for path in left:
        console.print(f"{escape(str(path))} still holds other files, or damaged ones: look into it.", soft_wrap=True)
    if pruning.is_empty:
        _show_none(pruning.bottleneck_dir, console)
    elif not pruning.folders:
        console.print("Nothing to remove.")
    elif done:
        console.print(f"Removed: {pruning.removed} bottlenecks.")
    else:
        console.print(f"Nothing is removed yet: pass --yes to remove {pruning.removed} bottlenecks.")


def show_compaction(compacted: Sequence[CompactedFolder], console: Console) -> None:
    """How many shards each folder had, and has."""
    for one in compacted:
        folder = one.folder
        what = "left alone, as it has no description"
        if one.shards is not None:
            before, after = one.shards
            what = f"{before} shards, now {after}" if after != before else f"{before} shards, as before"
        console.print(f"{folder.fingerprint[:DIGITS]} ({escape(folder.backbone)}): {what}.", soft_wrap=True)
    if not compacted:
        console.print("Nothing to unite.")


def show_merged(merged: Merged, console: Console) -> None:
    """What was added, and what was not."""
    _show_damaged(merged.damaged, console)
    for path in merged.other_numbers:
        console.print(
            f"{escape(str(path))} is not merged: its numbers differ from those here, as they come from another "
            "environment, or from a network that was calibrated on other photos.",
            soft_wrap=True,
        )
    console.print(f"Shards added: {merged.copied}; there already: {merged.there_already}.")


def _show_damaged(damaged: Sequence[DamagedFile], console: Console) -> None:
    for file in damaged:
        console.print(f"{escape(str(file.path))}: {escape(file.reason)}", soft_wrap=True)
