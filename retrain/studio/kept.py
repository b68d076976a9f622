"""What a person has decided to keep as it is, whatever the doctor says: a line for each, for a photo is its content."""

import threading
from pathlib import Path

from label_image.files import reason_of
from label_image.terminal import shown
from retrain.core.errors import StudioError
from retrain.core.language import translated
from retrain.studio.lines import Lines


class Kept:
    """The decisions of one folder: (SHA-256 of a photo, kind of finding)."""

    def __init__(self, folder: Path) -> None:
        """Raises StudioError."""
        self._path = folder / ".studio" / "kept.jsonl"
        self._lock = threading.Lock()
        self._is_open = True
        self._found: set[tuple[str, str]] = set()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._lines = Lines(self._path)
            for line in filter(None, self._lines.read()):
                self._found.add((str(line.get("sha256")), str(line.get("kind"))))
        except OSError as error:
            raise self._refused(error) from None

    def add(self, sha256: str, kind: str) -> None:
        """Keep a photo, whatever the doctor says of this kind. Raises StudioError."""
        with self._lock:
            if (sha256, kind) in self._found:
                return
            try:
                self._renew()
                self._lines.append({"sha256": sha256, "kind": kind})
            except OSError as error:
                raise self._refused(error) from None
            self._found.add((sha256, kind))

    def __contains__(self, decision: tuple[str, str]) -> bool:
        return decision in self._found

    def __len__(self) -> int:
        return len(self._found)

    def close(self) -> None:
        """Let another process have it."""
        self._is_open = False
        self._lines.close()

    def _renew(self) -> None:
        """Open the file anew where another folder has taken the place of this one. Raises OSError."""
        if self._is_open and not self._lines.is_there:
            self._lines.close()
            self._lines = Lines(self._path)

    def _refused(self, error: OSError) -> StudioError:
        return StudioError(
            translated(
                "{file} cannot be written: {reason}. The decision is not kept.",
                file=shown(self._path),
                reason=reason_of(error),
            )
        )
