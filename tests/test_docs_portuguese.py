"""The Portuguese README says what the English one says, and the commands of the quick start do what it says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from painting import paint

ROOT = Path(__file__).resolve().parents[1]
ENGLISH, PORTUGUESE, QUICK_START = (
    (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.pt-BR.md", "docs/pt/inicio-rapido.md")
)
# What readers name as they like.
NAMES = {"gatos": "cats", "fotos": "photos", "foto.jpg": "photo.jpg", "pasta": "folder", "mais/*": "more/*",
         "respostas.csv": "answers.csv", "separadas": "sorted", "saida.png": "out.png"}  # fmt: skip
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```\n", re.M | re.S)
CODE = re.compile(r"`[^`\n]+`")
LINK = re.compile(r"\]\(([^)]+)\)")
NUMBER = re.compile(r"(?<![\w.,#-])[+-]?\d+(?:[.,]\d+)*(?![\w-])")


RUNTIME = ROOT / "label_image/web/runtime/worker.js"  # npm builds it: where it has not, `make web` is not tried
AS_BUILT = "make --old-file=label_image/web/runtime/worker.js web"


def in_english(text: str) -> str:
    """Names of files and folders as the English README has them."""
    for ours, theirs in NAMES.items():
        text = re.sub(rf"(?<![\w.]){re.escape(ours)}(?!\w)", theirs, text)
    return text.replace(' ARGS="--lang pt"', "").replace(" --lang pt", "")


def commands(text: str) -> list[str]:
    """What is typed at a prompt."""
    return [line[2:] for _, block in BLOCK.findall(text) for line in block.splitlines() if line.startswith("$ ")]


def without_code(text: str) -> str:
    return LINK.sub("]()", CODE.sub("", BLOCK.sub("", text)))


def numbers(text: str) -> list[float]:
    """The numbers of English prose."""
    return [float(number.replace(",", "")) for number in NUMBER.findall(text)]


def numbers_in_portuguese(text: str) -> list[float]:
    # Versions have a point, too: 3.10 is no 310.
    return [
        float(number if re.fullmatch(r"[+-]?\d+\.\d{1,2}", number) else number.replace(".", "").replace(",", "."))
        for number in NUMBER.findall(text)
    ]


def tables(text: str) -> list[list[str]]:
    """The lines of tables, without their heads."""
    rows = re.findall(r"^\|(.*)\|$", BLOCK.sub("", text), re.M)
    return [[cell.strip() for cell in row.split("|")] for row in rows if not re.fullmatch(r"[-:| ]+", row)]


def test_each_links_to_the_other_in_its_first_lines() -> None:
    assert "](README.pt-BR.md)" in "".join(ENGLISH.splitlines(keepends=True)[:4])
    assert "](README.md)" in "".join(PORTUGUESE.splitlines(keepends=True)[:4])
    assert "](docs/pt/inicio-rapido.md)" in PORTUGUESE
    assert "](../../README.pt-BR.md)" in QUICK_START and "](../../README.md)" in QUICK_START


def test_all_pages_that_the_english_one_leads_to_are_there() -> None:
    theirs, ours = set(LINK.findall(ENGLISH)) - {"README.pt-BR.md"}, set(LINK.findall(PORTUGUESE))
    assert {link.replace(".en.webp", ".pt.webp") for link in theirs} - ours == set()


def test_commands_and_outputs_are_the_same() -> None:
    known = {*commands(ENGLISH), *(in_english(command) for command in commands(ENGLISH))}
    assert {in_english(command) for command in commands(PORTUGUESE)} == {in_english(command) for command in known}
    for kind, block in BLOCK.findall(PORTUGUESE):
        if kind != "python":  # whose comments are words
            assert in_english(block) in in_english(ENGLISH), block


def test_options_are_the_same() -> None:
    ours, theirs = (set(re.findall(r"--[a-z_]\w+", text)) for text in (PORTUGUESE, ENGLISH))
    assert ours - theirs == {"--lang"} and theirs - ours == set()


def test_python_is_the_same_but_for_comments() -> None:
    ours, theirs = (
        [
            line.partition("  #")[0]
            for kind, block in BLOCK.findall(text)
            if kind == "python"
            for line in block.splitlines()
        ]
        for text in (PORTUGUESE, ENGLISH)
    )
    assert ours == theirs and len(ours) > 5


def test_tables_have_the_same_numbers() -> None:
    ours, theirs = tables(PORTUGUESE), tables(ENGLISH)
    assert len(ours) == len(theirs) > 25
    for mine, other in zip(ours, theirs, strict=True):
        assert numbers_in_portuguese(without_code(" ".join(mine))) == numbers(without_code(" ".join(other))), mine
        assert CODE.findall("".join(mine)) == CODE.findall("".join(other)), mine


def test_each_number_is_one_of_the_english_page() -> None:
    theirs = set(numbers(without_code(ENGLISH)))
    assert set(numbers_in_portuguese(without_code(PORTUGUESE))) - theirs == set()
    assert len(set(numbers_in_portuguese(without_code(PORTUGUESE)))) > 50


def test_numbers_are_read_as_they_are_written() -> None:
    text = "2.400 fotos, 0,894 ± 0,010 com Python 3.10 a 3.13: 98,8 %, -0,3, +1,7."
    assert numbers_in_portuguese(text) == [2400, 0.894, 0.01, 3.1, 3.13, 98.8, -0.3, 1.7]
    assert numbers("2,400 photos, 0.894 ± 0.010: 98.8 %, -0.3, +1.7.") == [2400, 0.894, 0.01, 98.8, -0.3, 1.7]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's folder as it is after `make setup`, with three classes of photos as the page names them."""
    house = tmp_path_factory.mktemp("casa")
    for name in ("Makefile", "docker", "scripts", "pyproject.toml", "requirements.lock"):
        os.symlink(ROOT / name, house / name)
    (house / ".venv").mkdir()
    for place in Path(sys.prefix).iterdir():
        if place.name != ".installed":
            os.symlink(place, house / ".venv" / place.name)
    (house / ".venv/.installed").touch()  # no make sets it up again, nor one that make calls
    for label, colour in (("caneca", "red"), ("garrafa", "green"), ("livro", "blue")):
        for seed in range(8):
            paint(house / "fotos" / label / f"{seed}.jpg", colour, seed)
    (house / "fotos/livro/caneca.jpg").write_bytes((house / "fotos/caneca/0.jpg").read_bytes())  # a wrong label
    paint(house / "minha_foto.jpg", "green", 99)
    return house


@pytest.fixture(scope="module")
def printed(house: Path) -> dict[str, str]:
    """What the commands of the quick start print, in their order, but for the studio and the server, which go on."""
    printed = {}
    for command in commands(QUICK_START):
        if re.match(r"make (setup|serve|studio)", command) or (command.startswith("make web") and not RUNTIME.exists()):
            continue
        if "--fixes" in command:  # in which the reader has decided something
            text = (house / "tf_files/doctor/fixes.csv").read_text(encoding="utf-8-sig")
            (house / "Downloads").mkdir()
            (house / "Downloads/fixes.csv").write_text(text.replace(",keep,remove,", ",remove,remove,", 1), "utf-8")
        done = subprocess.run(
            ["bash", "-c", command.replace("make web", AS_BUILT)],
            cwd=house,
            env={**os.environ, "HOME": str(house)},
            capture_output=True,
            text=True,
            timeout=500,
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        printed[command] = done.stdout + done.stderr
    return printed


def test_commands_of_the_quick_start_do_what_it_says(house: Path, printed: dict[str, str]) -> None:
    assert "5-fold cross-validation: accuracy" in printed["make retrain IMAGE_DIR=fotos"]
    assert re.search(r"^ +[89]\d\.\d%  garrafa$", printed["make label IMAGE=minha_foto.jpg"], re.M)
    for page in ("tf_files/report.html", "tf_files/doctor/doctor.html"):
        assert '<html lang="pt-BR">' in (house / page).read_text(encoding="utf-8")
    assert (house / "tf_files/model/skipped.csv").exists()
    assert RUNTIME.exists() == (house / "tf_files/model/web/index.html").exists()
    assert "photos left out: 1" in printed['make retrain IMAGE_DIR=fotos ARGS="--fixes ~/Downloads/fixes.csv"']
    assert len(printed) >= 5


def test_targets_of_the_quick_start_are_there() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    wanted = {command.split()[1] for text in (QUICK_START, PORTUGUESE) for command in commands(text)
              if command.startswith("make ")}  # fmt: skip
    targets = set(
        re.findall(r"^([a-z-]+):.*##", makefile + (ROOT / "docker/docker.mk").read_text(encoding="utf-8"), re.M)
    )
    assert {"setup", "studio", "serve", "web"} <= wanted <= targets
