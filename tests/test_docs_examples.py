"""The Python code of the documentation runs, and what it says of values is true."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from calling import python_path

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
NOTEBOOK, ENGINEER = NOTEBOOKS = (ROOT / "docs/retrain.ipynb", ROOT / "docs/engineer.ipynb")
CLAIM = re.compile(r"^(?P<value>\S.*?)  # → (?P<text>.+)$", re.M)  # a value, and what it is as text


def code_blocks(page: Path) -> list[str]:
    """The Python blocks of a page, as they stand there."""
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)


def checking_claims(code: str) -> str:
    """The code with an assertion in the place of each claim."""

    def assertion(claim: re.Match[str]) -> str:
        return f"assert str(({claim['value']})) == {claim['text']!r}, str(({claim['value']}))"

    return CLAIM.sub(assertion, code)


def code_cells(notebook: Path) -> list[str]:
    """The code of a notebook, cell by cell."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def run(parts: list[str], folder: Path, **variables: str) -> str:
    """Run pieces of code one after the other, in one namespace and a process of their own; what they print."""
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(parts)],
        cwd=folder,
        env={**os.environ, "MPLBACKEND": "agg", "PYTHONPATH": python_path(ROOT), **variables},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project's folder, as far as the examples see it, in which the notebook has been run.

    Its model is where the command would have put one, too.
    """
    house = tmp_path_factory.mktemp("house")
    (house / "docs").mkdir()
    os.symlink(ROOT / "scripts", house / "scripts")
    (house / "printed.txt").write_text(run(code_cells(NOTEBOOK), house / "docs"), encoding="utf-8")
    os.symlink("notebook_model", house / "tf_files/model")
    return house


def test_notebook_runs_from_top_to_bottom(house: Path) -> None:
    printed = (house / "printed.txt").read_text(encoding="utf-8")
    assert "168 photos of black, colourpoint, spotted, tabby, tortoiseshell, tuxedo, white" in printed
    assert "one row for each photo: (168, 1280)" in printed
    assert "% on 168 photos (95 % interval" in printed
    assert re.search(r"^tabby$", printed, re.M)


def check_afternoon(printed: str, networks: int) -> None:
    """What the engineer's notebook printed, cell by cell."""
    assert (
        len(re.findall(r"^\w+(?:\.\d+_\d+)? +[\d.]+%  \([\d.]+% to [\d.]+%\)  \d+ numbers", printed, re.M)) == networks
    )
    assert printed.count("% on ") == 2 and "the machine: accuracy " in printed
    assert "<Exported tf_files/engineer_model: tflite> {'greatest_difference': " in printed
    assert "have a nearest neighbour of another class" in printed
    assert re.search(r"│ +label +│ photos │ wrong │ +sure +│", printed)
    assert re.search(r"^\{'architecture': '\w+', 'l2': [\d.]+\} [\d.]+%$", printed, re.M)


def test_afternoon_of_an_engineer_on_drawings(house: Path) -> None:
    cells = [re.sub(r"^names = .*$", 'names = ["efficientnet_lite0", "fake"]', cell, flags=re.M)
             for cell in code_cells(ENGINEER)]  # fmt: skip
    check_afternoon(run(cells, house), 2)


@pytest.mark.real
@pytest.mark.skipif(not (SHARED / "weights").is_dir(), reason="no ../shared with photos and weights")
def test_afternoon_of_an_engineer_on_flowers(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "tf_files").mkdir()
    os.symlink(SHARED / "weights", tmp_path / "tf_files/models")
    printed = run(code_cells(ENGINEER), tmp_path / "docs", PHOTOS=str(SHARED / "data/flowers"))
    assert printed.startswith("{'daisy': 12, 'dandelion': 12, 'roses': 12, 'sunflowers': 12, 'tulips': 12}\n")
    check_afternoon(printed, 5)
    shares = [float(share) for share in re.findall(r"^\S+ +([\d.]+)%  \(.* numbers$", printed, re.M)]
    assert min(shares) > 40 and max(shares) > 70


def test_what_others_call_it_is_there(house: Path) -> None:
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \S+ \| `.*` \| `(.*)` \|$", page, re.M)
    assert len(rows) == 10
    (names,) = re.findall(r"^With `(.*)`, `(.*)` and `(.*)`:$", page, re.M)
    first = code_blocks(ROOT / "docs/api.md")[0]
    begin = ["from label_image.model import load_model", "from retrain import *", *names, first]
    lists = "paths, labels = [file.path for file in dataset], [file.label for file in dataset]"
    assert run([*begin, lists, *(f"print('row', {row})" for row in rows)], house).count("row ") == len(rows)


def test_page_of_the_api_is_true(house: Path) -> None:
    blocks = code_blocks(ROOT / "docs/api.md")
    claims = sum(len(CLAIM.findall(block)) for block in blocks)
    assert (len(blocks), claims) >= (5, 6)
    printed = run([checking_claims(block) for block in blocks], house).splitlines()
    (promised,) = re.findall(r"^print\(evaluate\(trained\)\)  # (.*), …$", blocks[0], re.M)
    # The last digit is that of the machine: vectors in bfloat16 are not those in float32.
    shares, said = ([float(share) for share in re.findall(r"\d+\.\d", line)] for line in (promised, printed[0]))
    assert said[:3] == pytest.approx(shares, abs=0.5)
    assert re.sub(r"\d+\.\d", "", printed[0]).startswith(re.sub(r"\d+\.\d", "", promised))


@pytest.mark.parametrize("page", ["README.md", "README.pt-BR.md"])
def test_python_of_the_readme_runs(house: Path, page: str) -> None:
    (block,) = code_blocks(ROOT / page)
    if not (house / "gato.jpg").exists():
        os.symlink(house / "tf_files/gato.jpg", house / "gato.jpg")
    assert run([block], house).startswith("tabby\n")


def test_python_of_the_other_pages_runs(house: Path) -> None:
    pages = [page for page in ROOT.glob("docs/**/*.md") if code_blocks(page) and page.name != "api.md"]
    assert ROOT / "docs/features.md" in pages
    for page in pages:
        run(code_blocks(page), house)


def test_a_wrong_claim_is_noticed() -> None:
    code = checking_claims("value = 2\nvalue + 1  # → 3\nvalue, 'a'  # → (2, 'b')\n")
    with pytest.raises(AssertionError, match="'a'"):
        exec(code, {})


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_well_formed_and_carries_nothing_of_a_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    notebook = json.loads(text)
    assert text == json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"  # as Jupyter writes it
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert set(notebook) == {"cells", "metadata", "nbformat", "nbformat_minor"}
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids) and all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name) for name in ids)
    texts = [cell["cell_type"] == "markdown" for cell in notebook["cells"]]
    assert texts[0] and not texts[-1]
    for cell in notebook["cells"]:
        kind = {"code": {"execution_count", "outputs"}, "markdown": set()}[cell["cell_type"]]
        assert set(cell) == {"cell_type", "id", "metadata", "source", *kind}
        assert cell["metadata"] == {} and all(isinstance(line, str) for line in cell["source"])
        assert (cell.get("execution_count"), cell.get("outputs", [])) == (None, [])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_links_of_the_notebook_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    assert links and [link for link in links if not (path.parent / link).exists()] == []
