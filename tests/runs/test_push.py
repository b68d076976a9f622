"""`retrain push`: what goes to others is what was proven, it is said before, and nothing there is lost."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from calling import Called, call, python_path
from hub_server import TOKEN, Hub, hub_server

from label_image.model import load_model
from retrain.cli.main import main
from retrain.exports.card import SEAL

ROOT = Path(__file__).resolve().parents[2]
PRIVATE = {"dataset.parquet", "seen_photos.npy", "skipped.csv"}


@pytest.fixture
def export(three_colours: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(three_colours / "model", tmp_path / "model"))


@pytest.fixture
def hub() -> Iterator[Hub]:
    pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed: the extra `hub` has it")
    with hub_server() as server:
        yield server


def one_line(text: str) -> str:
    return " ".join(text.split())


def pushed_to(hub: Hub, tmp_path: Path, *arguments: object, token: str = TOKEN, cwd: Path | None = None) -> Called:
    """The command in a process of its own, for its library reads the environment when it is loaded."""
    # The stand-in has git-LFS alone.
    own = {"HF_ENDPOINT": hub.url, "HF_TOKEN": token, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "retrain", "push", *map(str, arguments)],
        env={**os.environ, **own, "PYTHONPATH": python_path(ROOT), "COLUMNS": "1000"}, cwd=cwd,
        capture_output=True, text=True,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return Called(done.returncode, done.stdout, one_line(done.stderr))


def test_a_new_folder_has_all_that_others_need_and_no_photo_lists(export: Path, tmp_path: Path) -> None:
    done = call(main, "push", export, tmp_path / "out/cats")
    said = one_line(done.err)
    assert done.code == 0 and "(a new folder)" in said and " MB: README.md, " in said
    assert "Stays here, as it is yours or speaks of your photos: dataset.parquet, seen_photos.npy, skipped.csv." in said
    files = {path.name for path in (tmp_path / "out/cats").iterdir()}
    assert {"README.md", "model.tflite", "saved_model.pb", "labels.txt", "model.json", ".gitattributes"} <= files
    assert not files & PRIVATE
    assert load_model(tmp_path / "out/cats").labels == ("blue", "green", "red")


def test_the_same_again_does_nothing_and_others_files_stay(export: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    (clone / ".git").mkdir(parents=True)
    (clone / "notes.txt").write_text("mine")
    assert call(main, "push", export, clone).code == 0
    again = call(main, "push", export, clone, "--json")
    assert "(a folder): 0 files, 0.0 MB. " in one_line(again.err)
    assert json.loads(again.out)["sent"] == [] and "README.md" in json.loads(again.out)["unchanged"]
    (clone / "README.md").write_text("# Ours\n")
    refused = call(main, "push", export, clone)
    assert refused.code == 1 and "has other files of these names: README.md. --replace" in one_line(refused.err)
    assert (clone / "README.md").read_text() == "# Ours\n"
    assert call(main, "push", export, clone, "--replace").code == 0
    assert (clone / "README.md").read_bytes() == (export / "README.md").read_bytes()
    assert (clone / "notes.txt").read_text() == "mine"


IN_THE_WAY: dict[str, Callable[[Path], object]] = {
    "README.md": lambda place: place.mkdir(),
    "model.tflite": lambda place: (place / "mine").mkdir(parents=True),
    "variables": lambda place: place.symlink_to(place.parent.parent, target_is_directory=True),
    "variables (a file)": lambda place: place.with_name("variables").touch(),
}


@pytest.mark.parametrize("what", IN_THE_WAY)
def test_what_is_in_the_way_is_named_before_anything_is_written(what: str, export: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    clone.mkdir()
    IN_THE_WAY[what](clone / what)
    before = sorted(tmp_path.rglob("*"))
    done = call(main, "push", export, clone, "--replace")
    assert done.code == 1 and f"{clone / what.split()[0]} is in the way" in one_line(done.err)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("inside", ["", "published"])
def test_an_export_is_not_published_into_itself(inside: str, export: Path) -> None:
    before = sorted(export.rglob("*"))
    done = call(main, "push", export, export / inside)
    assert done.code == 2 and "lies in the export" in one_line(done.err) and sorted(export.rglob("*")) == before


def test_a_dry_run_writes_nothing(export: Path, tmp_path: Path) -> None:
    done = call(main, "push", export, tmp_path / "out", "--dry_run")
    assert done.code == 0 and "files, " in done.err and not (tmp_path / "out").exists()


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


ALTERED: dict[str, tuple[Callable[[Path], object], str]] = {
    "labels": (lambda model: change(model / "labels.txt", "red", "rot"), "labels.txt has other classes than"),
    "figures": (lambda model: change(model / "model.json", '"n": 9', '"n": 900'), "is of another training"),
    "proofs": (lambda model: change(model / "model.json", '"top_1_agreement": 1.0', '"top_1_agreement": 0.9'),
               "README.md and model.json do not say the same"),
    "a file without proof": (lambda model: (model / "model.onnx").touch(), "model.onnx has no proof in model.json"),
    "no card": (lambda model: (model / "README.md").unlink(), "has no README.md: `retrain export` writes it"),
    "no labels": (lambda model: (model / "labels.txt").unlink(),
                  "has no labels.txt: write the labels of model.json into it, one to a line"),
    "no manifest": (lambda model: (model / "model.json").unlink(), "holds no readable model.json"),
}  # fmt: skip


@pytest.mark.parametrize("what", ALTERED)
def test_what_was_altered_is_refused(what: str, export: Path, tmp_path: Path) -> None:
    alter, sentence = ALTERED[what]
    alter(export)
    done = call(main, "push", export, tmp_path / "out")
    assert done.code == 1 and sentence in one_line(done.err) and not (tmp_path / "out").exists()


@pytest.mark.parametrize("part", ["variables", "variables/variables.data-00000-of-00001", "saved_model.pb"])
def test_a_saved_model_without_one_of_its_parts_is_refused(part: str, export: Path, tmp_path: Path) -> None:
    (shutil.rmtree if (export / part).is_dir() else os.remove)(export / part)
    done = call(main, "push", export, tmp_path / "out")
    said = one_line(done.err)
    assert done.code == 1 and f"{part}" in said and "is missing, a part of the format saved_model: export" in said
    assert not (tmp_path / "out").exists()


def test_variables_in_several_files_are_whole_with_all_of_them(export: Path, tmp_path: Path) -> None:
    variables = export / "variables"  # as those of older versions
    (variables / "variables.data-00000-of-00001").rename(variables / "variables.data-00001-of-00002")
    done = call(main, "push", export, tmp_path / "out")
    assert done.code == 1 and "variables/variables.data-00000-of-00002 is missing, a part of" in one_line(done.err)
    (variables / "variables.data-00000-of-00002").touch()
    assert call(main, "push", export, tmp_path / "out").code == 0
    assert {path.name for path in (tmp_path / "out/variables").iterdir()} == {path.name for path in variables.iterdir()}


@pytest.mark.parametrize("name", ["variables", "variables/variables.index", "model.tflite"])
def test_a_link_is_not_followed(name: str, export: Path, tmp_path: Path) -> None:
    (export / name).rename(tmp_path / "elsewhere")
    (export / name).symlink_to(tmp_path / "elsewhere")
    done = call(main, "push", export, tmp_path / "out")
    assert (
        done.code == 1 and f"{name} is a link: publish a copy" in one_line(done.err) and not (tmp_path / "out").exists()
    )


def sealed_by(version: str, text: str) -> str:
    """A card as another version would have written it."""
    said = text[: text.rindex("<!-- made by")].replace("## ", "### ")
    return said + SEAL.format(version=version, digest=hashlib.sha256(said.encode()).hexdigest())


@pytest.mark.parametrize("version", ["0.1.0", ""])
def test_the_card_of_another_version_is_written_anew_where_it_goes(version: str, export: Path, tmp_path: Path) -> None:
    now = (export / "README.md").read_text(encoding="utf-8")
    (export / "README.md").write_text(sealed_by(version, now).replace("photos  from", "photos from"), encoding="utf-8")
    before = (export / "README.md").read_bytes()
    done = call(main, "push", export, tmp_path / "out")
    assert done.code == 0 and "README.md is of another version: what goes is written anew" in one_line(done.err)
    assert (tmp_path / "out/README.md").read_text(encoding="utf-8") == now
    assert (export / "README.md").read_bytes() == before


def test_a_card_of_ones_own_goes_and_is_mentioned(export: Path, tmp_path: Path) -> None:
    (export / "README.md").write_text("# My cats\n")
    done = call(main, "push", export, tmp_path / "out")
    assert done.code == 0 and "README.md was changed by hand: it goes as it is." in one_line(done.err)
    assert (tmp_path / "out/README.md").read_text() == "# My cats\n"


@pytest.mark.parametrize(
    "dest", ["s3://bucket/x", "hf://cats", "hf://a/b/c", "https://huggingface.co/ana/cats", "hf:/ana/cats"]
)
def test_other_addresses_are_refused(dest: str, export: Path) -> None:
    done = call(main, "push", export, dest)
    assert done.code == 2 and "is neither a folder nor hf://OWNER/NAME" in one_line(done.err)


def test_public_is_for_the_hub(export: Path, tmp_path: Path) -> None:
    assert call(main, "push", export, tmp_path / "out", "--public").code == 2


def test_a_new_repository_is_private_and_has_everything(hub: Hub, export: Path, tmp_path: Path) -> None:
    done = pushed_to(hub, tmp_path, export, "hf://ana/cats")
    assert done.code == 0, done.err
    assert f"To {hub.url}/ana/cats (new, private): " in done.err
    assert hub.private == {"ana/cats": True} and len(hub.commits) == 1
    there = hub.repositories["ana/cats"]
    assert not there.keys() & PRIVATE
    assert all(there[name] == (export / name).read_bytes() for name in there if name != ".gitattributes")
    assert {"README.md", "model.tflite", "variables/variables.index"} <= there.keys()
    again = pushed_to(hub, tmp_path, ".", "hf://ana/cats", cwd=export)
    assert again.code == 0 and "(private): 0 files" in again.err and len(hub.commits) == 1


def test_what_is_on_the_hub_is_replaced_only_where_asked(hub: Hub, export: Path, tmp_path: Path) -> None:
    hub.repositories["ana/cats"], hub.private["ana/cats"] = {"README.md": b"# Ours\n", "mine.txt": b"1"}, False
    refused = pushed_to(hub, tmp_path, export, "hf://ana/cats")
    assert refused.code == 1 and "has other files of these names: README.md. --replace" in refused.err
    assert hub.repositories["ana/cats"]["README.md"] == b"# Ours\n"
    hub.moves = True
    assert (
        "somebody else has changed it meanwhile" in pushed_to(hub, tmp_path, export, "hf://ana/cats", "--replace").err
    )
    hub.moves = False
    assert pushed_to(hub, tmp_path, export, "hf://ana/cats", "--replace").code == 0
    assert hub.repositories["ana/cats"]["README.md"] == (export / "README.md").read_bytes()
    assert hub.repositories["ana/cats"]["mine.txt"] == b"1"


def test_who_may_not_write_is_told_how(hub: Hub, export: Path, tmp_path: Path) -> None:
    done = pushed_to(hub, tmp_path, export, "hf://ana/cats", token="hf_other")
    assert done.code == 1 and "run `hf auth login`, or put a token that may write into HF_TOKEN" in done.err
    done = pushed_to(hub, tmp_path, export, "hf://ana/cats", token="hf_señor")
    assert (
        done.code == 1
        and "HF_TOKEN, or what `hf auth login` kept, is not a token: it holds other characters" in done.err
    )
    hub.url = "http://127.0.0.1:9"
    assert "http://127.0.0.1:9/ana/cats cannot be reached" in pushed_to(hub, tmp_path, export, "hf://ana/cats").err


def test_a_card_that_the_hub_cannot_read_is_refused_by_it(hub: Hub, export: Path, tmp_path: Path) -> None:
    (export / "README.md").write_text("---\nlicense: [\n---\n")
    done = pushed_to(hub, tmp_path, export, "hf://ana/cats")
    assert done.code == 1 and "Invalid metadata in README.md. - cannot be read" in done.err and not hub.commits


def test_a_missing_package_is_a_sentence(export: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    done = call(main, "push", export, "hf://ana/cats")
    assert done.code == 1 and "hf:// needs huggingface_hub: run" in one_line(done.err)
