"""What may be published of an export: formats whose parts are all there."""

import shutil
from pathlib import Path

import pytest

from label_image.web import site
from retrain.core.errors import ExportError
from retrain.exports.publication import publication
from retrain.exports.registry import FORMATS

OF_SEVERAL = ("saved_model", "coreml", "coreml_float16", "tfjs", "web", "web_int8", "arduino")


@pytest.fixture
def everything(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "model"))


def test_an_export_in_every_format_is_whole(everything: Path) -> None:
    assert publication(everything).files.keys() >= {"saved_model.pb", "tfjs/model.json", "variables/variables.index"}


def test_files_of_the_user_in_folders_of_an_export_are_not_published(everything: Path) -> None:
    mine = ("clients/notes/key.txt", "variables/secret.txt")
    for name in mine:
        (everything / name).parent.mkdir(exist_ok=True)
        (everything / name).write_text("secret")
    found = publication(everything)
    assert not set(mine) & set(found.files) and "clients/classify.py" in found.files
    assert {"clients/notes", "variables/secret.txt"} <= set(found.kept_back)


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


def test_the_parts_of_a_page_are_files_that_it_has(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in site.RUNTIME_FILES:
        (tmp_path / "runtime").mkdir(exist_ok=True)
        (tmp_path / "runtime" / name).touch()
    monkeypatch.setattr(site, "RUNTIME", tmp_path / "runtime")
    files = site.page_files(exported / "model_float16.tflite", server=False)
    for page in ("web", "web_int8"):
        (tmp_path / page).mkdir()
        for name, data in files.items():
            (tmp_path / page / name).write_bytes(data)
        parts = [*FORMATS[page].parts(tmp_path)]
        assert {part.removeprefix(f"{page}/") for part in parts} < files.keys() and any("tflite" in it for it in parts)


def test_a_damaged_list_of_parts_is_a_sentence(everything: Path) -> None:
    (everything / "tfjs/model.json").write_text("{")
    with pytest.raises(ExportError, match="tfjs is damaged: write it again with `retrain export`"):
        publication(everything)
