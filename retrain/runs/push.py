"""`retrain push`: an export to where others get it, when its user says so and where its user says."""

from dataclasses import dataclass, replace
from pathlib import Path

from label_image.files import scratch_folder
from retrain.core.errors import ExportError
from retrain.core.progress import SILENT, Progress
from retrain.exports.card import CARD
from retrain.exports.destinations import destination
from retrain.exports.publication import Publication, publication

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class PushConfig:
    """Which export goes where: `dest` is a folder, or hf://OWNER/NAME.

    What is there and differs is replaced only with `replace`. A repository that is new is private unless `public`.
    With `dry_run` nothing is written.
    """

    model: Path
    dest: str
    replace: bool = False
    public: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class Pushed:
    """What came of it: the files that were `sent`, and those that were there and the same."""

    address: str
    sent: tuple[str, ...]
    unchanged: tuple[str, ...]
    kept_back: tuple[str, ...]
    bytes: int


def push(config: PushConfig, progress: Progress = SILENT) -> Pushed:
    """Publish an export, and say before what goes where. Raises OptionError and ExportError."""
    published = publication(config.model)
    with scratch_folder() as folder:
        return _push(config, _with_new_card(published, folder), progress)


def _with_new_card(published: Publication, folder: Path) -> Publication:
    """The export itself stays as it is; what goes has the card of this version."""
    if published.new_card is None:
        return published
    card = folder / CARD
    card.write_text(published.new_card, encoding="utf-8", newline="\n")
    return replace(published, files={**published.files, CARD: card})


def _push(config: PushConfig, published: Publication, progress: Progress) -> Pushed:
    place = destination(config.dest, config.public, config.model)
    there = place.there(published.files)
    differing = sorted(name for name, is_same in there.items() if not is_same)
    files = {name: path for name, path in published.files.items() if not there.get(name)}
    size = sum(path.stat().st_size for path in files.values())
    names = f": {', '.join(files)}" if files else ""
    progress.say(f"To {place.address} ({place.note}): {len(files)} files, {size / MEGABYTE:.1f} MB{names}.")
    _say_more(published, len(there) - len(differing), progress)
    if differing and not config.replace:
        raise ExportError(
            f"{place.address} has other files of these names: {', '.join(differing)}. `replace` takes their place."
        )
    if files and not config.dry_run:
        place.send(files)
    unchanged = tuple(name for name, is_same in there.items() if is_same)
    return Pushed(place.address, () if config.dry_run else tuple(files), unchanged, published.kept_back, size)


def _say_more(published: Publication, unchanged: int, progress: Progress) -> None:
    if published.own_card:
        progress.say(f"{CARD} was changed by hand: it goes as it is.")
    if published.new_card is not None:
        progress.say(f"{CARD} is of another version: what goes is written anew, from the same figures.")
    if published.kept_back:
        progress.say(f"Stays here, as it is yours or speaks of your photos: {', '.join(published.kept_back)}.")
    if unchanged:
        progress.say(f"{unchanged} files are there already, and the same.")
