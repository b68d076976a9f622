"""`retrain store`: what a bottleneck store holds, whether it is sound, and making it smaller or larger."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from label_image.json_outputs import output_line
from label_image.user_path import Text
from retrain.cli.arguments import CheckedCommand
from retrain.cli.help_panels import PanelGroup
from retrain.cli.options import StoreFolder, layout_option
from retrain.core.defaults import BOTTLENECK_DIR

if TYPE_CHECKING:
    from retrain.photos.layouts.reading import Layout

bottleneck_dir_option = click.option(
    "--bottleneck_dir",
    type=StoreFolder,
    default=BOTTLENECK_DIR,
    show_default=True,
    help="The store: a folder, or an s3://, gs:// or hdfs:// address.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")


@click.group(cls=PanelGroup)
def store() -> None:
    """Look into a store of bottlenecks, check it, and tidy it up.

    Example: retrain store info
    """


@store.command(cls=CheckedCommand, short_help="Say what the store holds.")
@bottleneck_dir_option
@json_option
def info(bottleneck_dir: Path | str, as_json: bool) -> None:
    """Say what the store holds: backbones, photos, bottlenecks, bytes, damaged files, templates of exports.

    Example: retrain store info
    """
    from retrain.bottlenecks.inspection import inspect_store
    from retrain.core.places import place_of
    from retrain.exports.template import templates_in
    from retrain.insight.store_table import info_summary, show_info

    found, templates = inspect_store(bottleneck_dir), templates_in(place_of(bottleneck_dir).local_dir)
    if as_json:
        print(output_line(info_summary(found, templates)))
    else:
        show_info(found, templates, _console())


@store.command(cls=CheckedCommand, short_help="Look for damaged files.")
@bottleneck_dir_option
@click.option("--repair", is_flag=True, help="Rename damaged files to ….damaged; their photos are computed again.")
def verify(bottleneck_dir: Path | str, repair: bool) -> None:
    """Read every file of bottlenecks, hashes and thumbnails and hash it again; exit code 1 if one is damaged.

    Example: retrain store verify
    """
    from retrain.bottlenecks.inspection import verify_store
    from retrain.insight.store_table import show_verification

    found = verify_store(bottleneck_dir, repair)
    show_verification(found, bottleneck_dir, _console())
    if found.damaged and not repair:
        raise click.ClickException(
            f"Damaged files: {len(found.damaged)}; they are never served. Pass --repair to set them aside."
        )


@store.command(cls=CheckedCommand, short_help="Remove what is no longer needed.")
@bottleneck_dir_option
@click.option(
    "--keep_photos",
    type=Text,
    multiple=True,
    metavar="PHOTOS",
    help="Keep the bottlenecks of these photos, anything that --image_dir takes. May be repeated.",
)
@layout_option
@click.option(
    "--keep_fingerprint",
    type=str,
    multiple=True,
    metavar="DIGITS",
    help="Keep the fingerprint that begins so, as `retrain store info` shows it. May be repeated.",
)
@click.option("--yes", is_flag=True, help="Remove, instead of only saying what would be removed.")
def prune(
    bottleneck_dir: Path | str,
    keep_photos: tuple[str, ...],
    layout: "Layout",
    keep_fingerprint: tuple[str, ...],
    yes: bool,
) -> None:
    """Remove bottlenecks that are no longer needed; without --yes, only say which.

    What is not of the photos and fingerprints to keep is removed. Photos themselves are never touched.

    Example: retrain store prune --keep_photos cats --keep_photos flowers
    """
    if not keep_photos and not keep_fingerprint:
        raise click.UsageError("Say what to keep: pass --keep_photos, --keep_fingerprint, or both.")
    from retrain.bottlenecks.near_copies import thumbnail_folders
    from retrain.bottlenecks.pruning import plan_pruning, prune_store
    from retrain.bottlenecks.store_folders import store_folders
    from retrain.insight.store_table import show_pruning

    # A folder that is no store stays as it is: reading photos keeps their hashes there.
    is_store = store_folders(bottleneck_dir) or thumbnail_folders(bottleneck_dir)
    photos = _contents_to_keep(keep_photos, bottleneck_dir, layout) if keep_photos and is_store else None
    pruning = plan_pruning(bottleneck_dir, photos, keep_fingerprint)
    left = prune_store(pruning) if yes else ()
    show_pruning(pruning, left, yes, _console())


@store.command(cls=CheckedCommand, short_help="Unite small files.")
@bottleneck_dir_option
def compact(bottleneck_dir: Path | str) -> None:
    """Unite small shards into full ones of 64 MB, while others may read and write.

    Runs do this by themselves at their ends where a store has many small shards; on a cluster it is a job of its own.
    It may be stopped at any moment, and goes on with the same command.

    Example: retrain store compact --bottleneck_dir s3://bucket/bottlenecks
    """
    from retrain.bottlenecks.compaction import compact_store
    from retrain.insight.store_table import show_compaction

    show_compaction(compact_store(bottleneck_dir), _console())


@store.command(cls=CheckedCommand, short_help="Add the bottlenecks of other stores.")
@click.argument("stores", type=StoreFolder, nargs=-1, required=True, metavar="STORE…")
@bottleneck_dir_option
def merge(stores: tuple[Path | str, ...], bottleneck_dir: Path | str) -> None:
    """Add the bottlenecks of other stores, which are only read.

    Each STORE is the --bottleneck_dir of other runs, of this machine or of others.

    Example: retrain store merge /mnt/other_machine/bottlenecks
    """
    from retrain.bottlenecks.merging import merge_stores
    from retrain.insight.store_table import show_merged

    merged = merge_stores(stores, bottleneck_dir)
    show_merged(merged, _console())
    if merged.damaged or merged.other_numbers:
        damaged, others = len(merged.damaged), len(merged.other_numbers)
        raise click.ClickException(f"Not merged: damaged files: {damaged}; folders with other numbers: {others}.")


def _contents_to_keep(sources: tuple[str, ...], bottleneck_dir: Path | str, layout: "Layout") -> set[str]:
    """The SHA-256 of each photo of some sources, told as what they are read. Raises DatasetError where one may lack."""
    from retrain.core.places import place_of
    from retrain.insight.store_table import show_kept
    from retrain.photos.opening import list_photos
    from retrain.photos.sources.contents import check_complete, hashes_of

    local_dir = place_of(bottleneck_dir).local_dir
    sha256s: set[str] = set()
    for source in sources:
        listing = list_photos(source, local_dir, layout=layout)
        check_complete(listing, source)
        show_kept(listing, _console())
        sha256s.update(hashes_of(listing.files, bottleneck_dir))
    return sha256s


def _console() -> Any:
    from rich.console import Console

    return Console(highlight=False)
