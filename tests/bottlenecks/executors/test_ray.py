"""Ray: what it is asked for by options, and that its bottlenecks of real photos are those of this machine."""

import json
import os
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from label_image.on_ray import RETRIES, RayConfig, connected
from label_image.preprocessing import Pixels
from retrain.backbones.backbone import Backbone, find_backbone
from retrain.backbones.engines.base import Engine, Vectors
from retrain.backbones.engines.registry import start_engine
from retrain.bottlenecks.executors import ray_worker
from retrain.bottlenecks.executors.local import Local
from retrain.bottlenecks.executors.ray import Ray, Workers, workers_of
from retrain.bottlenecks.executors.registry import EXECUTORS, find_executor
from retrain.bottlenecks.extraction import extract
from retrain.bottlenecks.extraction_config import ExtractionConfig
from retrain.cli.main import main
from retrain.cli.train import train
from retrain.core import machine
from retrain.core.errors import ClusterError, OptionError
from retrain.photos.opening import list_photos

CATS = Path(__file__).resolve().parents[4] / "shared/data/cats"


def test_the_option_offers_all_executors() -> None:
    (option,) = (option for option in train.params if option.name == "executor")
    assert list(option.type.choices) == list(EXECUTORS)  # type: ignore[attr-defined]


def test_nothing_imports_ray_where_it_is_not_asked_for() -> None:
    code = (
        "import sys, retrain.bottlenecks.bottlenecks, retrain.bottlenecks.executors.ray_worker, retrain.cli.train\n"
        "print([name for name in sys.modules if name.partition('.')[0] in ('ray', 'pandas')])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_the_executor_of_a_config() -> None:
    assert isinstance(find_executor(ExtractionConfig()), Local)
    assert isinstance(find_executor(ExtractionConfig(executor="ray", ray_address="10.0.0.1:6379")), Ray)
    with pytest.raises(OptionError, match="`executor` abacus is not known; choose from local, ray"):
        find_executor(ExtractionConfig(executor="abacus"))


@pytest.mark.parametrize("command", ["", "sweep --architecture fake", "doctor"])
def test_an_address_without_ray_is_refused(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos = [str(tmp_path)] if command == "doctor" else ["--image_dir", str(tmp_path)]
    with pytest.raises(SystemExit) as end:
        main([*command.split(), *photos, "--ray_address", "10.0.0.1:6379"])
    assert end.value.code == 2
    assert "--ray_address is for --executor ray" in " ".join(capsys.readouterr().err.split())


def test_a_gpu_of_this_machine_is_not_asked_for_where_a_cluster_computes() -> None:
    with pytest.raises(OptionError, match="`require_gpu` looks for a GPU in this machine"):
        ExtractionConfig(executor="ray", require_gpu=True)
    assert ExtractionConfig(executor="ray", precision="float16").choose_precision() == "float16"


def test_workers_are_shares_of_cores_or_gpus() -> None:
    cpus = [{"CPU": 16.0}, {"CPU": 4.0, "GPU": 0.0}, {"memory": 1.0}]
    assert workers_of(cpus, on_gpus=False) == Workers(5, 4)
    assert workers_of([{"CPU": 64.0}], on_gpus=False) == Workers(8, 8)
    assert workers_of([{"CPU": 2.0}, {"CPU": 16.0, "GPU": 4.0}], on_gpus=True) == Workers(4, 4, 1)
    for nodes, on_gpus in (([{"CPU": 0.0}], False), (cpus, True)):
        with pytest.raises(ClusterError, match="has no machine with"):
            workers_of(nodes, on_gpus)


def dying(backbone: Backbone) -> Engine:
    engine = start_engine(backbone)

    def run(pixels: Pixels) -> Vectors:
        if len(pixels) != 3:  # the probe
            os._exit(9)
        return engine(pixels)

    return run


def test_a_worker_that_dies_each_time_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the kernel kills one that takes too much memory: Ray would start it again for ever."""
    pytest.importorskip("ray", reason="Ray is not installed")
    from painting import paint_classes

    monkeypatch.setitem(RETRIES, "max_task_retries", 1)
    paint_classes(tmp_path / "photos", {"red": "red", "blue": "blue"}, range(5))
    photos = list_photos(tmp_path / "photos")
    backbone = find_backbone("fake", tmp_path)
    with connected(RayConfig(cores=1)), pytest.raises(ClusterError, match=r"a worker ended again and again.*memory"):
        extract(photos, backbone, tmp_path / "store", start=dying, executor=Ray())


@pytest.mark.parametrize("dtype", ["bfloat16", "int8"])
def test_a_machine_without_instructions_is_a_sentence(
    dtype: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_cpu_flags", lambda: frozenset({"avx"}))
    backbone = replace(find_backbone("fake", tmp_path), compute_dtype=dtype)
    with pytest.raises(ClusterError, match=f"The CPU of the machine m1 has no instructions for {dtype}: give"):
        ray_worker.embed("m1", backbone, start_engine, np.zeros((1, 8, 8, 3), np.uint8))


def lacking(backbone: Backbone) -> Engine:
    raise ModuleNotFoundError("No module named 'networks'")


def test_a_machine_that_lacks_a_package_is_a_sentence(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    fake = Backbone.find("fake")
    with (
        connected(RayConfig(cores=1)),
        Ray().open(fake, lacking) as session,
        pytest.raises(ClusterError, match=r"lacks a package .*No module named 'networks'"),
    ):
        session.embed(np.zeros((1, fake.input_size, fake.input_size, 3), np.uint8))


@pytest.mark.real
@pytest.mark.kills  # minutes
def test_bottlenecks_of_the_cats_on_two_nodes_are_those_of_this_machine(tmp_path: Path) -> None:
    """Where root allows, each node has a network of its own."""
    pytest.importorskip("ray", reason="Ray is not installed")
    if not CATS.is_dir():
        pytest.skip("no photos in ../shared/data/cats")
    from machines import can_be_made, machines
    from ray_nodes import ray_nodes

    here = extracted("local", tmp_path, {})
    with machines(2) if can_be_made() else nullcontext(()) as apart, ray_nodes(1, 1, on=apart) as nodes:
        there = extracted("ray", tmp_path, nodes.environment)
    assert there["matrix"] == here["matrix"] and there["fingerprint"] == here["fingerprint"]
    assert there["computed"] == here["computed"] == there["contents"]  # each once


def extracted(executor: str, folder: Path, environment: dict[str, str]) -> dict[str, object]:
    """What came of the cats, in a process of its own."""
    code = (
        "import hashlib, json, sys\n"
        "from retrain import Backbone, Dataset\n"
        "from retrain.bottlenecks.bottlenecks import extract\n"
        "from retrain.bottlenecks.extraction_config import ExtractionConfig\n"
        "executor, photos, store = sys.argv[1:]\n"
        "dataset, backbone = Dataset.open(photos, max_images_per_class=60), Backbone.find('efficientnet_lite0')\n"
        "found = extract(dataset, backbone, ExtractionConfig(store, executor=executor)).extraction\n"
        "contents = len({photo.sha256 for photo in found.photos})\n"
        "matrix = hashlib.sha256(found.matrix.tobytes()).hexdigest()\n"
        "print(json.dumps(dict(matrix=matrix, fingerprint=found.fingerprint, computed=found.computed, "
        "contents=contents)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, executor, CATS, folder / executor],
        env={**os.environ, **environment}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)  # type: ignore[no-any-return]
