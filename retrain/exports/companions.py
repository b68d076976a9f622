"""What comes with the formats of an export: client programs and the card. What somebody has changed there is theirs."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from label_image.manifest import MANIFEST, read_manifest
from retrain.core.placing import alone_in, obey_umask
from retrain.exports.card import CARD, is_unchanged, write_card
from retrain.exports.clients import CLIENTS, changed_clients, write_clients
from retrain.exports.folder import keep_if_changed, put_into_export
from retrain.exports.registry import FORMATS


def write_missing_clients(export: Path, temporary: Path, say: Callable[[str], None]) -> None:
    """Write those programs into an export that it lacks. Raises ExportError and OSError."""
    shutil.copyfile(export / MANIFEST, temporary / MANIFEST)
    write_clients(temporary)
    obey_umask(temporary / CLIENTS)
    if not (export / CLIENTS).is_dir():
        keep_if_changed(export / CLIENTS, temporary / CLIENTS, {})
        put_into_export(temporary / CLIENTS, export / CLIENTS)
        return
    for new in (temporary / CLIENTS).iterdir():
        if not os.path.lexists(export / CLIENTS / new.name):
            put_into_export(new, export / CLIENTS / new.name)
    for path in changed_clients(export):
        say(f"{path} is not as this version writes it, and stays as it is; delete it, and an export writes a new one.")


def write_own_card(export: Path, temporary: Path, say: Callable[[str], None]) -> None:
    """Write the card of an export anew, unless it was changed by hand. Raises ExportError, ModelError and OSError."""
    with alone_in(export):
        try:
            text = (export / CARD).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:  # of an older training
            text = None
        if text is not None and not is_unchanged(text):
            say(f"{export / CARD} was changed by hand, and stays as it is; delete it, and an export writes a new one.")
            return
        present = [name for name, format in FORMATS.items() if (export / format.file).exists()]
        write_card(temporary, read_manifest(export).content, present)
        obey_umask(temporary / CARD)
        put_into_export(temporary / CARD, export / CARD)
