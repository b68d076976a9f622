"""The files of the camera page, as they are made of an export."""

import gzip
import hashlib
import io
import json
import re
import shutil
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from label_image.errors import ModelError
from label_image.web import page_files, site
from retrain.exports.formats.tflite import append_files

PAGE = Path(site.__file__).with_name("page")
RUNTIME = {"worker.js": b"worker", "runtime.js": b"glue", "runtime.wasm.gz": b"wasm", "LICENCES.txt": b"Apache-2.0"}


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Something in place of what npm brings."""
    folder = tmp_path / "runtime"
    folder.mkdir()
    for name, data in RUNTIME.items():
        (folder / name).write_bytes(data)
    monkeypatch.setattr(site, "RUNTIME", folder)
    return folder


@pytest.fixture
def export(three_colours: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(three_colours / "model", tmp_path / "model"))


def config_of(files: dict[str, bytes]) -> dict[str, object]:
    found: dict[str, object] = json.loads(files["config.json"])
    return found


def constants_of(files: dict[str, bytes]) -> dict[str, object]:
    """What was written in front of the service worker."""
    lines = re.findall(r"^const (VERSION|FILES|SIZES) = (.*);$", files["sw.js"].decode(), re.M)
    return {name: json.loads(value) for name, value in lines}


def test_page_model_and_what_runs_it_are_in_one_folder(export: Path) -> None:
    files = page_files(export, server=False)
    assert {name: files[name] for name in RUNTIME} == RUNTIME
    assert {path.name for path in PAGE.iterdir()} <= set(files)
    config, manifest = config_of(files), json.loads((export / "model.json").read_text())
    assert config["labels"] == manifest["labels"] and config["threshold"] == manifest["unknown"]["threshold"]
    assert (config["size"], config["orient"], config["server"]) == (8, True, False)
    model = config["model"]
    assert isinstance(model, dict)
    packed = files[model["file"]]
    assert gzip.decompress(packed) == (export / "model.tflite").read_bytes() and len(packed) == model["bytes"]
    assert hashlib.sha256(packed).hexdigest()[:12] in model["file"]
    assert model["input"] == {"dtype": "float32"} and model["outputs"]["similarity"] == {"dtype": "float32"}


def test_the_same_export_gives_the_same_bytes_wherever_it_lies(export: Path, tmp_path: Path) -> None:
    other = shutil.copytree(export, tmp_path / "other")
    assert page_files(export) == page_files(other)
    assert page_files(export / "model.tflite") == page_files(export)


def test_classes_may_have_other_names(export: Path) -> None:
    count = len(json.loads(page_files(export)["config.json"])["labels"])
    names = [f"Klasse {number}" for number in range(count)]
    assert json.loads(page_files(export, labels=names)["config.json"])["labels"] == names
    with pytest.raises(ModelError, match=f"1 labels were given for the {count} classes"):
        page_files(export, labels=["one"])


@pytest.mark.parametrize("changed", ["labels", "page", "runtime"])
def test_whatever_is_new_is_a_new_version(
    changed: str, export: Path, runtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = constants_of(page_files(export))
    match changed:
        case "labels":
            text = (export / "model.json").read_text()
            (export / "model.json").write_text(text.replace('"red"', '"rot"'))
        case "page":
            page = shutil.copytree(PAGE, tmp_path / "page")
            (page / "sw.js").write_bytes((page / "sw.js").read_bytes() + b"// new\n")
            monkeypatch.setattr(site, "PAGE", page)
        case "runtime":
            (runtime / "runtime.wasm.gz").write_bytes(b"newer")
    after = constants_of(page_files(export))
    assert before["VERSION"] != after["VERSION"] and before["FILES"] == after["FILES"]


def test_the_service_worker_keeps_all_that_the_page_asks_for(export: Path) -> None:
    files = page_files(export)
    kept, sizes = constants_of(files)["FILES"], constants_of(files)["SIZES"]
    assert isinstance(kept, list) and isinstance(sizes, list)
    # Some hosts send who asks for index.html on to the folder.
    assert set(kept) == {"./", *files} - {"index.html", "sw.js", "LICENCES.txt"}
    assert dict(zip(kept, sizes, strict=True))["./"] == len(files["index.html"])


def test_it_can_be_installed(export: Path) -> None:
    """What Chromium and iOS ask for: a name, where it begins, how it is shown, icons that are as large as they say."""
    files = page_files(export)
    manifest = json.loads(files["manifest.webmanifest"])
    assert manifest["name"] and len(manifest["short_name"]) <= 12 and manifest["display"] == "standalone"
    assert manifest["start_url"] == manifest["scope"] == "./"  # under whatever path
    assert "id" not in manifest  # it would be one for the host, and two pages of it one app
    sizes = {icon["sizes"]: Image.open(io.BytesIO(files[icon["src"]])).size for icon in manifest["icons"]}
    assert sizes == {"192x192": (192, 192), "512x512": (512, 512)}
    assert {icon["purpose"] for icon in manifest["icons"]} == {"any", "maskable"}
    page = files["index.html"].decode()
    assert '<link rel="manifest" href="manifest.webmanifest">' in page and 'name="viewport"' in page
    touch = re.search(r'rel="apple-touch-icon" href="(.*?)"', page)
    assert touch is not None and Image.open(io.BytesIO(files[touch[1]])).size == (180, 180)


def test_float16_comes_first_and_others_when_they_are_asked_for(export: Path) -> None:
    data = (export / "model.tflite").read_bytes()
    for name in ("model_float16.tflite", "model_int8.tflite"):
        (export / name).write_bytes(data + name.encode())
    packed = {numbers: page_files(export, numbers) for numbers in (None, "float16", "float32", "int8")}
    unpacked = {
        numbers: gzip.decompress(next(data for name, data in files.items() if name.startswith("model-")))
        for numbers, files in packed.items()
    }
    assert unpacked[None] == unpacked["float16"] == data + b"model_float16.tflite"
    assert unpacked["float32"] == data and unpacked["int8"] == data + b"model_int8.tflite"


def of_another_training(tflite: bytes) -> bytes:
    """The same network with the manifest of another training."""
    with zipfile.ZipFile(io.BytesIO(tflite)) as archive:
        content = json.loads(archive.read("model.json"))
        network = tflite[: min(member.header_offset for member in archive.infolist())]
    content["provenance"]["dataset_digest"] = "0" * 64
    return append_files(network, {"model.json": json.dumps(content)})


def test_a_model_that_is_left_of_another_training_is_passed_over(export: Path) -> None:
    data = (export / "model.tflite").read_bytes()
    (export / "model_float16.tflite").write_bytes(of_another_training(data))
    files = page_files(export)
    assert gzip.decompress(next(data for name, data in files.items() if name.startswith("model-"))) == data
    with pytest.raises(ModelError, match=r"model_float16\.tflite is of another training than the model\.json beside"):
        page_files(export, "float16")
    (export / "model.tflite").unlink()
    assert config_of(page_files(export))["model"] is None
    with pytest.raises(ModelError, match=r"has no \.tflite of its training, which phones run"):
        page_files(export, server=False)


# Where a phone cannot run it


def test_without_what_runs_it_the_page_asks_the_server(export: Path, runtime: Path) -> None:
    shutil.rmtree(runtime)
    files = page_files(export)
    assert config_of(files)["model"] is None and config_of(files)["server"] is True
    assert not set(RUNTIME) & set(files)
    with pytest.raises(ModelError, match=r"lacks what runs a model on a phone .*: run `make web-runtime`"):
        page_files(export, server=False)


def test_without_tflite_the_page_asks_the_server(export: Path) -> None:
    (export / "model.tflite").unlink()
    assert config_of(page_files(export))["model"] is None
    with pytest.raises(ModelError, match=r"has no \.tflite.*retrain export --to tflite_float16"):
        page_files(export, server=False)


def test_a_resize_that_the_page_has_not_is_the_servers(export: Path) -> None:
    text = (export / "model.json").read_text()
    (export / "model.json").write_text(text.replace("bilinear", "lanczos"))
    assert config_of(page_files(export))["model"] is None
    with pytest.raises(ModelError, match="bilinear alone, and this model asks for lanczos"):
        page_files(export, server=False)


@pytest.mark.parametrize(
    ("model", "numbers", "sentence"),
    [
        ("gone", None, "does not exist"),
        ("labels.txt", None, "is not the folder of an export, nor its .tflite file"),
        ("", "int8", "has no model_int8.tflite: write it with `retrain export --to tflite_int8`"),
        ("", "float64", "`numbers` float64 is not known; choose from float16, float32, int8"),
        ("broken.tflite", None, "broken.tflite"),
        ("empty", None, "holds no readable model.json"),
    ],
)
def test_what_cannot_be_is_a_sentence(model: str, numbers: site.Numbers | None, sentence: str, export: Path) -> None:
    (export / "empty").mkdir()
    (export / "broken.tflite").write_bytes(b"not a model" * 99)
    with pytest.raises(ModelError) as error:
        page_files(export / model, numbers)
    assert sentence in str(error.value)


def test_a_damaged_model_is_a_sentence(export: Path) -> None:
    (export / "model.tflite").write_bytes(b"not a model" * 99)
    with pytest.raises(ModelError, match=r"model\.tflite cannot be loaded"):
        page_files(export)


# The page itself


def test_nothing_in_it_is_elsewhere_or_against_its_own_policy() -> None:
    page = (PAGE / "index.html").read_text(encoding="utf-8")
    assert re.findall(r"""(?:src|href)="([^"]+)\"""", page) and not re.findall(r'(?:src|href)="[^"]*[:/]', page)
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! type=\"module\" src=)", page)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="(.*?)"', page)
    assert policy is not None and "default-src 'none'" in policy[1] and "unsafe-inline" not in policy[1]
    for path in PAGE.iterdir():
        assert "http:" not in path.read_text(encoding="utf-8").replace("http://www.w3.org", ""), path.name
        assert "https:" not in path.read_text(encoding="utf-8"), path.name


def test_all_languages_have_all_words_and_all_words_are_used() -> None:
    text = (PAGE / "words.js").read_text(encoding="utf-8")
    english, portuguese = (
        dict(re.findall(r'^    (\w+): "(.*)",$', part, re.M)) for part in re.split(r"^  pt: \{$", text, flags=re.M)
    )
    assert english.keys() == portuguese.keys() and len(english) > 20
    for key, words in english.items():
        assert sorted(re.findall(r"\{\w+\}", words)) == sorted(re.findall(r"\{\w+\}", portuguese[key])), key
    sources = "".join(path.read_text(encoding="utf-8") for path in PAGE.iterdir() if path.name != "words.js")
    shown = set(re.findall(r'data-words="(\w+)"', sources))
    assert shown <= english.keys()
    assert [key for key in english if key not in shown and f'"{key}"' not in sources] == []
