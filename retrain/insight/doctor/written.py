"""The files that the doctor writes: findings.csv, fixes.csv and one page.

findings.csv and the page are made anew each time; a findings.csv of somebody else is moved aside, and a page of
somebody else is refused before any work. fixes.csv is the user's as soon as it is there: one that differs stays as it
is, and what would have been written goes to fixes.new.csv, with the user's decisions in both files carried over.

What people read is in the language that is asked for: the page, and the sentences of both tables. What programs read
is the same in all languages: the names of columns, kinds, suggestions and actions.
"""

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from label_image.files import reason_of, temporary_folder, write_in_one_step
from label_image.foreign_text import is_text
from retrain.core.errors import ExportError, OptionError
from retrain.core.html_files import check_page, write_page
from retrain.core.language import ENGLISH, in_language, translatable, translated
from retrain.core.outputs import MANIFEST, check_file, place
from retrain.insight.doctor.decisions import FIXES, NEW_FIXES, earlier_decisions
from retrain.insight.doctor.findings import Diagnosis, Finding
from retrain.insight.doctor.pages import render_page
from retrain.photos.fixes import KEEP

FINDINGS, PAGE = "findings.csv", "doctor.html"
FINDING_COLUMNS = ("kind", "rank", "file", "class", "score", "finding", "suggestion")
FIX_COLUMNS = ("file", "class", "action", "suggestion", "reason")
DECIDED = translatable("Decided before.")  # the reason of a row on a photo of which nothing is found any more
# What may be decided on; a copy is better removed than relabelled.
DECIDABLE = ("copy_across_classes", "copy_across_split", "copy", "label", "outlier", "blank", "blurred", "tiny", "gray")


@dataclass(frozen=True)
class Written:
    """The files that were written; `fixes_kept` if an earlier fixes.csv was there and differs.

    `decisions` of the user were carried over; `remarks` say which were not, and what was moved.
    """

    page: Path
    findings: Path
    fixes: Path
    fixes_kept: bool
    decisions: int = 0
    remarks: tuple[str, ...] = ()


def check_output_dir(folder: Path, image_dir: Path) -> None:
    """Refuse, before any work, a folder that cannot be written to. Raises OptionError or ExportError."""
    if folder.exists() and not folder.is_dir():
        raise OptionError(f"`output_dir` {folder} is a file: choose a folder.")
    if Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(image_dir)):
        raise OptionError(f"`output_dir` {folder} lies among the photos of {image_dir}: choose a folder outside of it.")
    if any((export / MANIFEST).exists() for export in (folder, Path(os.path.realpath(folder)).parent)):
        raise OptionError(
            f"`output_dir` {folder} is an export of a model, or inside one, in which the next training "
            "would not accept other files: choose another folder."
        )
    check_page(folder / PAGE, "`output_dir`")
    for name in (FINDINGS, FIXES, NEW_FIXES):
        check_file(folder / name, "`output_dir`")


def write_diagnosis(
    diagnosis: Diagnosis,
    image_dir: Path,
    folder: Path,
    language: str = ENGLISH,
    command: str | None = None,
    fixes: Path | None = None,
) -> Written:
    """Write all files to `folder`, with their sentences in one of LANGUAGES; `command` as in `render_page`.

    Decisions in the `fixes` with which the photos were examined are carried over, too. Raises ExportError.
    """
    label_of = {diagnosis.name_of(photo.path, image_dir): photo.label for photo in diagnosis.photos}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        decisions = earlier_decisions(folder, image_dir, label_of.keys(), diagnosis.roots, fixes)
        with in_language(language):
            rows = _with_decisions(fix_rows(diagnosis, image_dir, decisions.actions), decisions.actions, label_of)
            found = _table(FINDING_COLUMNS, _finding_rows(diagnosis, image_dir))
            page = render_page(diagnosis, image_dir, [row for row in rows if row[2] != KEEP], command)
        moved = [_write_findings(folder / FINDINGS, found)]
        write_page(folder / PAGE, page, "`output_dir`")
        target, kept = _place_of_fixes(folder, _table(FIX_COLUMNS, rows))
        if target in decisions.unread:
            moved.append(_move_in(target, _table(FIX_COLUMNS, rows)))
        else:
            write_in_one_step(target, _table(FIX_COLUMNS, rows))
    except OSError as error:
        raise ExportError(f"{folder} cannot be written to: {reason_of(error)}.") from None
    remarks = (*decisions.remarks, *(f"What was there before is kept as {path}." for path in moved if path is not None))
    return Written(folder / PAGE, folder / FINDINGS, target, kept, len(decisions.actions), remarks)


def fix_rows(
    diagnosis: Diagnosis, image_dir: Path, decided: Mapping[str, str] = MappingProxyType({})
) -> list[tuple[str, ...]]:
    """One row for each photo that something may be decided about, with the action `keep`.

    The suggestion is the one that was `decided` for, where a finding makes it, and else the first.
    """
    by_path: dict[str, list[Finding]] = {}
    for kind in DECIDABLE:
        for finding in diagnosis.of_kind(kind):
            if is_text(finding.path):
                by_path.setdefault(finding.path, []).append(finding)
    rows: list[tuple[str, ...]] = []
    for path, found in by_path.items():
        name = diagnosis.name_of(path, image_dir)
        suggested = [item.suggestion for item in found if item.suggestion != KEEP]
        suggestion = decided[name] if decided.get(name) in suggested else next(iter(suggested), KEEP)
        reason = " ".join(item.sentence for item in found)
        rows.append((name, found[0].label, KEEP, suggestion, reason))
    return rows


def _with_decisions(
    rows: Sequence[tuple[str, ...]], actions: Mapping[str, str], label_of: Mapping[str, str]
) -> list[tuple[str, ...]]:
    """The rows with the user's actions; those of the actions that are on none of them follow."""
    left = dict(actions)
    carried = [(file, label, left.pop(file, action), *rest) for file, label, action, *rest in rows]
    return [
        *carried,
        *((file, label_of.get(file, ""), action, KEEP, translated(DECIDED)) for file, action in left.items()),
    ]


def _place_of_fixes(folder: Path, table: bytes) -> tuple[Path, bool]:
    """Where the fixes go, and whether there is a fixes.csv that differs from them."""
    fixes, new = folder / FIXES, folder / NEW_FIXES
    if fixes.exists() and fixes.read_bytes() == table:
        if new.exists() and new.read_bytes() == table:
            new.unlink()  # it was copied to fixes.csv: left here, it would go on deciding
        return fixes, False
    if fixes.exists():
        return new, True
    return (new if new.exists() else fixes), False


def _finding_rows(diagnosis: Diagnosis, image_dir: Path) -> Iterable[tuple[object, ...]]:
    for kind, _, _ in diagnosis.counts():
        for rank, finding in enumerate(diagnosis.of_kind(kind), 1):
            yield (
                kind, rank, diagnosis.name_of(finding.path, image_dir), finding.label, f"{finding.score:.4f}",
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


def _write_findings(path: Path, table: bytes) -> Path | None:
    """Replace an earlier findings.csv; returns where a file that is none of the doctor's went."""
    ours = path.is_file() and path.read_bytes().startswith(_table(FINDING_COLUMNS, ()))
    if not ours:
        return _move_in(path, table)
    write_in_one_step(path, table)
    return None


def _move_in(path: Path, data: bytes) -> Path | None:
    """Write a file; returns where one that was there before and differs went."""
    with temporary_folder(path.parent) as temporary:
        new = temporary / path.name
        new.write_bytes(data)
        return place(new, path)
