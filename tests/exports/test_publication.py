"""What may be published of an export: formats whose parts are all there."""

import shutil
from pathlib import Path

import pytest

from retrain.core.errors import ExportError
from retrain.exports.publication import publication
from retrain.exports.registry import FORMATS

OF_SEVERAL = ("saved_model", "coreml", "coreml_float16", "tfjs", "web", "web_int8", "arduino")


@pytest.fixture
def everything(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "model"))


def test_an_export_in_every_format_is_whole(everything: Path) -> None:
    assert publication(everything).files.keys() >= {"saved_model.pb", "tfjs/model.json", "variables/variables.index"}


@pytest.mark.parametrize("name", OF_SEVERAL)
def test_each_part_of_a_format_that_is_missing_is_named(name: str, everything: Path, tmp_path: Path) -> None:
    format = FORMATS[name]
    if format.lacks() is not None:
        pytest.skip("this format cannot be written here")
    for part in [*format.parts(everything)]:
        (everything / part).rename(tmp_path / "aside")
        with pytest.raises(ExportError, match=f"{part} is missing, a part of the format {name}: export"):
            publication(everything)
        (tmp_path / "aside").rename(everything / part)


def test_a_damaged_list_of_parts_is_a_sentence(everything: Path) -> None:
    (everything / "tfjs/model.json").write_text("{")
    with pytest.raises(ExportError, match="tfjs is damaged: write it again with `retrain export`"):
        publication(everything)
