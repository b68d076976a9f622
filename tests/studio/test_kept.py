"""Decisions that the doctor keeps to."""

from pathlib import Path

import pytest
from failing_system import failing_at

from retrain.core.errors import StudioError
from retrain.studio.kept import Kept


def test_decisions_are_kept(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.add("a" * 64, "copies")
    kept.add("a" * 64, "copies")
    kept.add("a" * 64, "wrong labels")
    kept.close()
    again = Kept(tmp_path)
    assert len(again) == 2 and ("a" * 64, "copies") in again and ("b" * 64, "copies") not in again
    assert len((tmp_path / ".studio" / "kept.jsonl").read_text().splitlines()) == 2


def test_a_line_that_is_damaged_or_cut_short_costs_no_other(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.add("a" * 64, "copies")
    with open(tmp_path / ".studio" / "kept.jsonl", "ab") as file:
        file.write(b"damaged\n[]\n" + b'{"sha256": "' + b"b" * 64 + b'", "kind": "copies"}\n{"sha256": "cc')
    again = Kept(tmp_path)
    assert len(again) == 2
    again.add("d" * 64, "copies")
    assert len(Kept(tmp_path)) == 3


@pytest.mark.parametrize("half", [False, True])
def test_on_a_full_disk_nothing_is_kept_and_that_is_said(
    half: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Kept(tmp_path)
    kept.add("a" * 64, "copies")
    with failing_at(monkeypatch, 0, killed=False, half=half), pytest.raises(StudioError, match="No space left"):
        kept.add("b" * 64, "copies")
    assert ("b" * 64, "copies") not in kept
    kept.add("c" * 64, "copies")
    assert len(Kept(tmp_path)) == 2


def test_a_folder_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    (tmp_path / ".studio").write_bytes(b"a file")
    with pytest.raises(StudioError, match=r"kept\.jsonl cannot be written"):
        Kept(tmp_path)
