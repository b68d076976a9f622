import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MANIFEST = {
    "format": "retrain-export",
    "format_version": 1,
    "preprocessing": "decode(2)|orient|resize(8,bilinear)|value_range(-1,1)",
    "input": {"name": "image", "size": 8, "channels": "RGB", "range": [0, 255]},
    "labels": ["blue", "green", "red"],
    "unknown": {"threshold": 0.5, "output": "similarity"},
}


def write_manifest(folder: Path, **changes: Any) -> Path:
    """Write a manifest into a folder, with some of its entries changed; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.json").write_text(json.dumps({**MANIFEST, **changes}), encoding="utf-8")
    return folder


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A file that no model may write."""
    return tmp_path / "outside.txt"


def peak_memory(run: Callable[[], Any]) -> int:
    """The bytes that a call takes at most, beside what the process had before."""
    before = _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    run()
    return max(0, _memory("VmHWM") - before)


def _memory(field: str) -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.M)
    assert found is not None
    return 1024 * int(found[1])
