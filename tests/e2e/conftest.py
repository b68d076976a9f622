"""A folder to run in, and runs that write no export."""

from pathlib import Path

import pytest
import stand_ins


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def no_export(monkeypatch: pytest.MonkeyPatch) -> None:
    import retrain.exports.writer

    monkeypatch.setattr(retrain.exports.writer, "write_outputs", stand_ins.no_export)
