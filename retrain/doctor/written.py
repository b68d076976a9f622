"""What the doctor writes: findings.csv, fixes.csv and one page.

findings.csv and the page are made anew each time. fixes.csv is the user's as soon as it is there: one that differs
stays as it is, and what would have been written goes to fixes.new.csv, with the user's decisions carried over.
"""

import csv
import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from retrain.doctor.findings import Diagnosis, Finding
from retrain.doctor.pages import render_page
from retrain.errors import DatasetError, ExportError, OptionError
from retrain.fixes import KEEP, name_in, read_fixes

FINDINGS, FIXES, NEW_FIXES, PAGE = "findings.csv", "fixes.csv", "fixes.new.csv", "doctor.html"
FINDING_COLUMNS = ("kind", "rank", "file", "class", "score", "finding", "suggestion")
FIX_COLUMNS = ("file", "class", "action", "suggestion", "reason")
# What may be decided on; a copy is better removed than relabelled.
DECIDABLE = ("copy_across_classes", "copy_across_split", "copy", "label", "outlier", "blurred", "tiny")


@dataclass(frozen=True)
class Written:
    """The files that were written; `fixes_kept` if an earlier fixes.csv was there and differs."""

    page: Path
    findings: Path
    fixes: Path
    fixes_kept: bool


def check_output_dir(folder: Path, image_dir: Path) -> None:
    """Refuse, before any work, a folder that cannot be written to. Raises OptionError."""
    if folder.exists() and not folder.is_dir():
        raise OptionError(f"--output_dir {folder} is a file; name a folder.")
    if Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(image_dir)):
        raise OptionError(f"--output_dir {folder} lies among the photos of {image_dir}: name a folder outside of it.")


def write_diagnosis(diagnosis: Diagnosis, image_dir: Path, folder: Path) -> Written:
    """Write all files to `folder`. Raises ExportError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(folder / FINDINGS, _table(FINDING_COLUMNS, _finding_rows(diagnosis, image_dir)))
        rows = fix_rows(diagnosis, image_dir)
        _replace(folder / PAGE, render_page(diagnosis, image_dir).encode())
        fixes, kept = folder / FIXES, False
        if fixes.exists() and fixes.read_bytes() != _table(FIX_COLUMNS, rows):
            fixes, kept = folder / NEW_FIXES, True
            rows = _carry_over(rows, folder / FIXES)
        _replace(fixes, _table(FIX_COLUMNS, rows))
    except OSError as error:
        raise ExportError(f"{folder} cannot be written to: {error.strerror}.") from None
    return Written(folder / PAGE, folder / FINDINGS, fixes, kept)


def fix_rows(diagnosis: Diagnosis, image_dir: Path) -> list[tuple[str, ...]]:
    """One row for each photo that something may be decided about, with the action `keep`."""
    by_path: dict[str, list[Finding]] = {}
    for kind in DECIDABLE:
        for finding in diagnosis.of_kind(kind):
            if _is_text(finding.path):
                by_path.setdefault(finding.path, []).append(finding)
    rows: list[tuple[str, ...]] = []
    for path, found in by_path.items():
        suggestion = next((item.suggestion for item in found if item.suggestion != KEEP), KEEP)
        reason = " ".join(item.sentence for item in found)
        rows.append((name_in(image_dir, path), found[0].label, KEEP, suggestion, reason))
    return rows


def _carry_over(rows: Sequence[tuple[str, ...]], fixes: Path) -> list[tuple[str, ...]]:
    """The rows with the actions of an earlier file; those of its decisions that are not among them follow."""
    try:
        decided = {fix.file: fix.action for fix in read_fixes(fixes) if fix.action != KEEP}
    except DatasetError:
        return list(rows)  # whoever uses that file will be told
    carried = [(file, label, decided.pop(file, action), *rest) for file, label, action, *rest in rows]
    return [*carried, *((file, "", action, KEEP, "Decided before.") for file, action in decided.items())]


def _finding_rows(diagnosis: Diagnosis, image_dir: Path) -> Iterable[tuple[object, ...]]:
    for kind, _, _ in diagnosis.counts():
        for rank, finding in enumerate(diagnosis.of_kind(kind), 1):
            yield (
                kind, rank, name_in(image_dir, finding.path), finding.label, f"{finding.score:.4f}",
                finding.sentence, finding.suggestion,
            )  # fmt: skip
    if diagnosis.shortcut is not None:
        yield ("shortcut", 1, "", "", f"{diagnosis.shortcut.share:.4f}", diagnosis.shortcut.sentence, KEEP)


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(rows)
    # With a mark at the beginning, by which Excel knows UTF-8.
    return text.getvalue().encode("utf-8-sig", errors="backslashreplace")


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(data)
    os.replace(temporary, path)


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
