"""Every experiment still starts, and says in its docstring what was asked and what came out."""

import ast
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner

ROOT = Path(__file__).resolve().parents[2]
EXPERIMENTS = sorted(path.stem for path in (ROOT / "research").glob("*.py") if path.stem != "comparing")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_it_starts(name: str) -> None:
    result = CliRunner().invoke(import_module(f"research.{name}").main, ["--help"])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_its_result_is_in_its_docstring(name: str) -> None:
    said = ast.get_docstring(ast.parse((ROOT / "research" / f"{name}.py").read_text(encoding="utf-8"))) or ""
    assert "\nQuestion: " in said and "\nResult" in said
    assert f"python -m research.{name}" in said
