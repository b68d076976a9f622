import ctypes
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image
from stand_ins import no_export

from label_image.installing import how_to_install
from retrain.backbones.backbone import Backbone, find_backbone
from retrain.backbones.engines.base import Engine
from retrain.backbones.engines.registry import choose_engine, start_engine
from retrain.backbones.engines.tensorflow import require_gpu
from retrain.bottlenecks.extraction_config import ExtractionConfig
from retrain.cli.main import main
from retrain.core import machine as this_machine
from retrain.core.errors import GpuError, OptionError
from retrain.core.machine import choose_precision, gpu_remark
from retrain.exports.writer import Exported
from retrain.training.trained import TrainedHead


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator["Machine"]:
    this_machine.why_no_gpu.cache_clear()
    this_machine._cpu_flags.cache_clear()
    monkeypatch.setattr(this_machine, "_tensorflow_finds_none", False)
    yield Machine(tmp_path, monkeypatch)
    this_machine.why_no_gpu.cache_clear()
    this_machine._cpu_flags.cache_clear()


class Machine:
    """A machine with the CPU flags, GPU devices and libraries of CUDA that a test gives it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cpu_info, self.device, self.wsl_device = folder / "cpuinfo", folder / "nvidia1", folder / "dxg"
        self.libraries: set[str] = set()
        self.set = monkeypatch.setenv
        self.load = ctypes.CDLL
        monkeypatch.setattr(this_machine, "CPU_INFO", self.cpu_info)
        monkeypatch.setattr(this_machine, "NVIDIA_DEVICES", str(folder / "nvidia[0-9]*"))
        monkeypatch.setattr(this_machine, "WSL_DEVICE", str(self.wsl_device))
        monkeypatch.setattr(ctypes, "CDLL", self._load)
        monkeypatch.setattr(this_machine, "_comes_with_packages", lambda library: False)
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        monkeypatch.delenv("NVIDIA_VISIBLE_DEVICES", raising=False)

    def flags(self, flags: str) -> None:
        self.cpu_info.write_text(f"processor\t: 0\nflags\t\t: fpu {flags}\nbugs\t\t: avx512_bf16\n")

    def add_gpu(self, *libraries: str) -> None:
        self.device.touch()
        self.libraries = set(libraries or (this_machine.DRIVER, this_machine.CUDNN))

    def _load(self, library: str, *arguments: Any, **keywords: Any) -> Any:
        if library not in (this_machine.DRIVER, this_machine.CUDNN):
            return self.load(library, *arguments, **keywords)
        if library not in self.libraries:
            raise OSError(f"{library}: cannot open shared object file")


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("sse2 avx512_bf16 lm", "bfloat16"), ("amx_bf16", "bfloat16"), ("sse2", "float32"), ("avx512_bf16x", "float32")],
)
def test_auto_takes_bfloat16_where_the_cpu_has_it(machine: Machine, flags: str, expected: str) -> None:
    machine.flags(flags)
    assert choose_precision("auto") == expected


def test_auto_takes_float16_on_a_gpu(machine: Machine) -> None:
    machine.flags("avx512_bf16")
    machine.add_gpu()
    assert choose_precision("auto") == "float16"
    assert choose_precision("bfloat16") == "bfloat16"


def test_a_machine_that_tells_nothing_of_its_cpu_computes_in_float32(machine: Machine) -> None:
    assert choose_precision("auto") == "float32"


@pytest.mark.parametrize(("asked", "needs"), [("float16", "GPU"), ("bfloat16", "AVX512-BF16"), ("int8", "AVX2")])
def test_what_the_machine_cannot_do_is_refused(machine: Machine, asked: str, needs: str) -> None:
    machine.flags("sse2")
    with pytest.raises(OptionError, match=needs) as caught:
        choose_precision(asked)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("flags", ["avx512_vnni", "avx_vnni lm", "amx_int8", "avx2"])
def test_int8_is_there_where_the_cpu_has_it_and_only_if_asked_for(machine: Machine, flags: str) -> None:
    machine.flags(flags)
    assert (choose_precision("int8"), choose_precision("auto")) == ("int8", "float32")


@pytest.mark.parametrize(
    ("flags", "vnni"),
    [("avx avx2", False), ("avx2 avx512f avx512_vnni", True), ("avx2 avx_vnni", True), ("avx2 avx512f", False)],
)
def test_whether_sums_of_bytes_have_32_bits(machine: Machine, flags: str, vnni: bool) -> None:
    machine.flags(flags)
    assert this_machine.has_vnni() == vnni


def test_int8_is_openvino_s_beside_a_gpu_too(machine: Machine) -> None:
    machine.flags("amx_int8")
    machine.add_gpu()
    assert choose_engine("auto", "int8") == "openvino"


def test_int8_by_another_engine_is_refused(machine: Machine) -> None:
    with pytest.raises(OptionError, match="`engine` tensorflow runs with `precision` float32, bfloat16, float16 alone"):
        choose_engine("tensorflow", "int8")


def test_int8_without_openvino_says_what_is_missing(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrain.backbones.engines.registry.find_spec", lambda name: None)
    with pytest.raises(OptionError, match="`precision` int8 needs openvino, which is not installed") as refused:
        choose_engine("auto", "int8")
    assert how_to_install("int8") in str(refused.value)


def test_int8_on_a_cluster_is_refused() -> None:
    with pytest.raises(OptionError, match="`precision` int8 is computed on this machine"):
        ExtractionConfig(precision="int8", executor="ray")


def test_float32_is_always_there(machine: Machine) -> None:
    machine.flags("avx512_bf16")
    machine.add_gpu()
    assert choose_precision("float32") == "float32"


@pytest.mark.parametrize("libraries", [(this_machine.DRIVER,), (this_machine.CUDNN,)])
def test_a_gpu_without_its_libraries_is_none(machine: Machine, libraries: tuple[str, ...]) -> None:
    machine.flags("sse2")
    machine.add_gpu(*libraries)
    assert choose_precision("auto") == "float32"
    remark = gpu_remark()
    assert remark is not None and "There is a GPU" in remark and "is not there" in remark.replace("are not", "is not")


def test_cuda_may_come_with_packages(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.add_gpu(this_machine.DRIVER)
    monkeypatch.setattr(this_machine, "_comes_with_packages", lambda library: library == this_machine.CUDNN)
    assert this_machine.has_gpu() and gpu_remark() is None


def test_a_gpu_that_is_hidden_is_none_and_nothing_is_said(machine: Machine) -> None:
    machine.add_gpu()
    machine.set("CUDA_VISIBLE_DEVICES", "-1")
    machine.set("NVIDIA_VISIBLE_DEVICES", "all")
    assert not this_machine.has_gpu() and gpu_remark() is None


def test_windows_has_its_device_for_gpus_of_other_makers_too(machine: Machine) -> None:
    machine.wsl_device.touch()
    assert not this_machine.has_gpu() and gpu_remark() is None
    this_machine.why_no_gpu.cache_clear()
    machine.libraries = {this_machine.DRIVER, this_machine.CUDNN}
    assert this_machine.has_gpu()


@pytest.mark.parametrize("variable", ["CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"])
def test_a_gpu_that_is_asked_for_and_absent_is_said(machine: Machine, variable: str) -> None:
    assert gpu_remark() is None
    machine.set(variable, "0")
    remark = gpu_remark()
    assert remark is not None and f"{variable}=0" in remark and remark.count("\n") == 0 and "on the CPU" in remark


@pytest.mark.parametrize("value", ["none", "void", ""])
def test_a_container_that_is_given_no_gpu_asks_for_none(machine: Machine, value: str) -> None:
    machine.set("NVIDIA_VISIBLE_DEVICES", value)
    assert gpu_remark() is None


def test_require_gpu_takes_what_tensorflow_finds(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(GpuError, match="no NVIDIA device is there") as caught:
        require_gpu()
    assert caught.value.exit_code == 1
    this_machine.why_no_gpu.cache_clear()
    machine.add_gpu()
    monkeypatch.setattr("retrain.backbones.engines.tensorflow.gpu_names", lambda: ("/device:GPU:0",))
    require_gpu()
    monkeypatch.setattr("retrain.backbones.engines.tensorflow.gpu_names", lambda: ())
    with pytest.raises(GpuError, match="TensorFlow finds none"):
        require_gpu()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two classes, photos of a few pixels."""
    folder = tmp_path / "photos"
    for label in ("red", "blue"):
        (folder / label).mkdir(parents=True)
        for number in range(12):
            Image.new("RGB", (8 + number, 8), label).save(folder / label / f"{number}.png")
    return folder


@pytest.fixture
def gpu_of_no_use(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A GPU with all libraries, which TensorFlow does not find."""
    machine.flags("sse2")
    machine.add_gpu()
    monkeypatch.setattr("retrain.backbones.engines.tensorflow.gpu_names", lambda: ())
    return machine


@pytest.mark.parametrize("command", [[], ["doctor"], ["sweep"]])
def test_a_gpu_that_tensorflow_does_not_find_is_said_once_and_the_cpu_computes(
    gpu_of_no_use: Machine,
    command: list[str],
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    started: list[str] = []
    exported: list[str] = []

    def start(backbone: Backbone, engine: str = "auto") -> Engine:
        started.append(backbone.compute_dtype)
        return start_engine(backbone, engine)

    def export(trained: TrainedHead, *others: object) -> Exported:
        exported.append(trained.bottlenecks.backbone.compute_dtype)
        return no_export(trained, *others)

    monkeypatch.setattr("retrain.exports.writer.write_outputs", export)  # which takes long
    monkeypatch.setattr("retrain.bottlenecks.bottlenecks.start_engine", start)
    output = (
        ["--output_csv", str(tmp_path / "t.csv")] if command == ["sweep"] else ["--output_dir", str(tmp_path / "o")]
    )
    outputs = [*output, "--bottleneck_dir", str(tmp_path / "bottlenecks")]
    source = [str(photos)] if command == ["doctor"] else ["--image_dir", str(photos)]
    main([*command, *source, "--architecture", "efficientnet_lite0", *outputs])
    assert started == ["float16", "float32"]
    assert exported == ([] if command else ["float32"])
    said = [line for line in capsys.readouterr().err.splitlines() if "GPU" in line]
    assert said == [
        f"There is a GPU, but it cannot be used ({this_machine.TENSORFLOW_FINDS_NONE}): computing on the CPU."
    ]


def test_a_second_backbone_does_not_say_it_again(gpu_of_no_use: Machine) -> None:
    """A sweep chooses the precision of all its backbones before the first one runs."""
    said: list[str] = []
    screen = SimpleNamespace(say=said.append)
    backbone = replace(find_backbone("efficientnet_lite0", Path("unused")), compute_dtype=choose_precision("auto"))

    def work(backbone: Backbone) -> str:
        start_engine(backbone)
        return backbone.compute_dtype

    for _ in range(2):
        assert ExtractionConfig().with_cpu_fallback(backbone, work, screen)[1] == "float32"
    assert said == [gpu_remark()]


def test_a_float16_that_was_asked_for_is_not_exchanged(
    gpu_of_no_use: Machine, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = ["--bottleneck_dir", str(tmp_path / "bottlenecks"), "--output_dir", str(tmp_path / "model")]
    with pytest.raises(SystemExit) as left:
        main(["--image_dir", str(photos), "--precision", "float16", *store])
    assert left.value.code == 1
    assert "give --precision float32" in " ".join(capsys.readouterr().err.split())


def test_once_it_is_known_all_choices_are_the_cpu_s(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.flags("avx512_bf16")
    machine.add_gpu()
    monkeypatch.setattr("retrain.backbones.engines.registry.find_spec", lambda name: object())
    assert (choose_precision("auto"), choose_engine("auto", "float16")) == ("float16", "tensorflow")
    this_machine.do_without_gpu()
    assert (choose_precision("auto"), choose_engine("auto", "bfloat16")) == ("bfloat16", "openvino")
    assert choose_engine("auto", "float16") == "tensorflow"  # which refuses it; OpenVINO would compute something else
    with pytest.raises(OptionError):
        choose_precision("float16")


@pytest.mark.parametrize("command", [["--image_dir"], ["sweep", "--architecture", "fake", "--image_dir"], ["doctor"]])
def test_a_run_that_requires_a_gpu_stops_in_a_sentence(
    machine: Machine, command: list[str], photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = ["--bottleneck_dir", str(tmp_path / "bottlenecks")]
    with pytest.raises(SystemExit) as left:
        main([*command, str(photos), "--require_gpu", *store])
    assert left.value.code == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("Error: --require_gpu: there is no GPU")
    assert not (tmp_path / "bottlenecks").exists()


def test_a_run_goes_on_without_the_gpu_that_was_asked_for(machine: Machine) -> None:
    machine.set("NVIDIA_VISIBLE_DEVICES", "all")
    said: list[str] = []
    screen = SimpleNamespace(say=said.append)
    ExtractionConfig().look_for_gpu(screen)
    assert said == [gpu_remark()]


def test_the_engine_is_chosen_by_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrain.backbones.engines.registry.has_gpu", lambda: False)
    monkeypatch.setattr("retrain.backbones.engines.registry.find_spec", lambda name: object())
    assert choose_engine("auto", "float32") == "openvino"
    assert choose_engine("tensorflow", "float32") == "tensorflow"
    with pytest.raises(OptionError, match="`precision`"):
        choose_engine("openvino", "float16")
    monkeypatch.setattr("retrain.backbones.engines.registry.has_gpu", lambda: True)
    assert choose_engine("auto", "float16") == "tensorflow"
    assert choose_engine("openvino", "bfloat16") == "openvino"
    monkeypatch.setattr("retrain.backbones.engines.registry.find_spec", lambda name: None)
    assert choose_engine("auto", "float32") == "tensorflow"
    with pytest.raises(OptionError, match=re.escape(how_to_install("openvino"))):
        choose_engine("openvino", "float32")
