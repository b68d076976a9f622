"""The diagnosis on the screen: what to look at, and where."""

import math

from rich.console import Console
from rich.table import Table

from retrain.insight.doctor.decisions import FIXES
from retrain.insight.doctor.findings import Diagnosis
from retrain.insight.doctor.written import Written
from retrain.insight.terminal_text import escape


def diagnosis_summary(diagnosis: Diagnosis, written: Written) -> dict[str, object]:
    """The object that `--json` prints: every finding, the worst of each kind first."""
    shortcut = diagnosis.shortcut
    return {
        "photos": len(diagnosis.photos),
        "classes": diagnosis.class_counts,
        "counts": {kind: number for kind, _, number in diagnosis.counts()},
        "findings": [
            {
                "kind": finding.kind,
                "path": finding.path,
                "label": finding.label,
                "score": finding.score if math.isfinite(finding.score) else None,
                "sentence": finding.sentence,
                "suggestion": finding.suggestion,
            }
            for finding in diagnosis.findings
        ],
        "colours": None
        if shortcut is None
        else {
            "colour_accuracy": shortcut.colour_accuracy,
            "network_accuracy": shortcut.network_accuracy,
            "chance": shortcut.chance,
            "suspicious": bool(shortcut.suspicious),
        },
        "remarks": [*diagnosis.remarks, *written.remarks],
        "page": str(written.page),
        "table": str(written.findings),
        "fixes": str(written.fixes),
        "fixes_kept": written.fixes_kept,
    }


def show_diagnosis(diagnosis: Diagnosis, written: Written, console: Console) -> None:
    """How much was found of each kind, and the files with the details."""
    counts = list(diagnosis.counts())
    if counts:
        table = Table(show_header=False, title=f"{len(diagnosis.photos)} photos", title_justify="left")
        table.add_column(justify="right", style="bold")
        table.add_column()
        for _, heading, number in counts:
            table.add_row(str(number), heading)
        console.print(table)
    else:
        console.print(f"{len(diagnosis.photos)} photos: nothing suspicious was found.")
    for remark in diagnosis.remarks:
        console.print(escape(remark), soft_wrap=True)
    if diagnosis.shortcut is not None:
        console.print(escape(diagnosis.shortcut.sentence), soft_wrap=True)
    console.print(f"look at: {escape(str(written.page))}", soft_wrap=True)
    if written.fixes_kept:
        proposals = "new proposals, with your decisions" if written.decisions else "new proposals"
        console.print(f"{FIXES} is yours and stays as it is; {proposals}: {escape(str(written.fixes))}", soft_wrap=True)
    for remark in written.remarks:
        console.print(escape(remark), soft_wrap=True)
    console.print(f"decide in: {escape(str(written.fixes))}, then: retrain … --fixes {escape(str(written.fixes))}",
                  soft_wrap=True)  # fmt: skip
