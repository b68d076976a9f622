"""The client programs: those that can run here are run, of the others the literals are read back."""

import ast
import base64
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import ai_edge_litert
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from painting import paint
from PIL import Image

from label_image.installing import how_to_install
from label_image.model import load_model, load_saved_model
from retrain.cli.main import main
from retrain.core.errors import ExportError
from retrain.core.tensorflow import tf
from retrain.exports.clients import (
    FILES,
    LITERALS,
    NEVER,
    cpp_literal,
    javascript_literal,
    kotlin_literal,
    python_literal,
    swift_literal,
    write_clients,
)

# In the order in which a run sorts them.
COLOURS = {"\"quoted\", 'blue'": (30, 30, 220), "100% ${red} \\n `y`??!": (220, 30, 30), "vërdé 🐈‍⬛": (30, 200, 30)}
UNTESTED = {"Classifier.kt", "Classifier.swift"}
LITERT = Path(ai_edge_litert.__file__).parent
DECLARATIONS = Path(__file__).resolve().parents[1] / "support/litert_c/declarations.h"


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of three colours with awkward names, with its clients."""
    folder = tmp_path_factory.mktemp("clients")
    for name, colour in COLOURS.items():
        (folder / "photos" / name).mkdir(parents=True)
        for n in range(6):
            Image.new("RGB", (16, 16), tuple(v + n for v in colour)).save(folder / "photos" / name / f"{n}.png")
    folders = ("--image_dir", "photos", "--output_dir", "model", "--bottleneck_dir", "b", "--model_dir", "m")
    paths = [part if part.startswith("--") else str(folder / part) for part in folders]
    main([*paths, "--architecture", "fake"])
    write_clients(folder / "model")
    return folder / "model"


# The literals


def read_back(literal: str, escapes: dict[str, str], numbered: str, base: int) -> str:
    """What a compiler reads: `escapes` after a backslash, and `numbered`, a pattern with one group for the number."""

    def unescape(found: re.Match[str]) -> str:
        return chr(int(found[1], base)) if found[1] else escapes[found[0][1]]

    assert literal[0] == literal[-1] == '"'
    assert not re.search(r'(?<!\\)(?:\\\\)*"', literal[1:-1])
    return re.sub(rf"{numbered}|\\.", unescape, literal[1:-1], flags=re.DOTALL)


@settings(deadline=None)
@given(st.text())
@example("\"'\\$\u2028\x00\x7f\x859??/")
@example("\u202egod\u2066")
def test_literals_mean_the_text(text: str) -> None:
    for literal in (python_literal, javascript_literal, kotlin_literal, swift_literal, cpp_literal):
        assert not re.search("[\x00-\x1f\u202a-\u202e\u2066-\u2069]", literal(text))
    assert ast.literal_eval(python_literal(text)) == text
    assert json.loads(javascript_literal(text)) == text
    kotlin = kotlin_literal(text)
    assert read_back(kotlin, {'"': '"', "\\": "\\", "$": "$"}, r"\\u([0-9a-f]{4})", 16) == text
    assert not re.search(r"(?<!\\)(?:\\\\)*\$", kotlin)
    assert read_back(swift_literal(text), {'"': '"', "\\": "\\"}, r"\\u\{([0-9a-f]+)\}", 16) == text
    cpp = cpp_literal(text)
    assert cpp.isascii() and cpp.isprintable() and "??" not in cpp
    said = read_back(cpp, {'"': '"', "\\": "\\", "?": "?"}, r"\\([0-7]{3})", 8)
    assert said.encode("latin-1").decode() == text


@pytest.mark.parametrize("name", sorted({*FILES} - {"tf_serving.sh"}))
def test_every_client_knows_the_labels_and_the_threshold(name: str, export: Path) -> None:
    text = (export / "clients" / name).read_text(encoding="utf-8")
    language = {"kt": "kotlin", "mjs": "javascript", "py": "python"}.get(
        name.rpartition(".")[2], name.rpartition(".")[2]
    )
    places = [text.index(f"{LITERALS[language](label)},\n") for label in COLOURS]
    assert places == sorted(places)
    assert repr(json.loads((export / "model.json").read_text())["unknown"]["threshold"]) in text


@pytest.mark.parametrize("name", FILES)
def test_what_was_never_run_says_so_at_its_head(name: str, export: Path) -> None:
    head = (export / "clients" / name).read_text(encoding="utf-8")[:40]
    assert ("UNTESTED" in head) == (name in UNTESTED)


# Running them


def test_python_answers_like_label_image_and_needs_no_tensorflow(export: Path, tmp_path: Path) -> None:
    model = load_model(export)
    stripes = Image.fromarray(np.repeat(np.array([[[220, 30, 30]], [[30, 30, 220]]], np.uint8), 200, axis=1))
    exif = Image.Exif()
    exif[0x0112] = 6
    photos = [paint(tmp_path / f"{n}.png", colour) for n, colour in enumerate(COLOURS.values())]
    photos += [paint(tmp_path / "gray.png", (128, 128, 128)), tmp_path / "turned.png", tmp_path / "glass.png"]
    ramp = np.linspace(0, 1, 64 * 64).reshape(64, 64)
    for bits in (8, 12, 16):  # of gray in files of 16 bits
        photos += [tmp_path / f"{bits} bits.png", tmp_path / f"{bits} bits.tif"]
        for photo in photos[-2:]:
            Image.fromarray((ramp * (2**bits - 1)).astype(np.uint16)).save(photo)
    stripes.save(tmp_path / "turned.png", exif=exif)
    Image.new("RGBA", (9, 9), (220, 30, 30, 90)).save(tmp_path / "glass.png")
    code = (
        "import json, runpy, sys; client = runpy.run_path(sys.argv[1]); Interpreter = client['Interpreter'];"
        "i = Interpreter(str(client['MODEL'])); i.allocate_tensors();"
        "print(json.dumps([client['classify'](i, photo) for photo in sys.argv[2:]]));"
        "assert 'tensorflow' not in sys.modules"
    )
    command = [sys.executable, "-c", code, export / "clients/classify.py", *photos]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    said = json.loads(done.stdout.splitlines()[-1])
    assert [label for label, _ in said[:4]] == [*COLOURS, None]
    for (label, scores), photo in zip(said, photos, strict=True):
        verdict = model.label(photo.read_bytes())
        assert (label is None) == verdict.unknown
        assert list(scores) == list(COLOURS)
        assert all(abs(scores[answer.label] - answer.probability) < 1e-5 for answer in verdict.answers)


def test_python_goes_on_after_a_photo_that_cannot_be_read(export: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no photo")
    photos = [bad, tmp_path / "gone.png", paint(tmp_path / "red.png", (220, 30, 30))]
    done = subprocess.run(
        [sys.executable, export / "clients/classify.py", *photos], capture_output=True, encoding="utf-8"
    )
    assert (done.returncode, len(done.stdout.splitlines())) == (1, 1) and done.stdout.startswith(f"{photos[2]}: ")
    errors = [line.partition(": ")[0] for line in done.stderr.splitlines() if not line.startswith("INFO")]  # LiteRT's
    assert errors == [str(bad), str(photos[1])]


def test_python_as_a_program(export: Path, tmp_path: Path) -> None:
    photos = [paint(tmp_path / "red.png", (220, 30, 30)), paint(tmp_path / "gray.png", (128, 128, 128))]
    command = [sys.executable, export / "clients/classify.py", *photos]
    lines = subprocess.run(command, capture_output=True, check=True).stdout.decode().splitlines()
    assert lines[0].startswith(f"{photos[0]}: 100% ${{red}} \\n `y`??! (")
    verdict = load_model(export).label(photos[1].read_bytes())
    figures = f"similarity {verdict.similarity:.4f}, threshold {verdict.threshold:.4f}"
    assert lines[1].startswith(f"{photos[1]}: unknown ({figures}; nearest ")


@pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is absent")
def test_cpp_answers_like_label_image(export: Path, tmp_path: Path) -> None:
    program = (export / "clients/classify.cpp").read_text(encoding="utf-8")
    (tmp_path / "classify.cpp").write_text(re.sub(r'"litert/c/\w+\.h"', f'"{DECLARATIONS}"', program))
    linked = ["-L", LITERT, "-lLiteRt", f"-Wl,-rpath,{LITERT}"]
    compiler = ["g++", "-std=c++17", "-Wall", "-Werror", "classify.cpp", *linked, "-o", "classify"]
    subprocess.run(compiler, cwd=tmp_path, check=True)
    model = load_model(export)
    for number, colour in enumerate([*COLOURS.values(), (128, 128, 128)]):
        photo = Image.new("RGB", (8, 8), colour)  # of the model's size
        photo.save(tmp_path / f"{number}.png")
        (tmp_path / "photo.raw").write_bytes(photo.tobytes())
        done = subprocess.run(
            [tmp_path / "classify", export / "model.tflite", tmp_path / "photo.raw"], capture_output=True, check=True
        )
        verdict = model.label((tmp_path / f"{number}.png").read_bytes())
        best = verdict.answers[0]
        figures = f"similarity {verdict.similarity:.4f}, threshold {verdict.threshold:.4f}"
        known = f"{best.label} ({best.probability:.3f})"
        said = f"unknown ({figures}; nearest {best.label})" if verdict.unknown else known
        assert done.stdout.decode() == f"{said}\n", done.stderr
    assert verdict.unknown


@pytest.fixture
def serving(export: Path) -> Iterator[str]:
    """A stand-in for TensorFlow Serving: its REST interface in rows, over the signature that it would call."""
    signatures = load_saved_model(export).signatures

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/models/classifier:predict"
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            photos = [base64.b64decode(row["image_bytes"]["b64"], validate=True) for row in asked["instances"]]
            said = signatures[asked["signature_name"]](image_bytes=tf.constant(photos))
            columns = {name: value.numpy() for name, value in said.items()}
            columns["classes"] = np.char.decode(columns["classes"].astype(bytes), "utf-8")
            rows = [{name: values[row].tolist() for name, values in columns.items()} for row in range(len(photos))]
            body = json.dumps({"predictions": rows}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="curl or jq is absent")
def test_curl_answers_like_label_image(export: Path, serving: str, tmp_path: Path) -> None:
    model = load_model(export)
    for name, colour in {"red": (220, 30, 30), "green": (30, 200, 30), "gray": (128, 128, 128)}.items():
        photo = paint(tmp_path / f"a {name} photo.png", colour)
        command = ["sh", export / "clients/tf_serving.sh", photo, serving]
        said = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        verdict = model.label(photo.read_bytes())
        best = verdict.answers[0]
        assert said["label"] == ("unknown" if verdict.unknown else best.label)
        assert said["looks_most_like"] == best.label
        assert abs(said["probability"] - best.probability) < 1e-5
        assert said["threshold"] == verdict.threshold
        assert abs(said["similarity"] - verdict.similarity) < 1e-5


@pytest.mark.skipif(shutil.which("node") is None, reason="node is absent")
def test_javascript_in_node_on_a_model_that_only_pretends(export: Path, tmp_path: Path) -> None:
    """TensorFlow.js itself is run by scripts/check_tfjs.py."""
    program = """
        const { LABELS, SIZE, classify } = await import(process.argv[2]);
        const tensor = (values) => ({ dataSync: () => Float32Array.from(values) });
        const pixels = { toFloat: () => ({ expandDims: () => "image" }) };
        const say = (similarity) => ({ execute: ({ image }, names) => {
            if (image !== "image" || names.join() !== "scores,similarity") throw new Error(names);
            return [tensor([0.125, 0.75, 0.125]), tensor([similarity])];
        } });
        const tf = { dispose: () => {}, tidy: (run) => run() };
        console.log(JSON.stringify([LABELS, SIZE, classify(tf, say(0.99999), pixels), classify(tf, say(-1), pixels)]));
    """
    (tmp_path / "try.mjs").write_text(program)
    command = ["node", tmp_path / "try.mjs", export / "clients/classify.mjs"]
    done = subprocess.run(command, capture_output=True, check=True)
    labels, size, known, unknown = json.loads(done.stdout)
    assert (labels, size) == (list(COLOURS), 8)
    assert {key: known[key] for key in known if key not in ("scores", "similarity", "threshold")} == {
        "label": labels[1], "probability": 0.75, "unknown": False,
    }  # fmt: skip
    assert known["threshold"] == load_model(export).threshold
    assert known["similarity"] == pytest.approx(0.99999)
    assert known["scores"] == dict(zip(labels, [0.125, 0.75, 0.125], strict=True))
    assert unknown == {**known, "unknown": True, "similarity": -1}


# Writing them


def test_an_export_without_a_threshold_never_says_unknown(export: Path, tmp_path: Path) -> None:
    manifest = json.loads((export / "model.json").read_text(encoding="utf-8"))
    del manifest["unknown"]
    (tmp_path / "model.json").write_text(json.dumps(manifest), encoding="utf-8")
    write_clients(tmp_path)
    assert f"THRESHOLD = {NEVER}  #" in (tmp_path / "clients/classify.py").read_text(encoding="utf-8")


def test_they_are_the_same_every_time(export: Path, tmp_path: Path) -> None:
    (tmp_path / "model.json").write_bytes((export / "model.json").read_bytes())
    write_clients(tmp_path)
    assert sorted(path.name for path in (tmp_path / "clients").iterdir()) == sorted(FILES)
    for name in FILES:
        assert (tmp_path / "clients" / name).read_bytes() == (export / "clients" / name).read_bytes()


def test_missing_package_is_a_sentence(export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ExportError, match=re.escape(how_to_install("train"))):
        write_clients(tmp_path)
