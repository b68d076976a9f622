"""What the studio says is said in the language of the page: no sentence of its own is forgotten."""

import ast
import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import label_image.serve.refused as refused_module
import retrain.studio.sentences as sentences_module
from label_image.serve.refused import Refused
from label_image.web import site
from retrain.core.language import in_language
from retrain.exports import folder
from retrain.photos import dataset
from retrain.studio.sentences import SENTENCES, told, told_refusal

ROOT = Path(__file__).resolve().parents[2]
STUDIO = ROOT / "retrain/studio"
# What of rooms below a page shows.
BELOW = {
    ROOT / "retrain/exports/further_formats.py": ("say",),
    ROOT / "retrain/exports/proof/photos.py": ("say",),
    **{ROOT / f"retrain/photos/archives/{name}.py": ("DatasetError",) for name in ("kinds", "members", "unpack")},
    ROOT / "label_image/serve/bodies.py": ("Refused", "busy"),
}
# What only programs can cause, which read English, and what is said on the terminal before there is a page.
FOR_PROGRAMS = re.compile(
    r"There is nothing at |The kind of finding |The decision 7 is not known|heat must be |A QR code is |"
    r"The request is not |A compressed request |The format 7 is not known"
)
BEFORE_THERE_IS_A_PAGE = {"opening", "serving"}


def texts(node: ast.expr, module: object) -> Iterator[str]:
    """What an expression says, with a 7 for each value in it; nothing for what is said elsewhere."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "7" for part in parts)
        case ast.IfExp(body=one, orelse=other):
            yield from texts(one, module)
            yield from texts(other, module)
        case ast.Name(id=name) if isinstance(getattr(module, name, None), str):
            yield getattr(module, name)


def sentences(path: Path) -> Iterator[str]:
    """What a module of the studio refuses, and what it, or one of a room below, says of its progress."""
    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    names = BELOW.get(path, ("StudioError", "Refused", "ExportError", "busy", "say"))
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and node.args:
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in names:
                yield from texts(node.args[1 if name == "Refused" and len(node.args) > 1 else 0], module)


MODULES = [path for path in sorted(STUDIO.glob("*.py")) if path.stem not in BEFORE_THERE_IS_A_PAGE]


@pytest.mark.parametrize("path", [*MODULES, *BELOW], ids=lambda path: path.stem)
def test_each_sentence_is_known(path: Path) -> None:
    said = [text for text in sentences(path) if re.search(r"[a-z]{3}", text) and not FOR_PROGRAMS.match(text)]
    with in_language("pt"):
        forgotten = {text for text in said if told(text) == text}
    # Where a sentence is a value and words: those are looked at below.
    assert {text for text in forgotten if not re.fullmatch(r"7( 7)?\.?", text)} - COMPOSED == set()


# Whose first words depend on what is there; each whole sentence is known.
COMPOSED = {
    "7 photos that can be used: put photos into a second class, and train again.",
}


@pytest.mark.parametrize(
    ("english", "portuguese"),
    [
        ("Only the class 'gato' has photos that can be used: put photos into a second class, and train again.",
         "Só a classe 'gato' tem fotos"),
        ("The photo is empty (0 bytes).", "O arquivo da foto está vazio (0 bytes)."),
        ("The server is busy: photos wait to be looked at. Ask again in a second.", "O servidor está ocupado: há f"),
        ("There is no class 1,234 any more: choose another one.", "A classe 1,234 não existe"),
        ("There is no class Keep any more: choose another one.", "A classe Keep não existe"),
        ("Running the SavedModel on 1,096 photos …", "Executando o SavedModel em 1.096 fotos …"),
        ("  once more: head in float32 …", "  mais uma vez: cabeça em float32 …"),
        ("The class name 'caf\\udce9' is not valid UTF-8; rename it.", "O nome de classe 'caf\\udce9' não é UTF-8"),
        ("The class names 'a' and 'b' look the same; rename one of them, or merge the folders.",
         "Os nomes de classe 'a' e 'b' parecem iguais;"),
        ("`output_dir` /m holds 'x', which is not part of an export: move it away, or choose another folder.",
         "`output_dir` /m contém 'x', que não faz parte"),
        ("This installation lacks what runs a model on a phone (worker.js): run `make web-runtime` in a clone of this "
         "project, which needs Node and npm.",
         "Falta nesta instalação o que roda um modelo no celular (worker.js): rode `make"),
        ("Read as: 96 photos of an earlier run with the classes a, b … (8 in all).",
         "Lido como: 96 fotos de uma execução anterior, com as classes a, b … (8 no total)."),
        ("Read as: class folders a, b; left out: logs.", "Lido como: pastas de classes a, b; de fora: logs."),
    ],
)  # fmt: skip
def test_with_values(english: str, portuguese: str) -> None:
    assert told(english) == english
    with in_language("pt"):
        assert told(english).startswith(portuguese)


def test_the_sources_are_read() -> None:
    assert all(list(sentences(path)) for path in BELOW)
    found = {text for path in MODULES for text in sentences(path)}
    assert len(found) > 30 and "Phones may only add photos." in found and "Writing the model …" in found


def test_each_of_them_is_said_somewhere() -> None:
    """A sentence that nobody says any more goes."""
    own = Path(sentences_module.__file__)
    below = (refused_module, site, dataset, folder)
    sources = [*(path for path in STUDIO.glob("*.py") if path != own), *BELOW]
    sources += [Path(module.__file__) for module in below]
    code = " ".join(re.sub(r"\"\s*\n\s*f?\"", "", path.read_text(encoding="utf-8")) for path in sources)
    for sentence in SENTENCES:
        words = max((part.strip(" .:").split() for part in re.split(r"\{\w+\}", sentence)), key=len)
        few = min(4, len(words))
        assert any(" ".join(words[at : at + few]) in code for at in range(len(words) - few + 1)), sentence


def test_what_a_page_is_refused() -> None:
    with in_language("pt"):
        answer = told_refusal(Refused(403, "Phones may only add photos."))
    assert answer.status_code == 403
    assert json.loads(bytes(answer.body)) == {"error": "Celulares só podem adicionar fotos."}
