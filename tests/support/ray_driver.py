"""Extracts bottlenecks by a slow average-colour network, for tests that kill what runs: a process of its own.

    python ray_driver.py PHOTOS STORE LOG EXECUTOR

Prints how many photos are done and computed as it goes, at last a line of JSON. LOG gets a dot for each photo that a
network ran on, wherever it ran.
"""

import json
import os
import sys
import time
from pathlib import Path

from label_image.preprocessing import Pixels
from retrain.backbones.backbone import Backbone, find_backbone
from retrain.backbones.engines.base import Engine, Vectors
from retrain.backbones.engines.registry import start_engine
from retrain.bottlenecks.executors.registry import find_executor
from retrain.bottlenecks.extraction import extract
from retrain.bottlenecks.extraction_config import ExtractionConfig
from retrain.photos.opening import list_photos

SECONDS = 0.02  # for each photo
FAKE = find_backbone("fake", Path("no-models"))


class Slow:
    """Starts engines that take their time, and say for how many photos."""

    def __init__(self, log: str) -> None:
        self.log = log

    def __call__(self, backbone: Backbone) -> Engine:
        engine, log = start_engine(backbone), self.log

        def run(pixels: Pixels) -> Vectors:
            vectors: Vectors = engine(pixels)
            if len(pixels) == 3:  # the probe
                return vectors
            time.sleep(SECONDS * len(pixels))
            with open(log, "a") as file:
                file.write("." * len(pixels))
            return vectors

        return run


def main(photos: str, store: str, log: str, executor: str) -> None:
    found = extract(
        list_photos(Path(photos)),
        FAKE,
        store,
        start=Slow(os.path.abspath(log)),
        executor=find_executor(ExtractionConfig(executor=executor)),
        observe=lambda done, computed: print(done, computed, flush=True),
    )
    rows = {photo.path: row.tolist() for photo, row in zip(found.photos, found.matrix, strict=True)}
    print(json.dumps({"computed": found.computed, "hits": found.hits, "rows": rows}))


if __name__ == "__main__":
    main(*sys.argv[1:])
