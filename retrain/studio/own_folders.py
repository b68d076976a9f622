"""The studio's own folders, which are real ones: a stranger's folder of photos may have links in their place."""

from pathlib import Path

from label_image.terminal import shown
from retrain.core.errors import StudioError
from retrain.core.language import translated

OWN, TRASH = ".studio", ".trash"
NEW, THUMBNAILS = f"{OWN}/new", f"{OWN}/thumbnails"


def check_own_folders(folder: Path) -> None:
    """Raise StudioError where one is a link: what is written and removed there would be something else."""
    shards = (folder / THUMBNAILS).glob("*") if not (folder / OWN).is_symlink() else ()
    for path in (folder / OWN, folder / TRASH, folder / NEW, folder / THUMBNAILS, *shards):
        if path.is_symlink():
            raise StudioError(
                translated(
                    "{path} is a link, and the studio would change what it leads to: remove the link.",
                    path=shown(path),
                )
            )
