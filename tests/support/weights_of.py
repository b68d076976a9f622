"""Weights that tests publish: as a server or a package has them."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from retrain.backbones.registry import ARCHITECTURES

NAME = "mobilenet_0.25_128"
PUBLISHED = "mobilenet_2_5_128_tf_no_top.h5"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def put(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def publish(monkeypatch: pytest.MonkeyPatch, name: str, url: str) -> None:
    """From now on the weights of an architecture are published there."""
    monkeypatch.setitem(ARCHITECTURES, name, replace(ARCHITECTURES[name], weights_url=url))
