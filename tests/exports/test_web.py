"""The camera page in an export; the page itself is tested in tests/label_image/web."""

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from export_folders import contents

from label_image.web import page_files
from label_image.web.site import why_no_runtime
from retrain.cli.export import export as command
from retrain.exports.registry import FORMATS

built = pytest.mark.skipif(why_no_runtime() is not None, reason="no runtime of the camera page: make web-runtime")


@built
@pytest.mark.parametrize(("folder", "numbers"), [("web", "float16"), ("web_int8", "int8")])
def test_it_is_the_page_of_the_file_of_that_precision(exported: Path, folder: str, numbers: str) -> None:
    expected = page_files(exported, numbers, server=False)  # type: ignore[arg-type]
    assert contents(exported / folder) == expected


@built
def test_int8_tells_what_its_bytes_stand_for(exported: Path) -> None:
    model = json.loads((exported / "web_int8" / "config.json").read_text())["model"]
    assert gzip.decompress((exported / "web_int8" / model["file"]).read_bytes())
    for tensor in (model["input"], model["outputs"]["scores"], model["outputs"]["similarity"]):
        assert tensor["dtype"] in ("float32", "uint8")
        assert tensor["dtype"] == "float32" or len(tensor.get("table", ())) == 256 or tensor["scale"] > 0


@pytest.fixture
def not_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("label_image.web.site.RUNTIME", tmp_path / "nothing")


def asked(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[tuple[str, ...], str]:
    """Which formats the command goes on to write, and what it says before."""
    found: list[tuple[str, ...]] = []

    def stop(config: object, screen: object) -> None:
        found.append(config.formats)  # type: ignore[attr-defined]
        raise SystemExit

    monkeypatch.setattr("retrain.runs.export.export_model", stop)
    said = CliRunner().invoke(command, [*arguments, "--image_dir", "photos"])
    return found[0], said.stderr


@pytest.mark.usefixtures("not_built")
def test_all_leaves_out_what_was_not_built_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    formats, said = asked(monkeypatch, "model", "--to", "all")
    assert set(FORMATS) - set(formats) == {"web", "web_int8"}
    assert said.startswith("Left out: web, web_int8. This installation lacks") and "make web-runtime" in said


@pytest.mark.usefixtures("not_built")
def test_what_is_asked_for_by_name_is_not_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    formats, said = asked(monkeypatch, "model", "--to", "all,web")
    assert set(FORMATS) - set(formats) == {"web_int8"} and said.startswith("Left out: web_int8. ")
    assert asked(monkeypatch, "model", "--to", "web_int8,onnx") == (("onnx", "web_int8"), "")
