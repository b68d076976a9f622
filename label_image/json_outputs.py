"""What programs read: `--json`, `--jsonl`, `/label` and metrics.json, each with the version of its keys.

Every key is in retrain/schemas, from which docs/json.md is made. The manifest of an export has a version of its own.
"""

from collections.abc import Mapping
from typing import Any

from label_image.terminal import json_line

VERSION = 1  # another one only where a key goes, or means something else: who reads must expect new keys


def versioned(value: Mapping[str, Any]) -> dict[str, Any]:
    """The object with its version before all else."""
    return {"format_version": VERSION, **value}


def output_line(value: Mapping[str, Any]) -> str:
    """The line that `--json` prints."""
    return json_line(versioned(value))
